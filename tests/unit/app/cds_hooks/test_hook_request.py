"""Calls at hooks that no branch point of ours names, and bodies of any shape."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cds_hooks.discovery import CdsService, services
from app.cds_hooks.hook_request import STRAY_SELECTION, parse_hook_request
from app.cds_hooks.hooks import load_hooks
from app.errors import Problem
from models.vocabulary import load_vocabulary
from tests.lib.fhir import bundle
from tests.lib.hooks import hook_call
from tests.lib.properties import LAW

WORDS = load_vocabulary()
HOOKS = load_hooks()
SERVICES = services(WORDS, HOOKS, {}, {})
ICU = SERVICES["icu-review"]
ANY = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


def on(hook: str) -> CdsService:
    declared = HOOKS.get(hook)
    assert declared is not None
    return replace(ICU, hook=declared)


@pytest.mark.parametrize(
    ("chosen", "noted"),
    [(["ServiceRequest/s1"], False), (["ServiceRequest/s2"], True), ([7], True), ([], False)],
)
def test_k4_a_selection_outside_the_draft_orders_is_noted(chosen: list, noted: bool):
    context = {
        "userId": "Practitioner/p7",
        "patientId": "1",
        "selections": chosen,
        "draftOrders": bundle({"resourceType": "ServiceRequest", "id": "s1"}),
    }
    body = orjson.dumps(hook_call(hook="order-select", context=context))
    asked = parse_hook_request(body, on("order-select"), WORDS)
    assert (STRAY_SELECTION in asked.notes) is noted


def test_a_client_that_leaves_out_the_encounter_of_a_discharge_is_tolerated():
    context = {"userId": "Practitioner/p7", "patientId": "1"}
    body = orjson.dumps(hook_call(hook="encounter-discharge", context=context))
    asked = parse_hook_request(body, on("encounter-discharge"), WORDS)
    assert asked.encounter_id is None
    assert asked.notes == ("context_incomplete",)


def test_ids_may_come_as_references():
    context = {"userId": "Practitioner/p7", "patientId": "Patient/1", "encounterId": "Encounter/2"}
    asked = parse_hook_request(orjson.dumps(hook_call(context=context)), ICU, WORDS)
    assert (asked.patient_id, asked.encounter_id) == ("1", "2")


def test_no_representation_shows_who_it_is_about():
    asked = parse_hook_request(orjson.dumps(hook_call()), ICU, WORDS)
    assert "Practitioner" not in repr(asked)
    assert "Patient" not in repr(asked)


@LAW
@given(st.dictionaries(st.sampled_from([*hook_call(), "fhirServer", "fhirAuthorization"]), ANY))
def test_whatever_is_sent_is_parsed_or_refused_without_repeating_it(changes: dict):
    body = orjson.dumps({**hook_call(), **changes})
    refused = None
    try:
        parse_hook_request(body, ICU, WORDS)
    except Problem as problem:
        refused = problem
    assert refused is None or (refused.status == 400 and refused.errors)
