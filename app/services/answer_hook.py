"""One CDS Hooks call answered: read, assessed and recorded as every other way in, told as a card.

What prefetch brought is used; what it lacks is read from the caller's FHIR server, where that was
agreed. A key that neither brought is named on the card. When a required input of the branch point is
among what is missing, no card is made of the rest: the answer is 412, which names the keys and the
outcomes that could be answered all the same. When every key was answered, be it with nothing, a
missing input is a fact about the patient, and the outcomes abstain by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from app.access_log import Actor
from app.cds_hooks.agreement import Agreement
from app.cds_hooks.desk import Desk
from app.cds_hooks.discovery import CdsService
from app.cds_hooks.hook_request import HookRequest
from app.cds_hooks.prefetch import fill
from app.cds_hooks.prefetched import UNANSWERED, Prefetched, look_at
from app.deid import scrub
from app.errors import InputError, Problem
from app.fhir import (
    Chart,
    Coding,
    assessment_request,
    read_chart,
    risk_assessment,
)
from app.schemas.assessment_request import AssessmentRequest
from app.schemas.statuses import ABSTAINED
from app.services.answer_request import begin_answer
from app.services.assess import assess
from app.services.parts import Parts
from models.vocabulary import BranchPoint, settle

NOT_ANSWERED, INCOMPLETE, OTHER_PATIENT = "not_answered", "incomplete", "other_patient"
NO_CARD = "none"
INLINE_ENTRIES = 200
"""More resources than this take long enough to read that other calls should not wait for it."""


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """The calling program, and the user whom it named."""

    client: str
    user: str | None = field(repr=False)
    tenant: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What prefetch and FHIR server brought, by key."""

    pages: Mapping[str, tuple[Prefetched, ...]]

    @property
    def resources(self) -> list[Mapping[str, Any]]:
        return [
            page.resource
            for pages in self.pages.values()
            for page in pages
            if page.resource is not None
        ]

    @property
    def entries(self) -> int:
        """About how many resources there are to read."""
        inside = (resource.get("entry") for resource in self.resources)
        return sum(len(entries) if isinstance(entries, list) else 1 for entries in inside)

    @property
    def unanswered(self) -> tuple[str, ...]:
        return tuple(key for key, pages in self.pages.items() if not pages[0].answered)

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Keys of which a part is missing: of the last page, or in the middle of any."""
        return tuple(
            key
            for key, pages in self.pages.items()
            if pages[0].answered
            and (
                not pages[-1].complete
                or any(not page.complete and page.more is None for page in pages)
            )
        )


async def answer_hook(
    request: HookRequest,
    service: CdsService,
    actor: Actor,
    care_units: Collection[str],
    agreement: Agreement,
    language: str,
    desk: Desk,
    coding: Coding,
    parts: Parts,
) -> dict[str, Any]:
    """Answer one call; durable when this returns.

    Raises
    ------
    Problem
        412 when a required input could not be had.
    IdentifierFound, LedgerUnavailable
        As from `begin_answer`.
    """
    point = service.point
    gathered = await _gather(request, service, agreement, desk)
    index_time = request.index_time or datetime.now(UTC).replace(microsecond=0)
    resources = gathered.resources
    if request.drafts is not None:
        resources.append(request.drafts)
    read = partial(
        read_chart,
        resources,
        patient=request.patient_id,
        point=point,
        vocabulary=parts.vocabulary,
        coding=coding,
        index_time=index_time,
    )
    chart = read() if gathered.entries <= INLINE_ENTRIES else await asyncio.to_thread(read)
    if chart.deceased:
        parts.metrics.card_given(point.id, NO_CARD)
        return {"cards": []}
    asked = assessment_request(
        chart,
        episode=request.encounter_id,
        unit=None,
        index_time=index_time,
        outcomes=(),
        include=(),
    )
    if request.measurements:
        asked = with_measurements(asked, request)
    who = OnBehalf(actor.client, actor.user or request.user, actor.tenant)
    if gathered.unanswered:
        _refuse_without_required(gathered, asked, point, who, parts)
    given = begin_answer(asked, point, who, care_units, parts)
    await given.durable
    answer = orjson.loads(given.body)
    maker = desk.card_maker(service, language, agreement)
    card = maker.card(answer, _notes(request, gathered, chart), request.patient_id)
    parts.metrics.card_given(point.id, NO_CARD if card is None else card["indicator"])
    told: dict[str, Any] = {"cards": [] if card is None else [card]}
    if agreement.system_actions and maker.may_be_named(request.patient_id):
        told |= _system_actions(answer, request, chart, parts)
    return told


def _system_actions(
    answer: Mapping[str, Any], request: HookRequest, chart: Chart, parts: Parts
) -> dict[str, Any]:
    """The answer as a resource to keep beside the patient; left out when nothing was predicted."""
    resource = risk_assessment(
        answer, parts.vocabulary, patient=request.patient_id, basis=chart.basis
    )
    if "prediction" not in resource:
        return {}
    del resource["id"]  # whoever creates a resource names it; ours stands in `identifier`
    return {"systemActions": [{"type": "create", "resource": resource}]}


def with_measurements(asked: AssessmentRequest, request: HookRequest) -> AssessmentRequest:
    """What the hook itself carries goes before what a chart says of the same feature."""
    carried = {measurement.feature.name for measurement in request.measurements}
    kept = tuple(m for m in asked.measurements if m.feature.name not in carried)
    times = {name: time for name, time in asked.times.items() if name not in carried}
    return replace(
        asked,
        measurements=(*kept, *request.measurements),
        times={**times, **request.times},
    )


async def _gather(
    request: HookRequest, service: CdsService, agreement: Agreement, desk: Desk
) -> Gathered:
    """Every key's pages, read from the FHIR server where prefetch has not brought them whole."""
    pages = {
        key: (look_at(request.prefetch[key]) if key in request.prefetch else UNANSWERED,)
        for key in service.prefetch
    }
    if request.access is None:
        return Gathered(pages)
    questions = {}
    for key, (page,) in pages.items():
        if not page.answered:
            filled = fill(service.prefetch[key], request.context)
            if filled is not None:
                questions[key] = filled
        elif page.more is not None:
            questions[key] = page.more
    if not questions:
        return Gathered(pages)
    read = await desk.servers.read(request.access, agreement.fhir_servers, questions)
    return Gathered(
        {
            key: (*(page for page in first if page.answered), *read.get(key, ())) or first
            for key, first in pages.items()
        }
    )


