"""Tenths of the patients by prediction: what was predicted and what was seen in each."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.disclosure import cell_beside, is_small

Floats = NDArray[np.float64]

GROUPS = 10
FEWEST_IN_A_GROUP = 10
Z95 = NormalDist().inv_cdf(0.975)


def wilson_interval(events: int, n: int) -> tuple[float, float]:
    """95% interval of a share that stays within 0 and 1.

    Examples
    --------
    5 of 10: centre 0.5, half width 0.2634 (Wilson 1927; the same from R's `prop.test`).

    >>> [round(bound, 4) for bound in wilson_interval(5, 10)]
    [0.2366, 0.7634]

    References
    ----------
    Wilson EB. Probable inference, the law of succession, and statistical inference. JASA
    1927;22:209-212.
    """
    share, square = events / n, Z95**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = Z95 * np.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def binary_deciles(y: Floats, p: Floats) -> list[dict[str, Any]]:
    """Mean predicted risk and observed share per tenth of the patients, lowest risk first.

    Returns
    -------
    list of dict
        `mean_predicted`, `n`, `events`, `observed`, `lower`, `upper` (Wilson). In a group with
        fewer than five events or non-events all but `mean_predicted` is None: the observed share
        would give the count away. Where only one group is withheld, a second one is.

    Examples
    --------
    Twenty patients in two tens: in the first only one event, which the second would betray.

    >>> y = np.array([1.0] + [0] * 9 + [1] * 5 + [0] * 5)
    >>> [group["n"] for group in binary_deciles(y, np.arange(20) / 20)]
    [None, None]
    """
    groups = _groups(p)
    n = [len(rows) for rows in groups]
    events = [int(y[rows].sum()) for rows in groups]
    small = [is_small(e, size - e) for e, size in zip(events, n, strict=True)]
    beside = cell_beside(small, [min(e, size - e) for e, size in zip(events, n, strict=True)])
    out: list[dict[str, Any]] = []
    for i, rows in enumerate(groups):
        mean_predicted = float(p[rows].mean())
        if small[i] or i == beside:
            out.append(_withheld(mean_predicted))
            continue
        lower, upper = wilson_interval(events[i], n[i])
        out.append(
            {
                "mean_predicted": mean_predicted,
                "n": n[i],
                "events": events[i],
                "observed": events[i] / n[i],
                "lower": lower,
                "upper": upper,
            }
        )
    return out


def numeric_deciles(y: Floats, value: Floats) -> list[dict[str, Any]]:
    """Mean predicted and observed value per tenth of the patients, in the outcome's unit.

    Returns
    -------
    list of dict
        `mean_predicted`, `n`, `mean_observed`, `lower`, `upper` (95%, normal approximation of the
        mean).

    Examples
    --------
    >>> y = np.tile([1.0, 3.0], 5)
    >>> group, = numeric_deciles(y, np.full(10, 2.5))
    >>> group["mean_predicted"], group["mean_observed"], group["n"]
    (2.5, 2.0, 10)
    """
    out: list[dict[str, Any]] = []
    for rows in _groups(value):
        own = y[rows]
        error = Z95 * float(own.std(ddof=1)) / np.sqrt(len(own)) if len(own) > 1 else np.nan
        out.append(
            {
                "mean_predicted": float(value[rows].mean()),
                "n": len(rows),
                "mean_observed": float(own.mean()),
                "lower": float(own.mean() - error),
                "upper": float(own.mean() + error),
            }
        )
    return out


def _groups(predicted: Floats) -> list[NDArray[np.intp]]:
    """Rows of each group by ascending prediction: ten, or fewer so that each has ten patients."""
    count = min(GROUPS, max(1, len(predicted) // FEWEST_IN_A_GROUP))
    return np.array_split(np.argsort(predicted, kind="stable"), count)


def _withheld(mean_predicted: float) -> dict[str, Any]:
    nothing = dict.fromkeys(("n", "events", "observed", "lower", "upper"))
    return {"mean_predicted": mean_predicted, **nothing}
