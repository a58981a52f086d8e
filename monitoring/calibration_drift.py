"""How good a model's probabilities still are: with outcomes, from bins alone, and without outcomes.

Without outcomes the figures are what the model's own probabilities promise: they are right as long as
it is calibrated, and follow a changed mix of patients. They cannot see that the same patients have
come to fare otherwise; the realised figure beside the promised one shows that.

References
----------
Brier GW. Verification of forecasts expressed in terms of probability. Mon Weather Rev 1950;78:1-3.
Hanley JA, McNeil BJ. The meaning and use of the area under a ROC curve. Radiology 1982;143:29-36.
NannyML, documentation of its confidence-based performance estimation (the idea of the figures
without outcomes; here in closed form, on the model's own probabilities).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import LinearCalibration, calibration_slope_and_intercept
from monitoring.reference import PREDICTION_EDGES

Floats = NDArray[np.float64]

NAN = float("nan")
UNKNOWN = LinearCalibration(NAN, NAN)
# Log-odds of 0 and 1 are infinite. The evaluation of a fit draws probabilities in to the same
# bounds, so that a slope of today can be held against the one it was published with.
LOWEST, HIGHEST = 0.001, 0.999


@dataclass(frozen=True, slots=True)
class Bins:
    """Outcomes summed by bins of the predicted probability, lowest bin first.

    Attributes
    ----------
    events, others : ndarray, shape (..., n_bins)
        Patients with and without the event.
    expected : ndarray, shape (..., n_bins)
        Sum of their predicted probabilities.
    """

    events: Floats
    others: Floats
    expected: Floats


def binned(y: Floats, p: Floats, edges: Sequence[float] = PREDICTION_EDGES) -> Bins:
    """Sum outcomes and predictions by bins; bin i holds edges[i-1] < p <= edges[i].

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.
    edges : sequence of float, shape (n_bins - 1,)
        Ascending; those of the reference profile when left out.

    Examples
    --------
    >>> bins = binned(np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.5, 0.75]), edges=(0.5,))
    >>> bins.events.tolist(), bins.others.tolist(), bins.expected.round(2).tolist()
    ([1.0, 1.0], [1.0, 0.0], [0.6, 0.75])
    """
    bins = np.searchsorted(np.asarray(edges), p, side="left")
    return Bins(*(_sums(bins, part, len(edges) + 1) for part in (y, 1 - y, p)))


def calibration_error(bins: Bins) -> Floats:
    """Expected calibration error: the sum over bins of |observed - expected|, over all patients.

    Above 0 for a perfect model too, the more so the fewer patients a bin has; compare only figures of
    the same bins and of about as many patients. What is too high and too low within one bin cancels.

    Returns
    -------
    ndarray, shape (...)
        0 to 1; NaN without patients.

    Examples
    --------
    (|1 - 0.6| + |1 - 0.75|) / 3:

    >>> y, p = np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.5, 0.75])
    >>> round(float(calibration_error(binned(y, p, edges=(0.5,)))), 4)
    0.2167
    """
    patients = (bins.events + bins.others).sum(axis=-1)
    return _ratio(np.abs(bins.events - bins.expected).sum(axis=-1), patients)


def auroc_of_bins(bins: Bins) -> Floats:
    """AUROC when only the bin of each prediction is known: within a bin all are ties.

    Returns
    -------
    ndarray, shape (...)
        0 to 1, closer to one half than of the single predictions as a rule; NaN when only one class
        is there.

    Examples
    --------
    Of 4 x 4 pairs, 3 x 3 are in order and 3 + 3 are ties in a bin: (9 + 6 / 2) / 16.

    >>> float(auroc_of_bins(Bins(np.array([1.0, 3.0]), np.array([3.0, 1.0]), np.array([1.0, 3.0]))))
    0.75
    """
    return _ratio(_pairs_in_order(bins.events, bins.others), _pairs(bins.events, bins.others))


def auroc(y: Floats, p: Floats) -> float:
    """Chance that a patient with the event was given a higher risk than one without; ties one half.

    Exact (Mann-Whitney), by one sort.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1; only the order counts.

    Returns
    -------
    float
        0 to 1; NaN when only one class is there.

    Examples
    --------
    Of the four pairs of an event and a non-event, three are in the right order:

    >>> auroc(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    events, others = _by_value(y, p)
    return float(_ratio(_pairs_in_order(events, others), _pairs(events, others)))


def brier(y: Floats, p: Floats) -> float:
    """Mean squared difference between the outcome (0 or 1) and its predicted probability.

    Returns
    -------
    float
        0 to 1; NaN without patients.

    Examples
    --------
    (0.5**2 + 0.1**2) / 2:

    >>> brier(np.array([1.0, 0.0]), np.array([0.5, 0.1]))
    0.13
    """
    return float(np.mean((p - y) ** 2)) if len(p) else NAN


def slope_and_intercept(y: Floats, p: Floats) -> LinearCalibration:
    """Calibration slope and intercept: logistic regression of the outcome on the predicted log-odds.

    Probabilities under 0.001 and over 0.999 count as these.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.

    Returns
    -------
    LinearCalibration
        Slope 1 and intercept 0 of perfect calibration; a slope under 1 of predictions that are too
        extreme. Both NaN where no finite line fits best: one class only, predictions that are all
        the same, or that separate the classes.

    Examples
    --------
    Predicted at odds 1:4 and 4:1; observed at 1:2 and 2:1, half of that in log-odds:

    >>> y = np.array([0, 0, 1, 0, 1, 1.0])
    >>> line = slope_and_intercept(y, np.array([0.2, 0.2, 0.2, 0.8, 0.8, 0.8]))
    >>> round(line.slope, 6), abs(round(line.intercept, 6))
    (0.5, 0.0)
    """
    inside = np.clip(p, LOWEST, HIGHEST)
    log_odds = np.log(inside) - np.log1p(-inside)
    without, with_event = log_odds[y == 0], log_odds[y == 1]
    if not (len(without) and len(with_event)) or np.ptp(log_odds) == 0:
        return UNKNOWN
    if without.max() <= with_event.min() or with_event.max() <= without.min():
        return UNKNOWN
    return calibration_slope_and_intercept(y, log_odds)


def expected_brier(p: Floats) -> float:
    """Brier score that is to be expected if the probabilities are true: the mean of p (1 - p).

    Parameters
    ----------
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.

    Returns
    -------
    float
        0 to 0.25; NaN without patients.

    Examples
    --------
    (0.1 * 0.9 + 0.5 * 0.5) / 2:

    >>> round(expected_brier(np.array([0.1, 0.5])), 6)
    0.17
    """
    return float(np.mean(p * (1 - p))) if len(p) else NAN


def expected_auroc(p: Floats) -> float:
    """AUROC that is to be expected if the probabilities are true.

    Each patient counts as an event with weight p and as a non-event with weight 1 - p. What is
    returned is the expected number of pairs in order (ties one half) over the expected number of
    pairs of an event and a non-event. Nobody is paired with himself: counting those pairs as ties,
    as weighting every row twice does, would pull the figure towards one half by up to
    1 / (2 n_samples).

    Parameters
    ----------
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.

    Returns
    -------
    float
        One half to 1; NaN when no such pair can be (one patient, or all certain to share one fate).

    Examples
    --------
    Only the second has the event: 0.8 * 0.8. Only the first: 0.2 * 0.2, out of order. 0.64 / 0.68:

    >>> round(expected_auroc(np.array([0.2, 0.8])), 4)
    0.9412
    """
    if len(p) < 2:
        return NAN
    events, others = _by_value(p, p)
    with_himself = (p * (1 - p)).sum()
    in_order = _pairs_in_order(events, others) - with_himself / 2
    return float(_ratio(in_order, _pairs(events, others) - with_himself))


def _by_value(y: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Events and others at each distinct prediction, ascending; y may be a fraction."""
    values, place = np.unique(p, return_inverse=True)
    return _sums(place, y, len(values)), _sums(place, 1 - y, len(values))


def _sums(bins: NDArray[np.intp], values: Floats, count: int) -> Floats:
    return np.bincount(bins, weights=values, minlength=count).astype(np.float64)


def _pairs(events: Floats, others: Floats) -> Floats:
    return np.asarray(events.sum(axis=-1) * others.sum(axis=-1))


def _pairs_in_order(events: Floats, others: Floats) -> Floats:
    lower = np.cumsum(others, axis=-1) - others
    return np.asarray((events * (lower + others / 2)).sum(axis=-1))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    out = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0)
    return out
