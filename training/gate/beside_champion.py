"""A version and the champion on the same patients: those that the new version was not fitted on.

Stored figures of two versions cannot be compared: each was judged on its own patients, and errors
depend on who was asked about. Here both answer the same held-out rows of one cohort, as the service
would ask them, and every difference is bootstrapped in pairs.

When it misleads: a champion that was fitted on some of these rows looks better than it is, so that a
new version is held back rather than let through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability
from models.risk.risk_model import RiskModel
from training.evaluation.accuracy import numeric_statistics
from training.evaluation.bootstrap import Statistic
from training.evaluation.decision_gain import net_benefit_statistics, worst_of
from training.evaluation.disclosure import is_small
from training.evaluation.discrimination import binary_statistics
from training.evaluation.resampling import Resampling
from training.rows import Cohort

Floats = NDArray[np.float64]

SEED = 2026
FEWEST_ROWS = 20


def beside_champion(
    new: RiskModel, champion: RiskModel, cohort: Cohort, thresholds: Sequence[float]
) -> dict[str, Any]:
    """Paired differences, new version minus champion, on held-out rows that both answer.

    Parameters
    ----------
    thresholds : sequence of float
        Where net benefit is compared (`BranchPoint.decision_thresholds`).

    Returns
    -------
    dict
        - `rows`; `events` (binary).
        - `log_loss`, `brier`, `auroc`: each `value`, `lower`, `upper` of the difference.
        - `net_benefit`: the same at the threshold whose upper end is lowest, with `where`.
        - `error` (numeric): difference of the mean absolute error as a share of the champion's.
        - `answered`: share of rows that the new version answers, less that of the champion.
        - only `where`, saying why, when the rows cannot carry a comparison.
    """
    known = np.flatnonzero(cohort.held_out & ~np.isnan(cohort.labels[new.outcome]))
    ours, we_answer = predictions(new, cohort, known)
    theirs, they_answer = predictions(champion, cohort, known)
    both = we_answer & they_answer
    y = cohort.labels[new.outcome][known][both]
    if len(y) < FEWEST_ROWS:
        return {"where": f"fewer than {FEWEST_ROWS} held-out rows that both answer"}
    resampling = resampling_of(cohort, known[both])
    figures = {"rows": len(y), "answered": float(we_answer.mean() - they_answer.mean())}
    if new.kind == "numeric":
        return figures | _numeric(y, ours[both], theirs[both], resampling)
    events = int(y.sum())
    if is_small(events, len(y) - events):
        return {"where": "fewer than five events or non-events in rows that both answer"}
    return figures | _binary(y, ours[both], theirs[both], thresholds, resampling)


def predictions(
    model: RiskModel, cohort: Cohort, rows: NDArray[np.intp]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Prediction of each row and whether the model answers it; inputs that the cohort lacks are missing."""
    X = np.full((len(rows), len(model.features)), np.nan)
    for i, name in enumerate(model.features):
        if name in cohort.features:
            X[:, i] = cohort.X[rows, cohort.features.index(name)]
    X = model.vectors(X)
    score, _ = model.explain(X)
    return (probability(score) if model.kind == "binary" else score), model.answers(X)


def resampling_of(cohort: Cohort, rows: NDArray[np.intp]) -> Resampling:
    """The cohort's bootstrap for some of its rows, whole patients together."""
    patients = None
    if cohort.patients is not None:
        patients = np.unique(cohort.patients[rows], return_inverse=True)[1].astype(np.intp)
    return Resampling(np.random.default_rng(SEED), cohort.source.plan.resamples, patients)


def _binary(
    y: Floats, ours: Floats, theirs: Floats, thresholds: Sequence[float], resampling: Resampling
) -> dict[str, Any]:
    _, _, difference = resampling.compare(
        _statistics(y, ours, thresholds), _statistics(y, theirs, thresholds), np.arange(len(y))
    )
    gains = {f"{t:g}": difference.pop(f"{t:g}") for t in thresholds}
    return {"events": int(y.sum()), **difference, "net_benefit": worst_of(gains)}


def _statistics(y: Floats, p: Floats, thresholds: Sequence[float]) -> dict[str, Statistic]:
    figures: Mapping[str, Statistic] = binary_statistics(y, p)
    wanted = {name: figures[name] for name in ("log_loss", "brier", "auroc")}
    return wanted | net_benefit_statistics(y, p, thresholds)


def _numeric(y: Floats, ours: Floats, theirs: Floats, resampling: Resampling) -> dict[str, Any]:
    first, second = ({"mae": numeric_statistics(y, own)["mae"]} for own in (ours, theirs))
    _, champion, difference = resampling.compare(first, second, np.arange(len(y)))
    if not champion["mae"]["value"]:
        return {"error": None}
    return {"error": {k: v / champion["mae"]["value"] for k, v in difference["mae"].items()}}
