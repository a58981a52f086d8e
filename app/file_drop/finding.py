"""What was found out about a column of a file: what it is, or why that is open."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.vocabulary import Feature


@dataclass(frozen=True, slots=True)
class Alternative:
    """What a column could be."""

    feature: Feature
    unit: str | None = None
    share: float | None = None


@dataclass(slots=True)
class Finding:
    """What was found out about one column.

    Attributes
    ----------
    present : int
        Rows that say something.
    by : str
        How it was recognised: by name, label, SweTrau name or synonym; `role` for what is no feature.
    why : str or None
        Why it could not be placed.
    """

    column: str
    present: int = 0
    by: str = ""
    role: str | None = None
    feature: Feature | None = None
    unit: str | None = None
    values: dict[str, str | bool] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    time: str | None = None
    times_of: str | None = None
    why: str | None = None
    alternatives: list[Alternative] = field(default_factory=list)
