"""Log-odds of probabilities that may be exactly 0 or 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOWEST, HIGHEST = 0.001, 0.999


def clipped_log_odds(p: Floats) -> Floats:
    """Log-odds after drawing the probabilities into 0.001 to 0.999.

    A person's estimate may be exactly 0 or 1, whose log-odds are infinite. Only the figures that
    work on log-odds (slope, intercept, flexible curve) see the clipped number.

    Examples
    --------
    >>> clipped_log_odds(np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [-6.907, 0.0, 6.907]
    """
    clipped = np.clip(p, LOWEST, HIGHEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
