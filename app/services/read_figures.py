"""The figures of drift and outcomes, read for a caller: the API and the console's pages call this."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import orjson

from app.errors import Problem
from app.serving.figures import DriftReading
from app.serving.figures.outcome_following import PERFORMANCE
from app.serving.slot import ServedModel

HOUR_S = 3600.0
WINDOWS_S = {"1h": HOUR_S, "1d": 24 * HOUR_S, "7d": 168 * HOUR_S, "30d": 720 * HOUR_S}
"""Of drift, by name."""
OUTCOME_WINDOWS = (*WINDOWS_S, "365d")
NOT_YET = "The ledger has not been read for outcomes yet."


async def read_drift(
    window: str, served: Mapping[str, ServedModel], reading: DriftReading
) -> bytes:
    """Drift of the served models as JSON, over all callers of the service; at most a minute old.

    Raises
    ------
    LedgerUnavailable
        When the ledger cannot be read, or not in time.
    """
    profiles = [model.profile for _, model in sorted(served.items())]
    found = await reading.read(profiles, WINDOWS_S[window])
    return b'{"window":"%s",' % window.encode() + found[1:]


def read_outcomes(
    window: str, shared: tuple[Path, int] | None, care_units: Collection[str]
) -> dict[str, Any]:
    """What became of what was predicted; of units only those of the caller's tenant.

    Parameters
    ----------
    shared : tuple of Path and int, or None
        The folder of the service's workers, and this one's place.

    Raises
    ------
    Problem
        503 until the ledger was read for the first time.
    """
    found = None if shared is None else _read(shared[0] / PERFORMANCE)
    if found is None:
        raise Problem(503, NOT_YET, headers={"Retry-After": "5"})
    told = found["windows"][window]
    # The charts stand once in the file, with the points of the longest window.
    for chart in found["charts"]:
        chart["points"] = [point for point in chart["points"] if point["at"] > told["since"]]
    for part, rows in (("units", told["units"]), ("charts", found["charts"])):
        told[part] = [row for row in rows if row["unit"] in care_units]
    return {"window": window, "read": found["read"], **told}


def _read(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
