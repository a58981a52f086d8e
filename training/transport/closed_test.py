"""How much of a model must be changed for other patients: a closed test over four ways to update it.

Method
------
The most thorough update (refit) is the yardstick. The model as it is, the model with a new
intercept, and the model with a new intercept and slope are held against it, in this order; the first
that the refit does not beat at the level is taken, and the refit itself when it beats all three. As
every later hypothesis contains the earlier one, the procedure as a whole changes a model that needs
no change in at most `LEVEL` of all cases, however many tests were made.

- Probabilities: likelihood ratio, twice the difference of the log-likelihoods, against chi-square
  with as many degrees of freedom as the refit has coefficients more. Rows must be of different
  patients.
- Numbers: days and money spread more where they are large, so a likelihood with one variance would
  find differences that are not there. The same hypotheses are tested as linear constraints on a
  least-squares refit with a covariance that allows each row its own variance (Wald).

When it misleads: with few events it keeps the old model because nothing can be seen; with a hundred
thousand rows it refits for differences that matter to nobody. Read the p-values beside the
calibration figures.

References
----------
Vergouwe Y et al. A closed testing procedure to select an appropriate method for updating prediction
models. Stat Med 2017;36:4529-4539.
White H. A heteroskedasticity-consistent covariance matrix estimator and a direct test for
heteroskedasticity. Econometrica 1980;48:817-838.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from models.risk.calibration import calibration_in_the_large
from training.evaluation.logistic import fit_logistic

Floats = NDArray[np.float64]

LEVEL = 0.05
ORIGINAL, INTERCEPT, SLOPE, REFIT = "original", "intercept", "intercept-slope", "refit"
METHODS = (ORIGINAL, INTERCEPT, SLOPE, REFIT)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One method held against the most thorough one.

    Attributes
    ----------
    statistic : float
        Chi-square.
    degrees_of_freedom : int
        Coefficients that the most thorough method has more.
    p : float
        Chance of such a statistic when the method is good enough.
    """

    method: str
    statistic: float
    degrees_of_freedom: int
    p: float


@dataclass(frozen=True, slots=True)
class ClosedTest:
    """What was chosen, and every comparison on the way."""

    method: str
    comparisons: tuple[Comparison, ...]
    level: float = LEVEL


def closed_test(
    y: Floats, base: float, parts: Floats, now: Floats, *, kind: str, level: float = LEVEL
) -> ClosedTest:
    """Choose how to update a model whose score is `base + parts @ now`.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1, or a number in the outcome's unit; one row a patient.
    base : float
        Of the score, in log-odds or the outcome's unit.
    parts : ndarray, shape (n_samples, n_parts)
        What the refit weighs anew. With a single part the refit is the intercept and slope.
    now : ndarray, shape (n_parts,)
        The weights that the model has.
    kind : str
        "binary" or "numeric".

    Returns
    -------
    ClosedTest

    Raises
    ------
    ValueError
        When only one class is there.

    Examples
    --------
    Half of a hundred have the event, and half was predicted for all that the score tells apart:

    >>> y, x = np.tile([0.0, 1.0], 50), np.repeat([-0.5, 0.5], 50)
    >>> closed_test(y, 3.0, x[:, None], np.ones(1), kind="binary").method
    'intercept-slope'
    >>> closed_test(y, 0.0, 0.1 * x[:, None], np.ones(1), kind="binary").method
    'original'
    """
    compare = _likelihood_ratios if kind == "binary" else _wald_tests
    found = compare(y, base, parts, now)
    chosen = SLOPE if parts.shape[1] == 1 else REFIT
    for comparison in found:
        if comparison.p >= level:
            chosen = comparison.method
            break
    return ClosedTest(chosen, tuple(found), level)


def _likelihood_ratios(y: Floats, base: float, parts: Floats, now: Floats) -> list[Comparison]:
    if not 0 < y.mean() < 1:
        raise ValueError("the closed test needs both classes; found one")
    score, k = base + parts @ now, parts.shape[1]
    whole = _log_likelihood(y, _fitted(y, parts))
    tried = [
        (ORIGINAL, score, k + 1),
        (INTERCEPT, score + calibration_in_the_large(y, score), k),
    ]
    if k > 1:
        tried.append((SLOPE, _fitted(y, score[:, None]), k - 1))
    return [
        _comparison(method, 2 * (whole - _log_likelihood(y, own)), df) for method, own, df in tried
    ]


def _wald_tests(y: Floats, base: float, parts: Floats, now: Floats) -> list[Comparison]:
    n, k = parts.shape
    design = np.column_stack([np.ones(n), parts])
    residual = y - (base + parts @ now)
    bread = np.linalg.pinv(design.T @ design)
    moved = bread @ design.T @ residual
    left = residual - design @ moved
    meat = (design * (left**2)[:, None]).T @ design
    covariance = bread @ meat @ bread * n / max(n - k - 1, 1)
    everything = np.eye(k + 1)
    tried = [(ORIGINAL, everything), (INTERCEPT, everything[1:])]
    if k > 1:
        # All that a common slope cannot do: directions across the present weights.
        across = np.linalg.svd(now[None, :])[2][1:]
        tried.append((SLOPE, np.column_stack([np.zeros(k - 1), across])))
    found = []
    for method, constraints in tried:
        off = constraints @ moved
        spread = constraints @ covariance @ constraints.T
        statistic = float(off @ np.linalg.pinv(spread, hermitian=True) @ off)
        found.append(_comparison(method, statistic, len(constraints)))
    return found


def _comparison(method: str, statistic: float, degrees_of_freedom: int) -> Comparison:
    statistic = max(statistic, 0.0)  # rounding, where both fit alike
    p = float(chdtrc(degrees_of_freedom, statistic))
    return Comparison(method, statistic, degrees_of_freedom, p)


def _fitted(y: Floats, columns: Floats) -> Floats:
    design = np.column_stack([np.ones(len(y)), columns])
    return np.asarray(design @ fit_logistic(y, design)[0])


def _log_likelihood(y: Floats, log_odds: Floats) -> float:
    return float((y * log_odds - np.logaddexp(0.0, log_odds)).sum())
