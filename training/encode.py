"""A whole column in the dictionary's terms, by the very functions that take a single value.

Each distinct value is taken once, as the service would take it, and the result is looked up for
every row: no second encoder that could differ, and no loop over rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.errors import MeasurementRefused
from models.vocabulary import BranchPoint, Feature, Measurement, set_aside_reason, take
from training.errors import SourceInvalid

Floats = NDArray[np.float64]
SECONDS_AN_HOUR = 3600


def encode_column(
    feature: Feature, array: Any, age_hours: Floats | None, point: BranchPoint
) -> tuple[Floats, dict[str, int]]:
    """Encode one column of a record batch.

    Parameters
    ----------
    feature : Feature
        The dictionary row; the column is in its unit.
    array : pyarrow.Array, shape (n_rows,)
        Numbers, strings or booleans; null (or NaN) where missing.
    age_hours : ndarray, shape (n_rows,) or None
        How long before the index time each value was measured, NaN where nobody said.
    point : BranchPoint
        Whose limits on age hold.

    Returns
    -------
    values : ndarray, shape (n_rows,)
        NaN where missing or set aside.
    set_aside : dict
        Reason -> number of values.

    Raises
    ------
    SourceInvalid
        When a value is of another type than the feature or no category of it; the value itself is
        not repeated.
    """
    values = np.full(len(array), np.nan)
    if pa.types.is_null(array.type) or not len(array):
        return values, {}
    encoded = array.dictionary_encode()
    position = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    taken, reasons = _take_distinct(feature, encoded.dictionary.to_pylist())
    # One more place at the end, for what is missing: position -1.
    reason = np.array([*reasons, ""], dtype=object)[position]
    values = np.array([*taken, np.nan])[position]
    if age_hours is not None:
        age_s = np.trunc(age_hours * SECONDS_AN_HOUR)
        limit = point.maximum_age_hours.get(feature.name, feature.maximum_age_hours)
        kept = (position >= 0) & (reason == "")
        reason[kept & (age_s < 0)] = "later_than_index_time"
        if limit is not None:
            reason[kept & (age_s > limit * SECONDS_AN_HOUR)] = "too_old"
    values[reason != ""] = np.nan
    names, counts = np.unique(reason[reason != ""].astype(str), return_counts=True)
    return values, dict(zip(names.tolist(), counts.tolist(), strict=True))


def derive(
    columns: Mapping[str, Floats], point: BranchPoint, features: Mapping[str, Feature]
) -> dict[str, Floats]:
    """Fill inputs that follow from others, as `models.vocabulary.settle` does for one patient.

    Parameters
    ----------
    columns : mapping of ndarray, shape (n_rows,)
        Encoded inputs by name.

    Returns
    -------
    dict
        Only the inputs that may have changed; new ones among them.
    """
    out: dict[str, Floats] = {}
    for name in point.features:
        rule = features[name].derived_from
        source = None if rule is None else out.get(rule.feature, columns.get(rule.feature))
        if rule is None or source is None:
            continue
        distinct, position = np.unique(source, return_inverse=True)
        found = [rule.category(value) for value in distinct.tolist()]
        categories = features[name].categories
        codes = np.array([np.nan if c is None else float(categories.index(c)) for c in found])
        own = columns.get(name)
        derived = codes[position]
        out[name] = derived if own is None else np.where(np.isnan(own), derived, own)
    return out


def _take_distinct(feature: Feature, sent: list[Any]) -> tuple[list[float], list[str]]:
    taken, reasons = [], []
    for one in sent:
        if isinstance(one, float) and one != one:  # NaN: missing, as null is
            taken.append(np.nan)
            reasons.append("")
            continue
        try:
            value = take(feature, one)
        except MeasurementRefused as error:
            raise SourceInvalid(str(error)) from None
        taken.append(value)
        known = value == value  # a code carries no number
        reason = set_aside_reason(Measurement(feature, value), None) if known else None
        reasons.append(reason or "")
    return taken, reasons
