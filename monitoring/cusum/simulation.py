"""Where a chart's limit has to be, and how long it then runs: simulated on a unit's own risks.

A published limit holds for the mix of risks that it was found on; so patients are drawn, with
replacement, from the risks at hand. They are drawn one independent of the other: where risks come
in seasons a chart alarms somewhat more often than designed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitoring.cusum.charts import weights

Floats = NDArray[np.float64]

CHARTS = 4_000
# How sure it is that simulated charts do not put the limit too low. Product proposal.
CONFIDENCE = 0.99
# Where few risks differ, charts meet in the same values but for rounding, and the limit is one of
# them: it is lifted above what rounding can add, and far less than any patient adds.
ABOVE_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class RunLength:
    """How many patients pass until a chart signals.

    Attributes
    ----------
    mean : float
        In patients. Charts without a signal count with the patients they saw: if there are any, the
        true mean is larger.
    median : float
        In patients; infinite when half of the charts saw no signal.
    unfinished : float
        Share of charts without a signal.
    """

    mean: float
    median: float
    unfinished: float


@dataclass(frozen=True, slots=True)
class _Mix:
    """Patients to draw from: what each adds without the event, and how likely he really has it."""

    without: Floats
    event: float
    risk: Floats

    def draw(self, rng: np.random.Generator, charts: int) -> Floats:
        """What the next patient adds to each chart."""
        who = rng.integers(len(self.risk), size=charts)
        has_event = rng.random(charts) < self.risk[who]
        return np.asarray(self.without[who] + self.event * has_event)


def limit(
    p: ArrayLike,
    odds_ratio: float,
    patients: int,
    false_alarm_probability: float,
    seed: int,
    *,
    charts: int = CHARTS,
) -> float:
    """The limit that keeps false alarms as seldom as designed, found by simulation.

    Of charts on which every risk is true, the highest values within `patients` patients are sorted.
    The limit is not their (1 - probability) quantile, which would be too low half of the time, but
    the value in that order which is at or above the true quantile with 99 % confidence (the binomial
    law of ranks). With 4,000 charts and 5 % some 4.2 % are left above it.

    Parameters
    ----------
    p : array_like, shape (n_risks,)
        Predicted probabilities 0-1 of the unit's patients, or of patients like them.
    odds_ratio : float
        R, above 0: the change that the chart looks for.
    patients : int
        Horizon of the design.
    false_alarm_probability : float
        Of at least one signal within it; between 0 and 1.
    seed : int
        The same seed gives the same limit.
    charts : int
        How many are simulated.

    Returns
    -------
    float
        h, for `chart` and `Chart`.

    Raises
    ------
    ValueError
        When there are no risks or they are no probabilities, when the design is none, or when so
        small a probability cannot be told from so few charts.

    Examples
    --------
    At a risk of 1/2 the first patient adds ln(2 / 1.5) = 0.2877 with the event, in half of all charts:

    >>> round(limit([0.5], 2.0, patients=1, false_alarm_probability=0.2, seed=1), 4)
    0.2877
    >>> round(limit([0.5], 2.0, patients=1, false_alarm_probability=0.6, seed=1), 4)
    0.0
    """
    mix = _mix(p, odds_ratio, 1.0)
    if patients < 1 or not 0 < false_alarm_probability < 1:
        raise ValueError("a limit needs 1 patient or more and a probability between 0 and 1")
    rank = _rank(charts, 1 - false_alarm_probability)
    rng = np.random.default_rng(seed)
    value, highest = np.zeros(charts), np.zeros(charts)
    for _ in range(patients):
        value += mix.draw(rng, charts)
        np.maximum(value, 0.0, out=value)
        np.maximum(highest, value, out=highest)
    return float(np.partition(highest, rank)[rank]) + ABOVE_ROUNDING


def run_length(
    p: ArrayLike,
    odds_ratio: float,
    limit: float,
    true_odds_ratio: float,
    seed: int,
    *,
    charts: int = 1_000,
    most_patients: int = 100_000,
) -> RunLength:
    """How long charts run to their first signal when the odds of the event are other than predicted.

    Parameters
    ----------
    p : array_like, shape (n_risks,)
        Predicted probabilities 0-1 of the unit's patients.
    odds_ratio : float
        R, above 0: the change that the chart looks for.
    limit : float
        h.
    true_odds_ratio : float
        By which every patient's odds are really multiplied, above 0; 1 for risks that are true.
    seed : int
        The same seed gives the same answer.
    charts, most_patients : int
        How many charts are simulated, and how long at most.

    Raises
    ------
    ValueError
        When there are no risks or they are no probabilities, or an odds ratio is not above 0.

    Examples
    --------
    With certain events and R = 2 nothing is ever learnt: each adds ln(2 / 2).

    >>> run_length([1.0], 2.0, limit=0.5, true_odds_ratio=1.0, seed=1, most_patients=10)
    RunLength(mean=10.0, median=inf, unfinished=1.0)
    """
    mix = _mix(p, odds_ratio, true_odds_ratio)
    rng = np.random.default_rng(seed)
    lengths = np.full(charts, most_patients, dtype=np.float64)
    running, value = np.arange(charts), np.zeros(charts)
    for patient in range(1, most_patients + 1):
        value = np.maximum(value + mix.draw(rng, len(running)), 0.0)
        signals = value > limit
        if signals.any():
            lengths[running[signals]] = patient
            running, value = running[~signals], value[~signals]
            if not len(running):
                break
    lasting = lengths.copy()
    lasting[running] = inf
    return RunLength(float(lengths.mean()), float(np.median(lasting)), len(running) / charts)


def _mix(p: ArrayLike, odds_ratio: float, true_odds_ratio: float) -> _Mix:
    risk = np.asarray(p, dtype=np.float64)
    if risk.ndim != 1 or not len(risk) or not ((risk >= 0) & (risk <= 1)).all():
        raise ValueError("charts are simulated from one list of probabilities; found another thing")
    if not true_odds_ratio > 0:
        raise ValueError("the true odds ratio must be above 0")
    odds = true_odds_ratio * risk
    return _Mix(weights(risk, 0.0, odds_ratio), log(odds_ratio), odds / (1 - risk + odds))


def _rank(charts: int, share: float) -> int:
    """Position, from 0, of the sorted value that is at or above the quantile, with confidence."""
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, charts + 1)))])
    below = np.arange(charts + 1)
    logarithm = (
        factorial[-1] - factorial - factorial[::-1]
        + below * np.log(share) + below[::-1] * np.log1p(-share)
    )  # fmt: skip
    rank = int(np.searchsorted(np.cumsum(np.exp(logarithm)), CONFIDENCE))
    if rank >= charts:
        raise ValueError("so small a probability needs more charts")
    return rank
