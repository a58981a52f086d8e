"""Samples as Prometheus takes them over HTTP: remote write 1.0, a protobuf message in a Snappy block.

    WriteRequest { repeated TimeSeries timeseries = 1 }
    TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2 }
    Label        { string name = 1; string value = 2 }
    Sample       { double value = 1; int64 timestamp = 2 }   milliseconds since 1970

References
----------
Prometheus Remote-Write 1.0 specification; Snappy compressed format description.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_SAMPLE_BYTES = 18
_OLDEST_MS, _NEWEST_MS = 1 << 35, (1 << 42) - 1
"""Times whose varint has six bytes: from February 1971 to the year 2109."""


def varint(number: int) -> bytes:
    """A whole number, 0 or more, in groups of seven bits, the lowest first.

    Examples
    --------
    >>> varint(300).hex()  # the example of Protocol Buffers' own documentation
    'ac02'
    """
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def time_series(
    labels: Iterable[tuple[str, str]], at_s: NDArray[np.int64], values: NDArray[np.float64]
) -> bytes:
    """One series as a field of a WriteRequest.

    Parameters
    ----------
    labels : iterable of (str, str)
        Sorted by name, `__name__` among them.
    at_s : ndarray, shape (n_samples,)
        Seconds since 1970, rising.
    values : ndarray, shape (n_samples,)

    Raises
    ------
    ValueError
        When a time is before 1971-02-02 or after 2109.
    """
    told = b"".join(
        _field(0x0A, _field(0x0A, name.encode()) + _field(0x12, value.encode()))
        for name, value in labels
    )
    return _field(0x0A, told + _samples(np.asarray(at_s) * 1000, values))


def snappy(content: bytes) -> bytes:
    """A Snappy block that holds the content as it is: one literal.

    Examples
    --------
    >>> snappy(b"abc").hex()
    '03fc02000000616263'
    """
    if not content:
        return b"\x00"
    return varint(len(content)) + b"\xfc" + (len(content) - 1).to_bytes(4, "little") + content


def bodies(series: Iterable[bytes], most_bytes: int = 4_000_000) -> Iterable[bytes]:
    """Requests' bodies, each of about `most_bytes` at most."""
    waiting: list[bytes] = []
    length = 0
    for one in series:
        if waiting and length + len(one) > most_bytes:
            yield snappy(b"".join(waiting))
            waiting, length = [], 0
        waiting.append(one)
        length += len(one)
    if waiting:
        yield snappy(b"".join(waiting))


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag,)) + varint(len(content)) + content


def _samples(at_ms: NDArray[np.int64], values: Sequence[float] | NDArray[np.float64]) -> bytes:
    if len(at_ms) and not _OLDEST_MS <= at_ms.min() <= at_ms.max() <= _NEWEST_MS:
        raise ValueError("samples are from before February 1971 or after 2109")
    rows = np.empty((len(at_ms), _SAMPLE_BYTES), dtype=np.uint8)
    rows[:, 0], rows[:, 1] = 0x12, _SAMPLE_BYTES - 2
    rows[:, 2], rows[:, 11] = 0x09, 0x10
    rows[:, 3:11] = np.ascontiguousarray(values, dtype="<f8").view(np.uint8).reshape(-1, 8)
    for place in range(6):
        rows[:, 12 + place] = (at_ms >> (7 * place)) & 0x7F | (0x80 if place < 5 else 0)
    return rows.tobytes()
