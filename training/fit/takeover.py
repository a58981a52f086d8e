"""What leaving an input out of an additive model costs once the others have taken over its work.

Method
------
To second order around a fit with weights w and curvature H, the least penalised loss among weights
whose part g is 0 is higher than the fit's by

    w_g' [(H^-1)_gg]^-1 w_g / 2,

all other weights free to move. It is Wald's statistic of the part, halved. Of two inputs that say the
same, each costs next to nothing while the other is there; after one was left out (`drop`), the other
costs what both were worth. The weights that move are

    w - (H^-1)_.g [(H^-1)_gg]^-1 w_g.

References
----------
Lawless JF, Singhal K. Efficient screening of nonnormal regression models. Biometrics 1978;34:318-327.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Takeover:
    """One fit, from which inputs can be left out one after another.

    Parameters
    ----------
    owner : ndarray of int, shape (n_columns,)
        The input that a column reads; -1 for the intercept.
    weights : ndarray, shape (n_columns,)
    inverse : ndarray, shape (n_columns, n_columns)
        Of the penalised curvature.
    dispersion : float
        1 for a likelihood; the residual variance for half a squared error.

    Examples
    --------
    Two inputs that hardly differ, and one by itself, all of weight 1:

    >>> curvature = np.array([[10.0, 9.9, 0.0], [9.9, 10.0, 0.0], [0.0, 0.0, 4.0]])
    >>> fit = Takeover(np.arange(3), np.ones(3), np.linalg.inv(curvature))
    >>> round(fit.cost(0), 4), fit.cost(2)
    (0.0995, 2.0)
    >>> fit.drop(0)
    >>> fit.cost(0), round(fit.cost(1), 4)
    (0.0, 19.8005)
    """

    def __init__(
        self,
        owner: NDArray[np.intp],
        weights: Floats,
        inverse: Floats,
        dispersion: float = 1.0,
    ) -> None:
        self._owner, self._weights, self._inverse = owner, weights, inverse
        self._dispersion = dispersion

    def cost(self, feature: int) -> float:
        """Rise of the loss, in nats over all rows; 0 for an input that has no weight."""
        at = np.flatnonzero(self._owner == feature)
        if not at.size:
            return 0.0
        own = self._weights[at]
        moved = np.linalg.solve(self._inverse[np.ix_(at, at)], own)
        return float(own @ moved) / (2 * self._dispersion)

    def drop(self, feature: int) -> None:
        """Leave one input out; the others take over what they can."""
        gone = self._owner == feature
        if not gone.any():
            return
        across = self._inverse[:, gone]
        share = np.linalg.solve(self._inverse[np.ix_(gone, gone)], across.T)
        weights = self._weights - self._weights[gone] @ share
        inverse = self._inverse - across @ share
        self._owner, self._weights = self._owner[~gone], weights[~gone]
        self._inverse = inverse[np.ix_(~gone, ~gone)]
