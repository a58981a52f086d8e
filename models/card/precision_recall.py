"""Precision against recall, worked out of the ROC curve that an evaluation holds.

With the share of events fixed, every point of one curve is a point of the other: precision is
`s q / (s q + f (1 - q))` for sensitivity `s`, false positive rate `f` and share of events `q`. So nothing
more is stored of the patients, and evaluations of earlier versions have the curve as well.

References
----------
Davis J, Goadrich M. The relationship between Precision-Recall and ROC curves. ICML 2006:233-240.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.card.said import number, numbers


def precision_recall(evaluation: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Recall and precision, threshold by threshold; empty where the evaluation holds no ROC curve.

    Parameters
    ----------
    evaluation : mapping
        As training stores it: the ROC curve's shares under `roc`, the share of events in `prevalence`.

    Returns
    -------
    list of (float, float)
        Parts of one, ascending in recall. A threshold that finds no event is left out: where nobody at all is above
        it, there is no precision.

    Examples
    --------
    Ten events among forty; eight of them found together with six of the thirty others: 8 of 14.

    >>> roc = {"false_positive_rate": [0.0, 0.2, 1.0], "sensitivity": [0.0, 0.8, 1.0]}
    >>> [(r, round(p, 3)) for r, p in precision_recall({"roc": roc, "prevalence": 0.25})]
    [(0.8, 0.571), (1.0, 0.25)]
    """
    wrong = numbers(evaluation, "roc", "false_positive_rate")
    right = numbers(evaluation, "roc", "sensitivity")
    share = number(evaluation, "prevalence")
    if share is None or len(wrong) != len(right):
        return []
    return [
        (recall, recall * share / (recall * share + false * (1.0 - share)))
        for false, recall in zip(wrong, right, strict=True)
        if recall > 0
    ]
