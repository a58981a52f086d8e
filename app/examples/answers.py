"""What the service answers to an example, worked out by the functions that answer patients.

The ledger is left out, so identifiers of illustrations are fixed ones of the form that real ones have,
and their numbers are rounded to nine decimals: the same text on every machine, and reasons still add
up to 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from app.cds_hooks import NOTHING_AGREED
from app.cds_hooks.cards import CardMaker
from app.cds_hooks.discovery import CdsService
from app.cds_hooks.hook_request import parse_hook_request
from app.cds_hooks.wording import ENGLISH, load_override_reasons, load_wording
from app.deid import EPISODE, Pseudonymiser, scrub
from app.examples.patients import INDEX_TIME
from app.fhir import (
    Coding,
    answer_bundle,
    answer_outcome,
    assessment_request,
    read_assess_operation,
    read_chart,
    risk_assessment,
)
from app.identity.caller import DEFAULT_TENANT
from app.schemas.assessment_request import AssessmentRequest, parse_assessment_request
from app.services.answer_hook import with_measurements
from app.services.assess import assess
from app.services.assess_chart import question_of_chart
from app.serving.slot import ServedModel, ServedPanel
from models.vocabulary import BranchPoint, Vocabulary, settle
from monitoring.keyring import throwaway_keyring

Json = dict[str, Any]
ASSESSMENT_ID = "00000000-0000-7000-8000-000000000002"
EPISODE_ID = f"{EPISODE[0]}1-{'x' * 40}"
DECIMALS = 9


Answer = Callable[[AssessmentRequest], Json]
"""Works out what REST answers."""


class Answerer:
    """Answers the examples of one branch point, whichever way in they take.

    Parameters
    ----------
    answer : callable
        Works out what is told; see `illustrated`.
    language : str
        Of cards.
    """

    def __init__(
        self,
        service: CdsService,
        vocabulary: Vocabulary,
        coding: Coding,
        answer: Answer,
        language: str = ENGLISH,
    ) -> None:
        self._service, self._point = service, service.point
        self._vocabulary, self._coding = vocabulary, coding
        self._answer, self._language = answer, language

    def rest(self, body: Json) -> Json:
        """What `POST /v1/branch-points/{id}/assessments` answers."""
        request = parse_assessment_request(orjson.dumps(body), self._point, self._vocabulary)
        return self._answer(request)

    def fhir(self, body: Json) -> Json:
        """What `POST /fhir/$assess` answers."""
        asked = read_assess_operation(orjson.dumps(body), None)
        question = question_of_chart(asked, self._point, self._vocabulary, self._coding, INDEX_TIME)
        answer = self._answer(question.request)
        basis = question.chart.basis
        made = risk_assessment(answer, self._vocabulary, patient=question.patient, basis=basis)
        return answer_bundle(made, answer_outcome(answer, question.chart.ignored))

    def cds_hooks(self, body: Json) -> Json:
        """What `POST /cds-services/{id}` answers; the example sends every prefetch key."""
        call = parse_hook_request(orjson.dumps(body), self._service, self._vocabulary)
        resources = [found for found in call.prefetch.values() if found is not None]
        if call.drafts is not None:
            resources.append(call.drafts)
        chart = read_chart(
            resources,
            patient=call.patient_id,
            point=self._point,
            vocabulary=self._vocabulary,
            coding=self._coding,
            index_time=call.index_time or INDEX_TIME,
        )
        asked = assessment_request(
            chart,
            episode=call.encounter_id,
            unit=None,
            index_time=call.index_time,
            outcomes=(),
            include=(),
        )
        answer = self._answer(with_measurements(asked, call))
        words, reasons = load_wording()[self._language], load_override_reasons()
        maker = CardMaker(self._point, self._vocabulary, words, reasons, NOTHING_AGREED)
        card = maker.card(answer, (), call.patient_id)
        return {"cards": [] if card is None else [card]}


def illustrated(
    point: BranchPoint, vocabulary: Vocabulary, served: Mapping[str, ServedModel]
) -> Answer:
    """Answers with stand-ins in the models' place: the same on every machine."""

    def answer(request: AssessmentRequest) -> Json:
        clean = scrub(
            request,
            tenant=DEFAULT_TENANT,
            care_units=(),
            now=INDEX_TIME,
            pseudonymiser=Pseudonymiser(throwaway_keyring()),
        )
        if clean.episode_id is not None:
            clean = replace(clean, episode_id=EPISODE_ID)
        intake = settle(clean.measurements, point, vocabulary.features)
        panel = ServedPanel(point, request.outcomes or tuple(point.outcomes), served)
        said = panel.assess(intake.values)
        told = assess(clean, intake, point, vocabulary, panel, said, ASSESSMENT_ID)
        rounded: Json = _rounded(told)
        return rounded

    return answer


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
