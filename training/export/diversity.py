"""l-diversity: whether a class of look-alikes still leaves open what happened to each of them.

l is the smallest number of distinct known outcome values within a class (distinct l-diversity). With
l = 2 nobody in a class is known to have, or not to have, the outcome. That is too much to ask of an
outcome that few patients have, because nearly every class is free of it and this tells nobody
anything new; such outcomes are held by `event_follows`: no class in which everybody had the event.

When it misleads. Two values in a class of fifty may be 49 and 1: an outsider is then nearly sure.
Distinct l-diversity does not see how uneven a class is.

References
----------
Machanavajjhala A et al. l-diversity: privacy beyond k-anonymity. ACM Trans Knowl Discov Data
2007;1:3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.export.anonymity import Classes

Floats = NDArray[np.float64]


def distinct_values(classes: Classes, labels: Floats) -> NDArray[np.intp]:
    """Count the distinct known labels in the class of every row.

    Parameters
    ----------
    classes : ndarray of int, shape (n_rows,)
    labels : ndarray, shape (n_rows,)
        NaN where unknown.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        0 where no row of the class has a known label.

    Examples
    --------
    >>> distinct_values(np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 1.0, np.nan])).tolist()
    [2, 2, 1, 1]
    """
    if len(classes) == 0:
        return np.zeros(0, dtype=np.intp)
    known = ~np.isnan(labels)
    values, codes = np.unique(labels[known], return_inverse=True)
    pairs = np.unique(classes[known] * max(len(values), 1) + codes)
    counts = np.bincount(pairs // max(len(values), 1), minlength=int(classes.max()) + 1)
    return counts[classes].astype(np.intp)


def smallest_diversity(classes: Classes, labels: Floats) -> int:
    """The l that a table reaches; 0 for a table without rows.

    Examples
    --------
    >>> smallest_diversity(np.array([0, 0, 1, 1]), np.array([0.0, 1.0, 1.0, 1.0]))
    1
    """
    counts = distinct_values(classes, labels)
    return int(counts.min()) if len(counts) else 0


def event_follows(classes: Classes, labels: Floats) -> NDArray[np.bool_]:
    """Whether everybody in the row's class is known to have had the event.

    Parameters
    ----------
    classes : ndarray of int, shape (n_rows,)
    labels : ndarray, shape (n_rows,)
        0 or 1; NaN where unknown.

    Examples
    --------
    >>> labels = np.array([1.0, 0.0, 1.0, 1.0, 1.0, np.nan])
    >>> event_follows(np.array([0, 0, 1, 1, 2, 2]), labels).tolist()
    [False, False, True, True, False, False]
    """
    if len(classes) == 0:
        return np.zeros(0, dtype=np.bool_)
    events = np.bincount(classes, weights=np.nan_to_num(labels, nan=0.0))
    follows: NDArray[np.bool_] = (events == np.bincount(classes))[classes]
    return follows
