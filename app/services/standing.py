"""Who answers each outcome of a branch point now, and who is asked in silence beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.serving.slot import ServedModel
from models.vocabulary import BranchPoint


@dataclass(frozen=True, slots=True)
class OutcomeStanding:
    """One outcome of a branch point.

    Attributes
    ----------
    name : str
        Of its registered model.
    served : ServedModel or None
        Its champion; None where no model answers.
    challenger : mapping or None
        How the version with the alias `challenger` does, as `serving.shadow` reports it.
    """

    outcome: str
    name: str
    served: ServedModel | None
    challenger: Mapping[str, Any] | None


def standings(
    point: BranchPoint,
    served: Mapping[str, ServedModel],
    challengers: Mapping[str, Mapping[str, Any]],
) -> list[OutcomeStanding]:
    """Every outcome in the order in which it is answered."""
    return [
        OutcomeStanding(outcome, name, served.get(name), challengers.get(name))
        for outcome in point.outcomes
        for name in (f"{point.id}.{outcome}",)
    ]


def by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Challengers by the name of their model, as the workers tell of them.

    Examples
    --------
    >>> by_name([{"name": "a.b", "version": "2"}])["a.b"]["version"]
    '2'
    """
    return {str(row["name"]): row for row in rows}
