"""The challengers' series, made of what is known of them when Prometheus asks.

The counts are kept where the challengers are asked and only shown here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.counting.frame import COUNTER, GAUGE, Family, label_text, text_of

ASSESSMENTS = Family(
    "risk_shadow_assessments_total",
    COUNTER,
    "Assessments that a challenger was asked about, unseen.",
)
OF_ONE = {
    "other_band": Family(
        "risk_shadow_other_band_total",
        COUNTER,
        "Of them those in another band than the champion's, or that only one answered.",
    ),
    "apart": Family(
        "risk_shadow_apart_total",
        COUNTER,
        "Sum of absolute differences to the champion's predictions, in the outcome's unit.",
    ),
    "both": Family("risk_shadow_both_total", COUNTER, "Predictions that stand in that sum."),
    "lag_s": Family(
        "risk_shadow_lag_seconds",
        GAUGE,
        "Age of the oldest assessment of the challenger's last batch.",
    ),
    "set_aside": Family(
        "risk_shadow_set_aside",
        GAUGE,
        "1 for a challenger that is not asked: refused, or its process hung or ended.",
    ),
    "outcomes": Family(
        "risk_shadow_outcomes",
        GAUGE,
        "Assessments of known outcome to which champion and challenger gave a number.",
    ),
}
FIGURES = {
    "auroc": Family("risk_shadow_auroc", GAUGE, "AUROC on them."),
    "brier": Family("risk_shadow_brier_score", GAUGE, "Brier score on them."),
    "net_benefit": Family(
        "risk_shadow_net_benefit",
        GAUGE,
        "Net benefit on them at the branch point's first threshold of action.",
    ),
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
                (label_text({**labels, "status": status}), one[status])
                for labels, one in both
                for status in ("answered", "abstained")
            ],
        )
    ]
    for field, family in OF_ONE.items():
        rows = [(label_text(labels), _number(one[field], field)) for labels, one in both]
        pieces.append(text_of(family, rows))
    for figure, family in FIGURES.items():
        pieces.append(
            text_of(
                family,
                [
                    (label_text({**labels, "alias": alias}), told[figure])
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
