"""What the tripwire reports: which kind of identifier, and where; never the identifier."""

from __future__ import annotations

from typing import NamedTuple

PERSONAL_NUMBER = "personal_number"
COORDINATION_NUMBER = "coordination_number"
RESERVE_NUMBER = "reserve_number"
PHONE = "phone"
EMAIL = "email"
NAME = "name"
KINDS = (PERSONAL_NUMBER, COORDINATION_NUMBER, RESERVE_NUMBER, PHONE, EMAIL, NAME)


class Finding(NamedTuple):
    """One identifier: its kind, and the slice `[start:end]` of the text it stands in."""

    kind: str
    start: int
    end: int
