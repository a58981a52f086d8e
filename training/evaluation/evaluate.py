"""The evaluation of one model on held-out patients, as one JSON document.

The promotion rules, the model card and the pictures read nothing else. Figures that cannot be
worked out are null; small counts are withheld (see `training.evaluation.disclosure`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.risk.intervals import GROUP_SIZE, LEVEL, group_coverage
from training.evaluation import bootstrap
from training.evaluation.accuracy import numeric_statistics
from training.evaluation.calibration import binary_calibration, numeric_calibration
from training.evaluation.comparators import compare_all, shown
from training.evaluation.deciles import numeric_deciles
from training.evaluation.decision_gain import decision_gain
from training.evaluation.discrimination import binary_statistics
from training.evaluation.inputs import (
    Labels,
    both_classes,
    column,
    enough_rows,
    interval_bounds,
    patient_numbers,
    probabilities,
    same_length,
)
from training.evaluation.log_odds import clipped_log_odds
from training.evaluation.net_benefit import decision_curves
from training.evaluation.plain import plain
from training.evaluation.resampling import Resampling
from training.evaluation.roc_curve import roc_curve
from training.evaluation.subgroups import binary_subgroups, numeric_subgroups

Floats = NDArray[np.float64]

SEED = 2026
N_RESAMPLES = 1000


def evaluate_binary(
    y: ArrayLike,
    p: ArrayLike,
    *,
    lower: ArrayLike,
    upper: ArrayLike,
    comparators: Mapping[str, ArrayLike],
    groups: Mapping[str, Labels],
    seed: int = SEED,
    n_resamples: int = N_RESAMPLES,
    patients: Labels | None = None,
    thresholds: Sequence[float] = (),
) -> dict[str, Any]:
    """Judge predicted probabilities against what happened.

    Parameters
    ----------
    y : array, shape (n_samples,)
        0 or 1.
    p : array, shape (n_samples,)
        Predicted probability 0-1.
    lower, upper : array, shape (n_samples,)
        Interval of each probability.
    comparators : mapping
        Name -> probability 0-1, shape (n_samples,), NaN where there is none. Comparisons are made
        on the rows that have one, the model beside it on the same rows.
    groups : mapping
        Grouping -> label per row, None where unknown.
    seed : int
        Of the bootstrap; the same input and seed give the same document.
    n_resamples : int
        Bootstrap resamples per figure.
    patients : sequence, optional
        Who each row is about, when patients have several rows; those are then resampled together.
    thresholds : sequence of float
        Where the branch point acts (`BranchPoint.decision_thresholds`).

    Returns
    -------
    dict
        JSON-serialisable: `kind`, `rows`, `events`, `non_events`, `prevalence`; `auroc`, `auprc`,
        `brier`, `log_loss` (each `value`, `lower`, `upper`); `calibration`; `roc`; `net_benefit`;
        `decision` (gain at the thresholds); `interval` (`level`, `coverage`, `groups`,
        `group_size`, `mean_width`); `comparators`;
        `subgroups`; `bootstrap` (how intervals were made).

    Raises
    ------
    ValueError
        When only one class is there, lengths differ, or numbers are no probabilities.

    Examples
    --------
    >>> y, p = np.tile([0.0, 0.0, 1.0, 1.0], 5), np.tile([0.1, 0.4, 0.35, 0.8], 5)
    >>> evaluation = evaluate_binary(
    ...     y, p, lower=p - 0.1, upper=p + 0.1, comparators={}, groups={}, n_resamples=20
    ... )
    >>> evaluation["auroc"]["value"], evaluation["prevalence"]
    (0.75, 0.5)
    """
    n_rows = enough_rows(np.size(y))
    y = both_classes(column("y", y, n_rows))
    p = probabilities("p", column("p", p, n_rows))
    low, high = interval_bounds(lower, upper, n_rows)
    others = {name: _comparator(name, values, n_rows) for name, values in comparators.items()}
    same_length(groups, n_rows)
    resampling = _resampling(seed, n_resamples, patients, n_rows)

    coverage, n_groups = group_coverage(y, clipped_log_odds(p), low, high)
    return _document(
        {
            "kind": "binary",
            "rows": n_rows,
            "events": int(y.sum()),
            "non_events": int(n_rows - y.sum()),
            "prevalence": y.mean(),
            **resampling.estimate(binary_statistics(y, p), np.arange(n_rows)),
            "calibration": binary_calibration(y, p),
            "roc": roc_curve(y, p),
            "net_benefit": decision_curves(y, p, shown(y, others)),
            "interval": {
                "level": LEVEL,
                "coverage": coverage,
                "groups": n_groups,
                "group_size": GROUP_SIZE,
                "mean_width": (high - low).mean(),
            },
            "comparators": compare_all(y, p, others, resampling),
            "subgroups": binary_subgroups(y, p, groups, resampling),
            "decision": decision_gain(y, p, thresholds, resampling),
        },
        seed,
        resampling,
    )


def evaluate_numeric(
    y: ArrayLike,
    value: ArrayLike,
    *,
    lower: ArrayLike,
    upper: ArrayLike,
    groups: Mapping[str, Labels],
    seed: int = SEED,
    n_resamples: int = N_RESAMPLES,
    patients: Labels | None = None,
) -> dict[str, Any]:
    """Judge predicted numbers against what happened.

    Parameters
    ----------
    y, value : array, shape (n_samples,)
        Observed and predicted, in the outcome's unit (days, SEK).
    lower, upper : array, shape (n_samples,)
        Interval of each patient's own value.
    groups, seed, n_resamples, patients
        As in `evaluate_binary`.

    Returns
    -------
    dict
        JSON-serialisable: `kind`, `rows`; `mae`, `rmse`, `r2`, `spearman` (each `value`, `lower`,
        `upper`); `calibration`; `interval` (`level`, `coverage`: share of patients inside,
        `mean_width`); `deciles`; `subgroups`; `bootstrap`.

    Raises
    ------
    ValueError
        When fewer than ten rows are there, all outcomes are equal, or lengths differ.

    Examples
    --------
    >>> y = np.arange(10.0)
    >>> evaluation = evaluate_numeric(
    ...     y, y + 1, lower=y - 1, upper=y + 3, groups={}, n_resamples=20
    ... )
    >>> evaluation["mae"]["value"], evaluation["interval"]["coverage"]
    (1.0, 1.0)
    """
    n_rows = enough_rows(np.size(y))
    y = column("y", y, n_rows)
    value = column("value", value, n_rows)
    if np.ptp(y) == 0:
        raise ValueError(
            f"found {n_rows} rows with one and the same outcome; expected them to vary"
        )
    low, high = interval_bounds(lower, upper, n_rows)
    same_length(groups, n_rows)
    resampling = _resampling(seed, n_resamples, patients, n_rows)

    return _document(
        {
            "kind": "numeric",
            "rows": n_rows,
            **resampling.estimate(numeric_statistics(y, value), np.arange(n_rows)),
            "calibration": numeric_calibration(y, value),
            "interval": {
                "level": LEVEL,
                "coverage": ((low <= y) & (y <= high)).mean(),
                "mean_width": (high - low).mean(),
            },
            "deciles": numeric_deciles(y, value),
            "subgroups": numeric_subgroups(y, value, groups, resampling),
        },
        seed,
        resampling,
    )


def _comparator(name: str, values: ArrayLike, n_rows: int) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.shape != (n_rows,):
        raise ValueError(f"comparator `{name}` has shape {numbers.shape}; expected ({n_rows},)")
    return probabilities(f"comparator {name}", numbers)


def _resampling(seed: int, n_resamples: int, patients: Labels | None, n_rows: int) -> Resampling:
    rng = np.random.default_rng(seed)
    return Resampling(rng, n_resamples, patient_numbers(patients, n_rows))


def _document(figures: Mapping[str, Any], seed: int, resampling: Resampling) -> dict[str, Any]:
    how = {
        "level": bootstrap.LEVEL,
        "resamples": resampling.n_resamples,
        "seed": seed,
        "unit": "row" if resampling.patients is None else "patient",
    }
    document: dict[str, Any] = plain({**figures, "bootstrap": how})
    return document
