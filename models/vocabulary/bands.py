"""Named ranges of probability: where they begin, who says so, and what acting on them assumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.vocabulary.content import NUMBER, Key, Row, is_number

BAND_NAMES = ("low", "intermediate", "elevated", "high")
BANDS_SCHEMA = {"bands": Key(list), "band_source": Key(str), "band_capacity": Key(dict)}
CAPACITY_SCHEMA = {
    "start": Key(str, required=True),
    "patients_per_100": Key(NUMBER, required=True),
    "source": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many patients a site must be able to act for, if it acts from a band upwards.

    A threshold without it is a wish: half of it, and it raises twice the suggestions.

    Attributes
    ----------
    start : str
        The lowest band that is acted on.
    patients_per_100 : float
        Of 100 assessed patients, those in that band or above.
    source : str
    """

    start: str
    patients_per_100: float
    source: str


@dataclass(frozen=True, slots=True)
class Bands:
    """Named ranges of probability: `limits[i]` is where band i ends and band i + 1 begins."""

    names: tuple[str, ...]
    limits: tuple[float, ...]
    source: str
    capacity: Capacity

    def band(self, probability: float) -> str:
        """Name the band of a probability.

        Examples
        --------
        >>> Bands(("low", "high"), (0.2,), "example", Capacity("high", 10, "example")).band(0.2)
        'high'
        """
        for name, limit in zip(self.names, self.limits, strict=False):
            if probability < limit:
                return name
        return self.names[-1]


def read_bands(row: Row) -> Bands:
    """Check the bands of a binary outcome's row.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    bands = row.values.get("bands")
    if not bands or not BANDS_SCHEMA.keys() <= set(row.values):
        row.refuse("a binary outcome needs `bands`, `band_source` and `band_capacity`")
    for band in bands:
        if not isinstance(band, dict) or not {"name"} <= set(band) <= {"name", "below"}:
            row.refuse("a band has `name` and `below`, and nothing else")
        if "below" in band and not is_number(band["below"]):
            row.refuse("`below` must be a number")
    names = tuple(band["name"] for band in bands)
    limits = tuple(float(band["below"]) for band in bands if "below" in band)
    if any(name not in BAND_NAMES for name in names) or len(set(names)) != len(names):
        row.refuse(f"band names must be different ones of {', '.join(BAND_NAMES)}")
    if sorted(names, key=BAND_NAMES.index) != list(names):
        row.refuse("bands must run from low to high")
    if len(limits) != len(names) - 1 or "below" in bands[-1]:
        row.refuse("every band but the last needs `below`")
    if sorted(set(limits)) != list(limits) or not all(0 < limit < 1 for limit in limits):
        row.refuse("band limits must ascend between 0 and 1")
    source = str(row.values["band_source"])
    return Bands(names, limits, source, _capacity(row, row.values["band_capacity"], names))


def _capacity(row: Row, item: dict[str, Any], names: tuple[str, ...]) -> Capacity:
    own = Row(row.file, f"{row.label}, band_capacity", item)
    own.check(CAPACITY_SCHEMA)
    own.one_of("start", names[1:])
    patients = item["patients_per_100"]
    if not is_number(patients) or not 0 < patients <= 100:
        own.refuse("`patients_per_100` must be above 0 and at most 100")
    return Capacity(str(item["start"]), float(patients), str(item["source"]))
