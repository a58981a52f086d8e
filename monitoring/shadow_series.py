"""The challengers' series, made of what is known of them when Prometheus asks.

The counts are kept where the challengers are asked and only shown here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.exposition import labelled, text_of

ASSESSMENTS = "risk_shadow_assessments_total"
OF_ONE = {
    "other_band": "risk_shadow_other_band_total",
    "apart": "risk_shadow_apart_total",
    "both": "risk_shadow_both_total",
    "lag_s": "risk_shadow_lag_seconds",
    "set_aside": "risk_shadow_set_aside",
    "outcomes": "risk_shadow_outcomes",
}
FIGURES = {
    "auroc": "risk_shadow_auroc",
    "brier": "risk_shadow_brier_score",
    "net_benefit": "risk_shadow_net_benefit",
}


def shadow_text(challengers: Sequence[Mapping[str, Any]]) -> str:
    """All series of these challengers.

    Parameters
    ----------
    challengers : sequence of mapping
        `app.serving.shadow.ChallengerRow` as a mapping.
    """
    who = [{"model": one["name"], "version": one["version"]} for one in challengers]
    both = list(zip(who, challengers, strict=True))
    pieces = [
        text_of(
            ASSESSMENTS,
            [
                (labelled({**labels, "status": status}), one[status])
                for labels, one in both
                for status in ("answered", "abstained")
            ],
        )
    ]
    for field, family in OF_ONE.items():
        rows = [(labelled(labels), _number(one[field], field)) for labels, one in both]
        pieces.append(text_of(family, rows))
    for figure, family in FIGURES.items():
        pieces.append(
            text_of(
                family,
                [
                    (labelled({**labels, "alias": alias}), told[figure])
                    for labels, one in both
                    for alias, told in one["figures"].items()
                    if figure in told
                ],
            )
        )
    return "".join(pieces)


def _number(value: Any, field: str) -> float:
    """A challenger is set aside for a reason: what is shown is that there is one."""
    return float(value is not None) if field == "set_aside" else float(value)
