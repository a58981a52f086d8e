"""k-anonymity: how many patients share what an outsider could know of any one of them.

Rows that agree in every quasi-identifier form an equivalence class; k is the size of the smallest.
An outsider who knows the quasi-identifiers of a patient finds k rows and cannot tell which is theirs.

When it misleads. A class whose members share the outcome gives the outcome away without telling them
apart (homogeneity): `diversity` guards against that. Who knows more than the declared
quasi-identifiers, such as a laboratory value, can still find the row (background knowledge): k says
nothing about that, and no choice of k makes it do so. Rows treated like this remain personal data
(GDPR, recital 26).

References
----------
Sweeney L. k-anonymity: a model for protecting privacy. Int J Uncertain Fuzziness Knowl-Based Syst
2002;10:557-570.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Classes = NDArray[np.intp]


def equivalence_classes(columns: Sequence[Floats], n_rows: int) -> Classes:
    """Number the class of every row; a missing value agrees with a missing value.

    Parameters
    ----------
    columns : sequence of ndarray, shape (n_rows,)
        The quasi-identifiers as written; NaN where missing.
    n_rows : int
        Needed because without any column all rows form one class.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        From 0 without gaps.

    Examples
    --------
    >>> equivalence_classes([np.array([62.5, 62.5, 67.5]), np.array([0.0, 0.0, 0.0])], 3).tolist()
    [0, 0, 1]
    """
    classes = np.zeros(n_rows, dtype=np.intp)
    for column in columns:
        classes = refine(classes, column)
    return classes


def refine(classes: Classes, column: Floats) -> Classes:
    """Divide classes further by one more column.

    Examples
    --------
    >>> refine(np.array([0, 0, 1]), np.array([1.0, np.nan, 1.0])).tolist()
    [0, 1, 2]
    """
    codes = np.unique(column, return_inverse=True)[1]
    return divide(classes, codes)


def divide(classes: Classes, codes: Classes) -> Classes:
    """Divide classes by a column that is numbered from 0 without gaps, as classes are.

    Examples
    --------
    >>> divide(np.array([0, 0, 1]), np.array([0, 1, 0])).tolist()
    [0, 1, 2]
    """
    if len(classes) == 0:
        return classes
    both = classes * (int(codes.max()) + 1) + codes
    # Renumbering by counting is several times faster than by sorting; the search does it often.
    taken = np.bincount(both) > 0
    divided: Classes = (np.cumsum(taken) - 1)[both]
    return divided


def class_sizes(classes: Classes) -> NDArray[np.intp]:
    """Size of the class of every row, shape (n_rows,).

    Examples
    --------
    >>> class_sizes(np.array([0, 0, 1])).tolist()
    [2, 2, 1]
    """
    of_each: NDArray[np.intp] = np.bincount(classes, minlength=1)[classes]
    return of_each


def smallest_class(classes: Classes) -> int:
    """The k that a table reaches; 0 for a table without rows.

    Examples
    --------
    >>> smallest_class(np.array([0, 0, 3, 3, 3]))
    2
    """
    sizes = class_sizes(classes)
    return int(sizes.min()) if len(sizes) else 0
