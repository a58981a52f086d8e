"""A question asked in FHIR, as the request that every way in asks with, and what it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.errors import InputError
from app.fhir import Asked, Chart, Coding, assessment_request, read_chart
from app.schemas.assessment_request import AssessmentRequest, refused
from models.vocabulary import BranchPoint, Vocabulary


@dataclass(frozen=True, slots=True)
class ChartQuestion:
    """The request, the chart that its measurements come from, and the patient as the caller names it."""

    request: AssessmentRequest
    chart: Chart
    patient: str = field(repr=False)


def question_of_chart(
    asked: Asked, point: BranchPoint, vocabulary: Vocabulary, coding: Coding, now: datetime
) -> ChartQuestion:
    """Read the chart that was sent and ask about it; pure, so that it may run in any thread.

    Parameters
    ----------
    now : datetime
        The index time of a question that names none.

    Raises
    ------
    Problem
        422 for an unknown outcome or a deceased patient.
    """
    faults = [
        InputError("", "unknown_outcome", f"expects one of: {', '.join(point.outcomes)}")
        for name in asked.outcomes
        if name not in point.outcomes
    ]
    if faults:
        raise refused(faults[:1])
    index_time = asked.index_time or now.astimezone(UTC).replace(microsecond=0)
    chart = read_chart(
        asked.resources,
        patient=asked.patient,
        point=point,
        vocabulary=vocabulary,
        coding=coding,
        index_time=index_time,
    )
    request = assessment_request(
        chart,
        episode=asked.episode,
        unit=asked.unit,
        index_time=index_time,
        outcomes=asked.outcomes,
        include=asked.include,
        protected_identity=asked.protected_identity,
    )
    return ChartQuestion(request, chart, asked.patient)
