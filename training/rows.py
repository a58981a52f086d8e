"""A cohort's shapes: one patient as the service would be asked, and all of them as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from training.sources.source import Source

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CohortRow:
    """One patient.

    Attributes
    ----------
    row : str
        The source's own identifier of the row.
    measurements : mapping
        As a client would send them: bare values, or objects with value and unit, or with value
        and time.
    labels : mapping
        Outcome -> 0, 1, a number, or None when unknown.
    comparators : mapping
        Name -> outcome -> probability.
    held_out : bool
        Never used for fitting, tuning, calibration or intervals.
    index_time : str or None
        RFC 3339; None where no measurement has a time.
    patient : int or None
        Whose row it is; None when every row is its own patient.
    """

    row: str
    measurements: Mapping[str, Any]
    labels: Mapping[str, float | None]
    comparators: Mapping[str, Mapping[str, float]]
    held_out: bool
    index_time: str | None = None
    patient: int | None = None

    @property
    def request(self) -> dict[str, Any]:
        """The assessment request that the service would be sent."""
        when = {} if self.index_time is None else {"index_time": self.index_time}
        return {**when, "measurements": self.measurements}


@dataclass(frozen=True, slots=True)
class Cohort:
    """All rows of a source as arrays.

    Attributes
    ----------
    features : tuple of str
        Inputs, in the source's order.
    X : ndarray, shape (n_rows, n_features)
        Encoded values, NaN where missing or set aside.
    labels : mapping of ndarray, shape (n_rows,)
        NaN where unknown.
    comparators : mapping of mapping of ndarray
        Name -> outcome -> probabilities, NaN where absent.
    held_out : ndarray of bool, shape (n_rows,)
    patients : ndarray of int, shape (n_rows,) or None
        Rows of one number are one patient's, of one episode or several; None when every row is its
        own patient.
    hospitals : ndarray of str, shape (n_rows,) or None
        Where each row comes from, for reports only: never an input.
    months : ndarray of int, shape (n_rows,) or None
        When each row is from (yyyymm), for temporal validation only: never an input.
    set_aside : mapping
        (feature, reason) -> number of values that were not used.
    """

    source: Source
    features: tuple[str, ...]
    X: Floats
    labels: Mapping[str, Floats]
    comparators: Mapping[str, Mapping[str, Floats]]
    held_out: NDArray[np.bool_]
    set_aside: Mapping[tuple[str, str], int]
    patients: NDArray[np.int64] | None = None
    hospitals: NDArray[np.str_] | None = None
    months: NDArray[np.int64] | None = None


class Readable(Protocol):
    """A file that can be opened as text: a path, or one that was verified and is held as read."""

    @property
    def name(self) -> str: ...

    def open(self, *, newline: str | None, encoding: str) -> TextIO: ...
