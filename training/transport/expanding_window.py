"""Temporal validation: fit on the past, judge on what came next, then let the next be past as well.

Method
------
The cohort is cut into blocks of months. Before each block but the first a model is fitted, as the
pipeline fits, on the fitting rows of all earlier blocks, and judged on every row of the block whose
patient it has not seen. Beside it stands the registered model as it is. A refit that does better than
the registered model block after block says that the world moved; both getting worse, that it moves
faster than the blocks.

Labels come late. A row may be fitted on only when its horizon had passed before the block began, as
on the day itself; an outcome of the hospital stay is given a month.

References
----------
The pattern (years added one by one) is that of the Karolinska trauma group's models of opportunities
for improvement: medRxiv 2023.01.19.23284654.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from training.cohort import Cohort
from training.errors import CohortTooSmall, NotTransportable
from training.evaluation.accuracy import numeric_statistics
from training.evaluation.calibration_intervals import N_RESAMPLES, calibration_intervals
from training.evaluation.discrimination import binary_statistics
from training.evaluation.inputs import FEWEST_ROWS, patient_numbers
from training.evaluation.plain import plain
from training.evaluation.resampling import Resampling
from training.fit.fit_outcome import fit_outcome
from training.judge import Answers, answers
from training.pipeline import usable_features
from training.transport.registered import Registered, is_own, refuse_unfit

Flags = NDArray[np.bool_]

DAYS_A_MONTH = 30
MONTHS_OF_A_STAY = 1
FEWEST_EVENTS = 5
FIGURES = {"binary": ("auroc", "brier"), "numeric": ("mae", "r2")}


@dataclass(frozen=True, slots=True)
class Window:
    """Months as running numbers: fitted on rows before `fitted_before`, judged from `first` on."""

    fitted_before: int
    first: int
    end: int


def running_month(month: NDArray[np.int64]) -> NDArray[np.int64]:
    """Months since year 0 of yyyymm, so that differences are months.

    Examples
    --------
    >>> (running_month(np.array([202401])) - running_month(np.array([202312]))).tolist()
    [1]
    """
    return np.asarray(month // 100 * 12 + month % 100 - 1)


def windows(months: NDArray[np.int64], block: int, wait: int) -> list[Window]:
    """The blocks that are judged, each with what could be fitted on when it began.

    Parameters
    ----------
    months : ndarray of int
        Running months.
    block : int
        Months in a block; what is left over at the end is a shorter one.
    wait : int
        Months until a row's outcome is known.

    Examples
    --------
    Two years in blocks of one, with outcomes known after three months:

    >>> windows(np.arange(24), 12, 3)
    [Window(fitted_before=9, first=12, end=24)]
    """
    first, end = int(months.min()), int(months.max()) + 1
    starts = range(first + block, end, block)
    return [Window(start - wait, start, min(start + block, end)) for start in starts]


def expanding_window(
    registered: Registered,
    cohort: Cohort,
    vocabulary: Vocabulary,
    *,
    block_months: int,
    seed: int,
    other_patients: bool = False,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Judge refits and the registered model block by block.

    Parameters
    ----------
    block_months : int
        Months in a block.
    other_patients : bool
        As in `validate`.
    progress : callable
        Told the share that each step completes; the shares sum to 1.

    Returns
    -------
    dict
        `block_months`, `wait_months`, and `windows`: each with `fitted_until` and `judged` (months,
        yyyymm), `refit` and `registered`: `rows`, `events` and figures with 95% intervals over
        patients, or `left_out` with the reason.

    Raises
    ------
    NotTransportable
        When the cohort's rows have no months, or all of them lie in one block.
    """
    refuse_unfit(registered, cohort)
    if cohort.months is None:
        raise NotTransportable(
            f"{cohort.source.title} does not say when its rows are from: no expanding window"
        )
    outcome = vocabulary.outcomes[registered.model.outcome]
    days = outcome.horizon_days
    wait = MONTHS_OF_A_STAY if days is None else ceil(days / DAYS_A_MONTH)
    months = running_month(cohort.months)
    found = windows(months, block_months, wait)
    if not found:
        raise NotTransportable(
            f"{cohort.source.title} covers no more than one block of {block_months} months"
        )
    own = is_own(registered, cohort) and not other_patients
    unknown = cohort.held_out if own else np.ones(len(cohort.X), dtype=bool)
    lines = []
    for window in found:
        block = (months >= window.first) & (months < window.end)
        before = (months < window.fitted_before) & ~cohort.held_out
        line: dict[str, Any] = {
            "fitted_until": _month(window.fitted_before - 1),
            "judged": [_month(window.first), _month(window.end - 1)],
            "registered": _figures(registered.model, cohort, block & unknown, seed),
        }
        try:
            model = _fit(registered, cohort, before, vocabulary, seed)
        except CohortTooSmall as error:
            line["refit"] = {"left_out": str(error)}
        else:
            line["refit"] = {
                "rows_fitted": int((before & ~np.isnan(cohort.labels[model.outcome])).sum()),
                **_figures(model, cohort, block & ~_seen(cohort, before), seed),
            }
        lines.append(line)
        progress(1 / len(found))
    return plain({"block_months": block_months, "wait_months": wait, "windows": lines})  # type: ignore[no-any-return]


