"""Percentile bootstrap: what a figure could have been with other patients of the same kind.

Method
------
Patients are drawn with replacement, as many as there are. A resample is kept as the number of
times it holds each row, and all statistics are worked out on the same resamples, which is what
makes a difference between two models paired. The bounds are the 2.5th and 97.5th percentile.

When it misleads: with few events the percentiles are too narrow; and it knows nothing of another
hospital or another year.

References
----------
Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall 1993, chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
Estimate = dict[str, float]
Name = TypeVar("Name", bound=Hashable)

LEVEL = 0.95
# Counts that are held at once: 16 MB a matrix, whatever the number of patients.
CELLS_A_CHUNK = 2_000_000


def bootstrap(
    statistics: Mapping[str, Statistic],
    n_rows: int,
    rng: np.random.Generator,
    n_resamples: int,
    patients: NDArray[np.intp] | None = None,
) -> dict[str, Estimate]:
    """Value and 95% interval of several statistics on the same resamples.

    Parameters
    ----------
    statistics : mapping
        Name -> function from counts, shape (n_resamples, n_rows), to values (n_resamples,).
    n_rows : int
        Rows that the statistics were bound to.
    rng : numpy.random.Generator
        Seeded by the caller.
    n_resamples : int
        How many; 1000 gives bounds to about a tenth of the interval's width.
    patients : ndarray of int, shape (n_rows,), optional
        Number of each row's patient, 0 to k - 1. Rows of one patient are drawn together; without
        it every row is its own patient.

    Returns
    -------
    dict
        Name -> `{"value", "lower", "upper"}`; bounds are NaN when no resample has a value.

    Examples
    --------
    The mean of three equal rows cannot vary:

    >>> def mean(counts):
    ...     return counts @ np.full(3, 2.0) / counts.sum(axis=1)
    >>> bootstrap({"mean": mean}, 3, np.random.default_rng(1), 50)
    {'mean': {'value': 2.0, 'lower': 2.0, 'upper': 2.0}}
    """
    draws = _draw(statistics, n_rows, rng, n_resamples, patients)
    return {name: _estimate(_value(s, n_rows), draws[name]) for name, s in statistics.items()}


def paired_bootstrap(
    first: Mapping[str, Statistic],
    second: Mapping[str, Statistic],
    n_rows: int,
    rng: np.random.Generator,
    n_resamples: int,
    patients: NDArray[np.intp] | None = None,
) -> tuple[dict[str, Estimate], dict[str, Estimate], dict[str, Estimate]]:
    """Estimates of two models and of first minus second, on the same resampled rows.

    Parameters are those of `bootstrap`; both mappings have the same names and are bound to the
    same rows.

    Examples
    --------
    A model compared with itself differs by nothing in every resample:

    >>> def mean(counts):
    ...     return counts @ np.arange(3.0) / counts.sum(axis=1)
    >>> rng = np.random.default_rng(1)
    >>> paired_bootstrap({"mean": mean}, {"mean": mean}, 3, rng, 50)[2]
    {'mean': {'value': 0.0, 'lower': 0.0, 'upper': 0.0}}
    """
    both = {("first", name): s for name, s in first.items()}
    both |= {("second", name): s for name, s in second.items()}
    draws = _draw(both, n_rows, rng, n_resamples, patients)
    values = {key: _value(statistic, n_rows) for key, statistic in both.items()}

    def estimates(model: str) -> dict[str, Estimate]:
        return {name: _estimate(values[model, name], draws[model, name]) for name in first}

    difference = {
        name: _estimate(
            values["first", name] - values["second", name],
            draws["first", name] - draws["second", name],
        )
        for name in first
    }
    return estimates("first"), estimates("second"), difference


def bootstrap_changes(
    base: Mapping[str, Statistic],
    others: Mapping[str, Mapping[str, Statistic]],
    n_rows: int,
    rng: np.random.Generator,
    n_resamples: int,
    patients: NDArray[np.intp] | None = None,
) -> dict[str, dict[str, Estimate]]:
    """How far each of several models' figures is from one model's, all on the same resamples.

    Parameters
    ----------
    base : mapping
        Name -> statistic of the model that the others are compared with.
    others : mapping
        Model -> name -> statistic; the names of `base`, bound to the same rows.
    n_rows, rng, n_resamples, patients
        As in `bootstrap`.

    Returns
    -------
    dict
        Model -> name -> estimate of that model minus `base`.

    Examples
    --------
    >>> def mean(of):
    ...     return lambda counts: counts @ of / counts.sum(axis=1)
    >>> one, two = mean(np.arange(3.0)), mean(np.arange(3.0) + 0.5)
    >>> bootstrap_changes({"m": one}, {"two": {"m": two}}, 3, np.random.default_rng(1), 50)
    {'two': {'m': {'value': 0.5, 'lower': 0.5, 'upper': 0.5}}}
    """
    every: dict[tuple[str | None, str], Statistic] = {(None, n): s for n, s in base.items()}
    every |= {(model, n): s for model, own in others.items() for n, s in own.items()}
    draws = _draw(every, n_rows, rng, n_resamples, patients)
    values = {key: _value(statistic, n_rows) for key, statistic in every.items()}
    return {
        model: {
            name: _estimate(
                values[model, name] - values[None, name], draws[model, name] - draws[None, name]
            )
            for name in own
        }
        for model, own in others.items()
    }


def _draw(
    statistics: Mapping[Name, Statistic],
    n_rows: int,
    rng: np.random.Generator,
    n_resamples: int,
    patients: NDArray[np.intp] | None,
) -> dict[Name, Floats]:
    draws: dict[Name, list[Floats]] = {name: [] for name in statistics}
    for counts in _counts(n_rows, rng, n_resamples, patients):
        for name, statistic in statistics.items():
            draws[name].append(statistic(counts))
    return {name: np.concatenate(parts) for name, parts in draws.items()}


def _counts(
    n_rows: int, rng: np.random.Generator, n_resamples: int, patients: NDArray[np.intp] | None
) -> Iterator[Floats]:
    """Resamples in chunks: counts of shape (at most n_resamples, n_rows)."""
    n = n_rows if patients is None else int(patients.max()) + 1
    at_once = max(1, CELLS_A_CHUNK // n_rows)
    for start in range(0, n_resamples, at_once):
        size = min(at_once, n_resamples - start)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        yield counts if patients is None else counts[:, patients]


def _value(statistic: Statistic, n_rows: int) -> float:
    return float(statistic(np.ones((1, n_rows)))[0])


def _estimate(value: float, draws: Floats) -> Estimate:
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return {"value": value, "lower": float("nan"), "upper": float("nan")}
    lower, upper = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": value, "lower": float(lower), "upper": float(upper)}
