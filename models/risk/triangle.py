"""Symmetric matrices in JSON: the lower triangle, row by row, nine significant digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def lower_triangle(matrix: NDArray[np.floating[Any]]) -> list[float]:
    """The lower triangle of a symmetric matrix of shape (n, n), n (n + 1) / 2 numbers.

    Examples
    --------
    >>> lower_triangle(np.array([[1.0, 2.0], [2.0, 3.0]]))
    [1.0, 2.0, 3.0]
    """
    return [float(f"{value:.9g}") for value in matrix[np.tril_indices(len(matrix))]]


def symmetric(triangle: Sequence[float], n: int) -> Floats:
    """The symmetric matrix of shape (n, n) that a lower triangle stands for.

    Raises
    ------
    ValueError
        When the triangle has another size.

    Examples
    --------
    >>> symmetric([1.0, 2.0, 3.0], 2).tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    values = np.array(triangle, dtype=np.float64)
    if values.shape != (n * (n + 1) // 2,):
        raise ValueError("a symmetric matrix has another size than what it describes")
    matrix = np.zeros((n, n))
    matrix[np.tril_indices(n)] = values
    return matrix + np.tril(matrix, -1).T
