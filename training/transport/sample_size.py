"""Whether a validation has patients enough: how precise O/E, slope and c can be with these events.

References
----------
Riley RD et al. Minimum sample size for external validation of a clinical prediction model with a
binary outcome. Stat Med 2021;40:4230-4251.
Newcombe RG. Confidence intervals for an effect size measure based on the Mann-Whitney statistic.
Part 2. Stat Med 2006;25:559-573.
Collins GS, Ogundimu EO, Altman DG. Sample size considerations for the external validation of a
multivariable prognostic model. Stat Med 2016;35:214-226 (a hundred events).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, exp, log, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability

Floats = NDArray[np.float64]

FEWEST_EVENTS = 100
Z95 = NormalDist().inv_cdf(0.975)
# Widths of a 95% interval that a decision can rest on; product proposal.
WIDTHS = {"observed_expected": 0.4, "slope": 0.4, "auroc": 0.1}


def standard_error_of_log_ratio(n: float, prevalence: float) -> float:
    """Standard error of ln(O/E).

    Examples
    --------
    100 events among 1,000 patients: the root of 0.9 / 100.

    >>> round(standard_error_of_log_ratio(1000, 0.1), 4)
    0.0949
    """
    return sqrt((1 - prevalence) / (n * prevalence))


def standard_error_of_slope(log_odds: Floats, n: float) -> float:
    """Standard error of a calibration slope of 1 among n patients with such predictions.

    The information of intercept and slope, were the predictions right, per patient.

    Examples
    --------
    Half at log-odds -1, half at 1: p (1 - p) is 0.1966 for all, so 1 / sqrt(100 x 0.1966).

    >>> round(standard_error_of_slope(np.array([-1.0, 1.0]), 100), 4)
    0.2255
    """
    weight = probability(log_odds) * (1 - probability(log_odds))
    a, ab, b = weight.mean(), (weight * log_odds).mean(), (weight * log_odds**2).mean()
    free = b - ab**2 / a
    return sqrt(1 / (n * free)) if free > 0 else float("inf")


def standard_error_of_c(c: float, n: float, prevalence: float) -> float:
    """Standard error of the AUROC by Newcombe's formula.

    Examples
    --------
    c = 0.5, 50 events among 100: 0.25 (1 + 49/3 + 49/3) / (50 x 50), and the root of it.

    >>> round(standard_error_of_c(0.5, 100, 0.5), 4)
    0.058
    """
    half = n / 2 - 1
    spread = c * (1 - c) * (1 + half * (1 - c) / (2 - c) + half * c / (1 + c))
    return sqrt(spread / (n**2 * prevalence * (1 - prevalence)))


def sample_size(y: Floats, p: Floats, log_odds: Floats, auroc: float) -> dict[str, Any]:
    """Expected widths of the 95% intervals, and the events that the declared widths ask for.

    Parameters
    ----------
    y, p, log_odds : ndarray, shape (n_samples,)
        Outcome (0 or 1), predicted probability and its log-odds.
    auroc : float
        Found here.

    Returns
    -------
    dict
        `events`, `fewest_events` (the rule of thumb), `enough`; per figure `width`, `wanted` and
        `events_needed`.
    """
    n, prevalence = len(y), float(y.mean())
    events = int(min(y.sum(), n - y.sum()))

    def width(figure: str, patients: float) -> float:
        if figure == "observed_expected":
            error = Z95 * standard_error_of_log_ratio(patients, prevalence)
            return exp(error) - exp(-error)
        if figure == "slope":
            return 2 * Z95 * standard_error_of_slope(log_odds, patients)
        return 2 * Z95 * standard_error_of_c(auroc, patients, prevalence)

    figures = {}
    for figure, wanted in WIDTHS.items():
        needed = _patients_for(partial(width, figure), wanted)
        rarer = min(prevalence, 1 - prevalence)
        figures[figure] = {
            "width": width(figure, n),
            "wanted": wanted,
            "events_needed": None if needed is None else ceil(needed * rarer),
        }
    return {
        "events": events,
        "fewest_events": FEWEST_EVENTS,
        "enough": events >= FEWEST_EVENTS,
        "figures": figures,
    }


def _patients_for(width: Callable[[float], float], wanted: float) -> float | None:
    """Patients for a width, by halving the logarithm; None where no number would do."""
    low, high = log(10.0), log(1e9)
    if not width(exp(high)) <= wanted:
        return None
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if width(exp(middle)) <= wanted else (middle, high)
    return exp(high)
