"""The columns of an additive model over many rows, held in blocks of bounded size.

Fitting asks three things of a design Z (a column of ones, then the basis): scores Z w, sums Z' r and
the weighted cross-product Z' diag(v) Z. All three are sums over rows, so they are worked out block by
block; where the whole of Z is small enough it is kept, otherwise each pass makes its blocks anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

from models.risk.additive import Basis

Floats = NDArray[np.float64]

BLOCK_ROWS = 8192
# 40 million numbers are 320 MB: 100,000 rows of 400 columns.
MOST_CELLS_KEPT = 40_000_000


class Design:
    """Rows in the columns of a basis, after a column of ones.

    Parameters
    ----------
    X : ndarray, shape (n_rows, n_features)
        Encoded inputs, NaN where missing.
    basis : Basis
    most_cells_kept : int
        Above this size nothing is kept between passes.
    """

    def __init__(self, X: Floats, basis: Basis, most_cells_kept: int = MOST_CELLS_KEPT) -> None:
        self.basis = basis
        self.n_rows = len(X)
        self.n_columns = 1 + len(basis.feature)
        self._X = X
        self._kept: list[tuple[slice, Floats]] | None = None
        if self.n_rows * self.n_columns <= most_cells_kept:
            self._kept = list(self._make())

    def scores(self, weights: Floats) -> Floats:
        """Z w, shape (n_rows,) or (n_rows, k) for weights (n_columns,) or (n_columns, k)."""
        out = np.empty((self.n_rows, *weights.shape[1:]))
        for rows, Z in self._blocks():
            out[rows] = Z @ weights
        return out

    def sums(self, residuals: Floats) -> Floats:
        """Z' r, shape (n_columns,) or (n_columns, k)."""
        out = np.zeros((self.n_columns, *residuals.shape[1:]))
        for rows, Z in self._blocks():
            out += Z.T @ residuals[rows]
        return out

    def cross_product(self, weights: Floats | None = None) -> Floats:
        """Z' diag(v) Z for weights v >= 0 of the rows (all one without any), (n_columns, n_columns)."""
        upper = np.zeros((self.n_columns, self.n_columns), order="F")
        for rows, Z in self._blocks():
            scaled = Z if weights is None else Z * np.sqrt(weights[rows])[:, None]
            # Half the work of a general product, as the result is symmetric.
            upper = dsyrk(1.0, scaled.T, beta=1.0, c=upper, overwrite_c=True)
        return np.asarray(upper + np.triu(upper, 1).T)

    def _blocks(self) -> Iterator[tuple[slice, Floats]]:
        return self._make() if self._kept is None else iter(self._kept)

    def _make(self) -> Iterator[tuple[slice, Floats]]:
        for start in range(0, self.n_rows, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, self.n_rows))
            Z = np.ones((rows.stop - start, self.n_columns))
            Z[:, 1:] = self.basis.columns(self._X[rows])
            yield rows, Z
