"""Section E: success, nothing to say, 412 and every refusal with its status."""

from __future__ import annotations

import time

import httpx
import orjson
import pytest

from tests.lib.fhir import bundle, patient
from tests.lib.fhir_server import FhirServer
from tests.lib.hooks import (
    FAILURE,
    ICU,
    KEYS,
    LABORATORY,
    PATIENT,
    VITAL_SIGNS,
    Ehr,
    access,
    hook_call,
    issues,
    prefetch,
    searchset,
    without,
)


def test_e1_success_is_an_object_with_cards(ehr: Ehr):
    answer = ehr.call(hook_call())
    assert answer.status_code == 200
    assert isinstance(answer.json()["cards"], list)


def test_e2_nothing_to_say_is_no_card(ehr: Ehr):
    """No model is served at this branch point, and no score has a probability for its outcomes."""
    call = hook_call(
        hook="encounter-discharge", prefetch=dict.fromkeys(KEYS) | {"patient": PATIENT}
    )
    answer = ehr.call(call, "discharge")
    assert answer.status_code == 200
    assert answer.json() == {"cards": []}


def test_e2_of_a_patient_who_died_nothing_is_foretold(ehr: Ehr):
    dead = patient(deceasedDateTime="2026-11-20T10:00:00Z")
    assert ehr.call(hook_call(prefetch=prefetch(patient=dead))).json() == {"cards": []}


def test_e3_without_data_and_without_a_server_it_is_412(ehr: Ehr):
    for nothing in (None, {}, {"unknown": None}, dict.fromkeys(KEYS[1:], FAILURE)):
        answer = ehr.call({**hook_call(), "prefetch": nothing})
        assert answer.status_code == 412
        assert "/prefetch/patient" in issues(answer)


@pytest.mark.parametrize(
    "fault", ["status:401", "status:403", "status:404", "status:500", "status:503", "text", "hang"]
)
def test_e3_with_a_server_that_fails_it_is_412(ehr: Ehr, fhir: FhirServer, fault: str):
    fhir.fault = fault
    start = time.monotonic()
    answer = ehr.call({**hook_call(prefetch=None), **access(fhir)})
    assert answer.status_code == 412
    assert "/prefetch/vital-signs" in issues(answer)
    assert time.monotonic() - start < 2.0  # the budget of the tests is half a second


def test_e3_a_wrong_token_is_412(ehr: Ehr, fhir: FhirServer):
    body = {**hook_call(prefetch=None), **access(fhir, access_token="expired")}  # noqa: S106
    assert ehr.call(body).status_code == 412


def test_e3_what_came_in_time_is_answered_when_it_holds_the_required(ehr: Ehr, fhir: FhirServer):
    fhir.fault = "status:500"
    card = ehr.card({**hook_call(prefetch=without(prefetch(), "medications")), **access(fhir)})
    assert "nothing came for medications" in card["detail"]


def test_e3_a_required_input_that_was_asked_for_and_not_found_is_no_412(ehr: Ehr):
    """Every key was answered: it is known that the heart rate is not known."""
    card = ehr.card(hook_call(prefetch=prefetch(vital_signs=searchset(*VITAL_SIGNS[1:]))))
    assert card["summary"] == "No risk can be given: a required value is missing: heart rate"
    assert card["indicator"] == "info"


def test_e4_errors_are_operation_outcomes_without_what_was_sent(ehr: Ehr, http: httpx.Client):
    name = "Kanariefågelsson"
    answers = [
        ehr.call({**hook_call(), "hook": name}),
        ehr.call({**hook_call(), "context": {name: name}}),
        ehr.call({**hook_call(), "prefetch": {name: name}}),
        ehr.call({**hook_call(), "fhirServer": {name: name}}),
        ehr.call(hook_call(), name),
        ehr.ask("POST", f"/cds-services/{ICU}/feedback", {"feedback": [{name: name}]}),
        ehr.give_feedback({"card": "x", "outcome": name, "outcomeTimestamp": name}),
        Ehr(http).call(hook_call()),
        ehr.ask("PUT", f"/cds-services/{ICU}", hook_call()),
    ]
    for answer in answers:
        assert answer.status_code >= 400
        assert answer.json()["issue"][0].keys() >= {"severity", "code", "diagnostics"}
        assert name not in answer.text
        assert "Traceback" not in answer.text


def test_e5_each_refusal_has_its_status(ehr: Ehr, southern: Ehr, http: httpx.Client):
    large = hook_call(prefetch=prefetch(laboratory=bundle(*LABORATORY, text="x" * 40_000_000)))
    assert ehr.call(b"{").status_code == 400
    assert Ehr(http).call(hook_call()).status_code == 401
    assert southern.call(hook_call(), "ward-round").status_code == 403
    assert ehr.call(hook_call(), "nowhere").status_code == 404
    assert ehr.call(orjson.dumps(large)).status_code == 413


def test_e5_a_body_of_too_many_parts_is_413(ehr: Ehr):
    assert ehr.call(b'{"hook": [' + b"{}," * 1_000_001 + b"0]}").status_code == 413


def test_e6_a_412_names_keys_inputs_and_outcomes(ehr: Ehr):
    answer = ehr.call(hook_call(prefetch=without(prefetch(), "vital-signs")))
    assert answer.status_code == 412
    told = issues(answer)
    assert "/prefetch/vital-signs" in told
    assert "/prefetch/patient" not in told
    assert "not known: heart_rate, map, resp_rate, temperature" in told
    assert "could be answered without them: none" in told
