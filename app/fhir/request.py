"""From a chart to the request that every way in asks with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.errors import InputError, Problem
from app.fhir.bundle import unpack
from app.fhir.chart import Chart
from app.fhir.coding import Coding
from app.fhir.subjects import PatientOf
from app.schemas.assessment_request import LONGEST_NAME, AssessmentRequest


def assessment_request(
    chart: Chart,
    *,
    subject: str | None,
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
    subject : str or None
        As a REST client would send it, see `subject_of`: the same patient must get the same
        pseudonym whichever way in is used.
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
        subject=subject,
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


def subject_of(
    resources: Iterable[Mapping[str, Any]], *, patient: str, coding: Coding
) -> str | None:
    """How the patient is named to the pseudonymiser: the best identifier, or else the logical id.

    The identifiers of `coding.toml` (personnummer first) in the patient's own resource are what REST
    clients send too, so that all ways in lead to one pseudonym; a bare id and `Patient/<id>` are
    the same. Identifiers marked `use = "old"` and ended ones are passed over.
    """
    entries = unpack(list(resources)).entries
    whose = PatientOf(patient, entries)
    named: dict[str, str] = {}
    for entry in entries:
        if entry.resource["resourceType"] != "Patient" or not whose.is_it(entry):
            continue
        given = entry.resource.get("identifier")
        for identifier in given if isinstance(given, list) else ():
            if not isinstance(identifier, Mapping) or identifier.get("use") == "old":
                continue
            system, value = identifier.get("system"), identifier.get("value")
            period = identifier.get("period")
            ended = isinstance(period, Mapping) and period.get("end") is not None
            if isinstance(system, str) and isinstance(value, str) and not ended:
                named.setdefault(system, value.strip())
    for system in coding.identifiers:
        if 0 < len(named.get(system, "")) <= LONGEST_NAME:
            return named[system]
    return whose.logical_id or patient[:LONGEST_NAME] or None
