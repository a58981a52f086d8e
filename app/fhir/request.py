"""From a chart to the request that every way in asks with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.errors import InputError, Problem
from app.fhir.chart import Chart
from app.schemas.assessment_request import AssessmentRequest


def assessment_request(
    chart: Chart,
    *,
    episode: str | None,
    unit: str | None,
    index_time: datetime | None,
    outcomes: Sequence[str],
    include: Sequence[str],
    protected_identity: bool = False,
) -> AssessmentRequest:
    """Ask for an assessment with what a chart holds.

    Parameters
    ----------
    index_time : datetime or None
        The one that the chart was read with.
    protected_identity : bool
        What the caller says beside the chart; either is enough.

    Raises
    ------
    Problem
        422 `patient_deceased`: there is no risk left to foresee, and an answer would only mislead.
    """
    if chart.deceased:
        detail = "the patient is recorded as deceased at the index time: no risk is assessed"
        raise Problem(422, detail, [InputError("", "patient_deceased", detail)])
    return AssessmentRequest(
        subject=chart.subject,
        episode=episode,
        unit=unit,
        index_time=index_time,
        measurements=chart.measurements,
        outcomes=tuple(dict.fromkeys(outcomes)),
        include=tuple(dict.fromkeys(include)),
        protected_identity=protected_identity or chart.protected,
        times=chart.times,
        set_aside=chart.set_aside,
    )
