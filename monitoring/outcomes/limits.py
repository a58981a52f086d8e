"""Limits of charts: worked out from a mix of patients' risks, and remembered between runs.

A limit is simulated, which takes about a tenth of a second; a ledger of years needs thousands. The
simulation is a function of its arguments alone, so what it gave can be kept in a file: without the
file the same limits are worked out again.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import numpy as np

from monitoring.cusum import Design, limit, simulation

NEWEST_RISKS = 2_000
"""Patients whose risks a limit is worked out from; product proposal."""


class Simulated:
    """Limits that were simulated before.

    Parameters
    ----------
    path : Path, optional
        Where they are kept: digests and limits, nothing of a patient. What cannot be read is
        simulated again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        # Another simulation would give other limits.
        self._method = sha256(Path(simulation.__file__).read_bytes()).digest()
        self._before = _read(path)
        self._used: dict[str, float] = {}

    def limit(self, risks: array[float], odds_ratio: float, design: Design, seed: int) -> float:
        """The limit for this mix of risks; see `monitoring.cusum.limit`."""
        asked = (odds_ratio, design.patients, design.false_alarm_probability, seed)
        key = sha256(self._method + repr(asked).encode() + risks.tobytes()).hexdigest()
        if key not in self._used:
            found = self._before.get(key)
            self._used[key] = limit(np.array(risks), *asked) if found is None else found
        return self._used[key]

    def to_keep(self) -> bytes | None:
        """The file's new content, when something was simulated since it was read or kept."""
        if self._path is None or self._used.keys() <= self._before.keys():
            return None
        self._before = dict(self._used)
        return json.dumps(self._used).encode()


class Limits:
    """Limits of both directions for one mix of patients, worked out again when it has doubled.

    Parameters
    ----------
    name : tuple of str
        Of the mix; makes the random numbers, so that a second reading gets the same.
    fewest : int
        Patients before there is a limit.
    """

    def __init__(
        self, name: tuple[str, ...], fewest: int, design: Design, simulated: Simulated
    ) -> None:
        self._name, self._next, self._design = name, fewest, design
        self._simulated = simulated
        self._patients = 0
        self._newest = array("d")
        self._limits: Mapping[str, float] | None = None

    def add(self, p: float) -> Mapping[str, float] | None:
        """Take a patient; returns the limits by direction, None while there are too few patients."""
        self._patients += 1
        self._newest.append(p)
        if len(self._newest) >= 2 * NEWEST_RISKS:
            del self._newest[:-NEWEST_RISKS]
        if self._patients >= self._next:
            self._next = 2 * self._patients
            mix = self._newest[-NEWEST_RISKS:]
            self._limits = {
                direction: self._simulated.limit(
                    mix, odds_ratio, self._design, self._seed(direction)
                )
                for direction, odds_ratio in self._design.odds_ratios.items()
            }
        return self._limits

    def _seed(self, direction: str) -> int:
        return crc32("\n".join((*self._name, direction, str(self._patients))).encode())


def _read(path: Path | None) -> dict[str, float]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_bytes())
        return {str(key): float(value) for key, value in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
