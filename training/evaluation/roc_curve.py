"""Sensitivity against the false positive rate, at few enough thresholds to tell of nobody.

Between two neighbouring points there are at least five events and five non-events, so no count under
five follows from the curve; and no more than some fifty points, which is what an eye can see.

References
----------
Hanley JA, McNeil BJ. The meaning and use of the area under a ROC curve. Radiology 1982;143:29-36.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.evaluation.disclosure import SMALLEST_COUNT

Floats = NDArray[np.float64]
MOST_STEPS = 50


def roc_curve(y: Floats, p: Floats) -> dict[str, list[float]]:
    """Points of the curve from nobody above the threshold to everybody.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1, both present.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1; only the order counts.

    Returns
    -------
    dict
        `false_positive_rate` and `sensitivity`, both ascending from 0 to 1.

    Examples
    --------
    Ten of ten events above one half, and five of fifteen non-events:

    >>> y = np.repeat([1.0, 0.0, 0.0], [10, 5, 10])
    >>> p = np.repeat([0.9, 0.9, 0.2], [10, 5, 10])
    >>> roc_curve(y, p)
    {'false_positive_rate': [0.0, 1.0], 'sensitivity': [0.0, 1.0]}

    The point between is not told, as no event lies below it. With five events there it is:

    >>> curve = roc_curve(np.append(y, np.ones(5)), np.append(p, np.full(5, 0.2)))
    >>> [round(x, 3) for x in curve["false_positive_rate"]]
    [0.0, 0.333, 1.0]
    >>> [round(x, 3) for x in curve["sensitivity"]]
    [0.0, 0.667, 1.0]
    """
    order = np.argsort(-p, kind="stable")
    events = np.concatenate([[0.0], np.cumsum(y[order])])
    others = np.concatenate([[0.0], np.cumsum(1 - y[order])])
    # A threshold lies between two different predictions, never within a tie.
    ends = np.flatnonzero(np.diff(p[order])) + 1
    step = [max(SMALLEST_COUNT, float(total[-1]) / MOST_STEPS) for total in (events, others)]
    taken = [0]
    for end in ends:
        if _far(events, others, taken[-1], int(end), step) and _far(
            events, others, int(end), -1, step
        ):
            taken.append(int(end))
    taken.append(len(p))
    return {
        "false_positive_rate": (others[taken] / others[-1]).tolist(),
        "sensitivity": (events[taken] / events[-1]).tolist(),
    }


def _far(events: Floats, others: Floats, begin: int, end: int, step: list[float]) -> bool:
    return bool(
        events[end] - events[begin] >= step[0] and others[end] - others[begin] >= step[1]
    )  # fmt: skip
