"""The challenger beside the champion on live patients, from what the service recorded unseen.

Disagreement is there at once; whether it is for the better is known when outcomes arrive, and every
difference is then bootstrapped in pairs, whole patients together.

When it misleads: outcomes came about under care that saw the champion's answers, not the challenger's.
Where clinicians acted on a risk and prevented what it predicted, the model that said it looks wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import BranchPoint
from monitoring.shadow import Matched, Pair, of_newest_champion
from training.evaluation.accuracy import numeric_statistics
from training.evaluation.bootstrap import Statistic
from training.evaluation.decision_gain import net_benefit_statistics
from training.evaluation.disclosure import is_small
from training.evaluation.discrimination import binary_statistics
from training.evaluation.resampling import Resampling

Floats = NDArray[np.float64]

SEED, RESAMPLES = 2026, 1000
FEWEST_ROWS = 20
FIGURES = ("auroc", "brier", "log_loss")


def disagreement(found: Sequence[Pair], point: BranchPoint, outcome: str) -> dict[str, Any]:
    """How far the two are apart on the patients that both were asked about.

    Parameters
    ----------
    found : sequence of Pair
        As the ledger has them.

    Returns
    -------
    dict
        `asked`; `another_champion` (answered by an earlier one: left out); `both`, `challenger_only`,
        `champion_only` (gave a number); of those with both: `mean_difference` and
        `mean_absolute_difference` (challenger minus champion), `other_band` (share, None for a
        number), `bands` (champion's band -> challenger's band -> count).
    """
    present = of_newest_champion(found)
    nobody = [pair for pair in found if pair.champion is None]
    apart = np.array(
        [p.challenger - p.champion.prediction for p in present if p.challenger is not None
         and p.champion is not None]
    )  # fmt: skip
    told: dict[str, Any] = {
        "asked": len(found),
        "another_champion": len(found) - len(present) - len(nobody),
        "both": len(apart),
        "champion_only": sum(pair.challenger is None for pair in present),
        "challenger_only": sum(pair.challenger is not None for pair in nobody),
        "mean_difference": float(apart.mean()) if len(apart) else None,
        "mean_absolute_difference": float(np.abs(apart).mean()) if len(apart) else None,
        "other_band": None,
        "bands": {},
    }
    bands = point.outcomes[outcome]
    if bands is None or not len(apart):
        return told
    moved: dict[str, dict[str, int]] = {}
    for pair in present:
        if pair.champion is None or pair.challenger is None:
            continue
        theirs, ours = bands.band(pair.champion.prediction), bands.band(pair.challenger)
        moved.setdefault(theirs, {}).setdefault(ours, 0)
        moved[theirs][ours] += 1
    same = sum(to.get(name, 0) for name, to in moved.items())
    return told | {"other_band": 1 - same / len(apart), "bands": moved}


def on_outcomes(found: Matched, kind: str, thresholds: Sequence[float]) -> dict[str, Any]:
    """Both on the patients whose outcome is known, and the paired differences.

    Parameters
    ----------
    kind : {"binary", "numeric"}
    thresholds : sequence of float
        Where net benefit is compared.

    Returns
    -------
    dict
        `rows`; `events` (binary); `champion`, `challenger`, `difference` (challenger minus champion):
        each figure with `value`, `lower`, `upper`. `where` instead, when the rows carry none.
    """
    rows, y = len(found.y), found.y
    if rows < FEWEST_ROWS:
        return {"rows": rows, "where": f"fewer than {FEWEST_ROWS} assessments with an outcome"}
    events = int(y.sum())
    if kind == "binary" and is_small(events, rows - events):
        return {"rows": rows, "where": "fewer than five events or non-events"}
    patients = np.unique(found.whose, return_inverse=True)[1].astype(np.intp)
    resampling = Resampling(np.random.default_rng(SEED), RESAMPLES, patients)
    challenger, champion, difference = resampling.compare(
        _statistics(y, found.challenger, kind, thresholds),
        _statistics(y, found.champion, kind, thresholds),
        np.arange(rows),
    )
    told = {"rows": rows, "patients": int(patients.max()) + 1}
    if kind == "binary":
        told["events"] = events
    return told | {"champion": champion, "challenger": challenger, "difference": difference}


def _statistics(
    y: Floats, p: Floats, kind: str, thresholds: Sequence[float]
) -> Mapping[str, Statistic]:
    if kind == "numeric":
        return {"mae": numeric_statistics(y, p)["mae"]}
    every = binary_statistics(y, p)
    benefits = net_benefit_statistics(y, p, thresholds)
    return {
        **{name: every[name] for name in FIGURES},
        **{f"net benefit at {t}": statistic for t, statistic in benefits.items()},
    }
