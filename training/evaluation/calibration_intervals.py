"""How sure the calibration figures are: the patient-clustered bootstrap of slope, level and curve.

The evaluation of a fit shows these as plain numbers, because a thousand curves an outcome are too
many when sixty models are trained. An external validation rests on them, so there they get intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Estimate, Statistic
from training.evaluation.calibration import binary_line, numeric_calibration
from training.evaluation.calibration_curve import calibration_errors, fit_calibration_curve
from training.evaluation.resampling import Resampling

Floats = NDArray[np.float64]

N_RESAMPLES = 200
BINARY = ("observed_expected", "in_the_large", "slope", "ici", "e50", "e90")
NUMERIC = ("observed_expected", "slope", "intercept_at_slope")


def calibration_intervals(
    y: Floats, predicted: Floats, kind: str, resampling: Resampling
) -> dict[str, Estimate]:
    """Value and 95% interval of every calibration figure, all on the same resamples.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1, or a number.
    predicted : ndarray, shape (n_samples,)
        Probability 0-1, or a number in the same unit.
    kind : str
        "binary" or "numeric".

    Returns
    -------
    dict
        Binary: `observed_expected`, `in_the_large`, `slope`, `ici`, `e50`, `e90`; numeric:
        `observed_expected`, `slope`, `intercept_at_slope`. NaN where a figure is not defined.

    Examples
    --------
    Twice as many events as predicted, whoever is drawn twice:

    >>> y, p = np.tile([0.0, 1.0], 50), np.tile([0.25, 0.25], 50)
    >>> few = Resampling(np.random.default_rng(1), 20, np.repeat(np.arange(50), 2))
    >>> calibration_intervals(y, p, "binary", few)["observed_expected"]
    {'value': 2.0, 'lower': 2.0, 'upper': 2.0}
    """
    names = BINARY if kind == "binary" else NUMERIC
    once = _Once(partial(_figures, y, predicted, kind))
    statistics: dict[str, Statistic] = {
        name: partial(once.column, i) for i, name in enumerate(names)
    }
    return resampling.estimate(statistics, np.arange(len(y)))


def _figures(y: Floats, predicted: Floats, kind: str, rows: NDArray[np.intp]) -> list[float]:
    own, p = y[rows], predicted[rows]
    if np.ptp(own) == 0 and kind == "binary":
        return [np.nan] * len(BINARY)
    if kind == "numeric":
        found = numeric_calibration(own, p)
        return [found[name] for name in NUMERIC]
    errors = calibration_errors(p, fit_calibration_curve(own, p))
    together = {**binary_line(own, p), **errors}
    return [together[name] for name in BINARY]


class _Once:
    """Figures that are worked out together, for statistics that are asked for one after another."""

    def __init__(self, figures: Callable[[NDArray[np.intp]], list[float]]) -> None:
        self._figures = figures
        self._counts: Floats | None = None
        self._found: Floats = np.zeros((0, 0))

    def column(self, i: int, counts: Floats) -> Floats:
        if counts is not self._counts:
            held = np.arange(counts.shape[1])
            self._found = np.array(
                [self._figures(np.repeat(held, own.astype(np.intp))) for own in counts]
            )
            self._counts = counts
        return np.asarray(self._found[:, i])