def _fit(
    registered: Registered, cohort: Cohort, before: Flags, vocabulary: Vocabulary, seed: int
) -> RiskModel:
    """A model of its own on rows of the past; inputs that never varied in them are left out."""
    outcome = registered.model.outcome
    rows = np.flatnonzero(before & ~np.isnan(cohort.labels[outcome]))
    if not len(rows):
        raise CohortTooSmall(f"{outcome}: no rows whose outcome was known in time")
    X = cohort.X[rows]
    columns = [i for i in usable_features(cohort) if _varies(X[:, i])]
    return fit_outcome(
        X[:, columns],
        cohort.labels[outcome][rows],
        [vocabulary.features[cohort.features[i]] for i in columns],
        point=vocabulary.branch_points[cohort.source.branch_point],
        outcome=vocabulary.outcomes[outcome],
        training_data=cohort.source.training_data,
        seed=seed,
        plan=cohort.source.plan,
        patients=None if cohort.patients is None else cohort.patients[rows],
    ).model


def _varies(column: NDArray[np.float64]) -> bool:
    present = column[~np.isnan(column)]
    return bool(len(present) and np.ptp(present) > 0)


def _seen(cohort: Cohort, fitted: Flags) -> Flags:
    """Rows of patients of whom at least one row was fitted on."""
    if cohort.patients is None:
        return fitted
    return np.isin(cohort.patients, np.unique(cohort.patients[fitted]))


def _figures(model: RiskModel, cohort: Cohort, among: Flags, seed: int) -> dict[str, Any]:
    found = answers(model, cohort, among)
    if (reason := _too_small(model.kind, found)) is not None:
        return {"left_out": reason}
    patients = None
    if cohort.patients is not None:
        own = cohort.patients[found.rows].astype(str).tolist()
        patients = patient_numbers(own, len(own))
    resampling = Resampling(
        np.random.default_rng(seed), min(N_RESAMPLES, cohort.source.plan.resamples), patients
    )
    binary = model.kind == "binary"
    predicted = probability(found.score) if binary else found.score
    statistics = (
        binary_statistics(found.y, predicted) if binary else numeric_statistics(found.y, predicted)
    )
    return {
        "rows": len(found.rows),
        "events": int(found.y.sum()) if binary else None,
        "abstained": 1 - len(found.rows) / found.asked,
        **resampling.estimate(
            {name: statistics[name] for name in FIGURES[model.kind]}, np.arange(len(found.y))
        ),
        **calibration_intervals(found.y, predicted, model.kind, resampling),
    }


def _too_small(kind: str, found: Answers) -> str | None:
    if len(found.y) < FEWEST_ROWS or np.ptp(found.y) == 0:
        return "too few rows or one outcome only"
    fewest = min(found.y.sum(), len(found.y) - found.y.sum())
    return (
        "fewer than 5 events or non-events" if kind == "binary" and fewest < FEWEST_EVENTS else None
    )


def _month(running: int) -> int:
    return running // 12 * 100 + running % 12 + 1
