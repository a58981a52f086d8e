"""The same figures for women and men, old and young, ward by ward.

A group with fewer than five patients, events or non-events is withheld. A group of twenty still
gives wide intervals: read the interval, not the value, before calling a difference unfair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.observed_expected import observed_expected_ratio
from training.evaluation.accuracy import numeric_statistics
from training.evaluation.calibration import in_the_large
from training.evaluation.disclosure import cell_beside, is_small
from training.evaluation.discrimination import binary_statistics
from training.evaluation.resampling import Resampling

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Labels = Sequence[str | None]

WITHHELD = {"suppressed": True, "n": None}
NOTHING = {"value": None, "lower": None, "upper": None}


def binary_subgroups(
    y: Floats, p: Floats, groups: Mapping[str, Labels], resampling: Resampling
) -> dict[str, Any]:
    """Figures per value of every grouping; rows without a value are left out.

    Parameters
    ----------
    y, p : ndarray, shape (n_samples,)
        Outcome (0 or 1) and predicted probability.
    groups : mapping
        Grouping (`sex`, `age_band`) -> label per row.
    resampling : Resampling
        For the intervals of AUROC and Brier score.

    Returns
    -------
    dict
        Grouping -> value -> `n`, `events`, `auroc`, `brier`, `observed_expected`,
        `calibration_in_the_large`; or only `suppressed` and an empty `n`. Where one value of a
        grouping is withheld, the totals would give it away, so the smallest other one shows no
        counts either (`n`, `events`, `observed_expected` are None).
    """
    return {
        name: _binary_values(y, p, _rows_by_value(labels), resampling)
        for name, labels in groups.items()
    }


def numeric_subgroups(
    y: Floats, value: Floats, groups: Mapping[str, Labels], resampling: Resampling
) -> dict[str, Any]:
    """Per value of every grouping `n`, `mean_observed`, `mean_predicted` and `mae`.

    Parameters and withholding are those of `binary_subgroups`; a group is small when it has fewer
    than five patients.
    """
    out: dict[str, Any] = {}
    for name, labels in groups.items():
        rows_by_value = _rows_by_value(labels)
        small = [is_small(len(rows)) for rows in rows_by_value.values()]
        beside = cell_beside(small, [len(rows) for rows in rows_by_value.values()])
        out[name] = {}
        for i, (label, rows) in enumerate(rows_by_value.items()):
            if small[i]:
                out[name][label] = dict(WITHHELD)
                continue
            mae = {"mae": numeric_statistics(y[rows], value[rows])["mae"]}
            hidden = i == beside
            out[name][label] = {
                "suppressed": False,
                "n": None if hidden else len(rows),
                # Means of all patients and of all groups but one would give that one's away.
                "mean_observed": None if hidden else float(y[rows].mean()),
                "mean_predicted": None if hidden else float(value[rows].mean()),
                **resampling.estimate(mae, rows),
            }
    return out


def _binary_values(
    y: Floats, p: Floats, rows_by_value: Mapping[str, Rows], resampling: Resampling
) -> dict[str, Any]:
    n = [len(rows) for rows in rows_by_value.values()]
    events = [int(y[rows].sum()) for rows in rows_by_value.values()]
    small = [is_small(size, e, size - e) for size, e in zip(n, events, strict=True)]
    beside = cell_beside(small, n)
    out: dict[str, Any] = {}
    for i, (label, rows) in enumerate(rows_by_value.items()):
        if small[i]:
            out[label] = dict(WITHHELD)
            continue
        statistics = binary_statistics(y[rows], p[rows])
        wanted = {name: statistics[name] for name in ("auroc", "brier")}
        ratio = observed_expected_ratio(events[i], float(p[rows].sum()))
        hidden = i == beside
        out[label] = {
            "suppressed": False,
            "n": None if hidden else n[i],
            "events": None if hidden else events[i],
            **resampling.estimate(wanted, rows),
            "observed_expected": dict(NOTHING) if hidden else ratio,
            "calibration_in_the_large": in_the_large(y[rows], p[rows]),
        }
    return out


def _rows_by_value(labels: Labels) -> dict[str, Rows]:
    values = sorted({label for label in labels if label is not None})
    column = np.array([label if label is not None else "" for label in labels], dtype=object)
    present = np.array([label is not None for label in labels], dtype=bool)
    return {value: np.flatnonzero(present & (column == value)) for value in values}