def _refuse_without_required(
    gathered: Gathered,
    asked: AssessmentRequest,
    point: BranchPoint,
    actor: Actor,
    parts: Parts,
) -> None:
    """Raise a 412 when a required input is not there and not every key was answered."""
    clean = scrub(
        asked,
        tenant=actor.tenant,
        care_units=(),
        now=asked.index_time or datetime.now(UTC),
        pseudonymiser=parts.pseudonymiser,
    )
    intake = settle(clean.measurements, point, parts.vocabulary.features)
    lacking = [name for name in point.required if name not in intake.values]
    if not lacking:
        return
    panel = parts.slot.panel(point)
    said = panel.assess(intake.values)
    dry = assess(clean, intake, point, parts.vocabulary, panel, said, "")
    could = [o["outcome"] for o in dry["outcomes"] if o["status"] != ABSTAINED]
    detail = "neither prefetched nor readable"
    faults = [InputError(f"/prefetch/{key}", "missing", detail) for key in gathered.unanswered]
    faults.append(InputError("", "required_inputs", f"not known: {', '.join(lacking)}"))
    told = f"could be answered without them: {', '.join(could) or 'none'}"
    faults.append(InputError("", "outcomes", told))
    raise Problem(412, "Required data were neither prefetched nor readable.", faults)


def _notes(
    request: HookRequest, gathered: Gathered, chart: Chart
) -> list[tuple[str, Mapping[str, str]]]:
    """What the reader of the card should know beside the answer's own warnings."""
    notes: list[tuple[str, Mapping[str, str]]] = [(code, {}) for code in request.notes]
    for code, keys in ((NOT_ANSWERED, gathered.unanswered), (INCOMPLETE, gathered.incomplete)):
        if keys:
            notes.append((code, {"keys": ", ".join(keys)}))
    if chart.ignored.get(OTHER_PATIENT):
        notes.append((OTHER_PATIENT, {}))
    return notes
