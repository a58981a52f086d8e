"""De-identification by allowlist: only dictionary measurements and times pass; the rest is dropped.

`subject` and `episode` end here. `unit` passes only when it is one of the declared care units.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from app.schemas.assessment_request import AssessmentRequest
from models.vocabulary import Measurement

POLICY_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A request without identifiers.

    Attributes
    ----------
    unit : str or None
        A declared care unit.
    undeclared_unit : bool
        Whether a unit was sent that is not declared; it is not kept.
    """

    index_time: datetime
    measurements: tuple[Measurement, ...]
    outcomes: tuple[str, ...]
    include: tuple[str, ...]
    unit: str | None
    undeclared_unit: bool


def scrub(request: AssessmentRequest, care_units: Collection[str], now: datetime) -> Deidentified:
    """Drop identifiers; without an index time the time of asking is it."""
    declared = request.unit if request.unit in care_units else None
    return Deidentified(
        index_time=request.index_time or now,
        measurements=request.measurements,
        outcomes=request.outcomes,
        include=request.include,
        unit=declared,
        undeclared_unit=request.unit is not None and declared is None,
    )
