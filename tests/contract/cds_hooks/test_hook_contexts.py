"""Section K: the hooks, what their contexts hold, and what is read of them."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import orjson
import pytest

from app.cds_hooks.hooks import REVERSE_DOMAIN, load_hooks
from tests.lib.fhir import bundle
from tests.lib.hooks import (
    KEYS,
    PATIENT,
    Ehr,
    hook_call,
    prefetch,
    risks,
)

CONTEXT = hook_call()["context"]


def test_k1_own_hooks_have_reverse_domain_names_and_a_published_context():
    own = [hook for hook in load_hooks().declared.values() if "." in hook.name]
    assert len(own) == 4
    for hook in own:
        assert REVERSE_DOMAIN.fullmatch(hook.name)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", hook.name.rpartition(".")[2])  # noun, then verb
        assert {"userId", "patientId", "encounterId"} <= {f.field for f in hook.context}
    for wrong in (
        "trauma-alert",
        "se.example.alert",
        "Se.example.trauma-alert",
        "se..trauma-alert",
    ):
        assert load_hooks().get(wrong) is None


def test_k1_discovery_publishes_the_context_of_our_own_hooks(ehr: Ehr):
    for service in ehr.discover():
        if "." in service["hook"]:
            assert "`patientId` (required" in service["usageRequirements"]


def test_k2_resources_of_other_versions_of_fhir_are_not_misread(ehr: Ehr):
    """DSTU2 has `patient` for `subject` and `effectiveDateTime` alike; STU2 codes differ: no value."""
    dstu2 = {"resourceType": "MedicationOrder", "patient": {"reference": "Patient/1"}}
    card = ehr.card(hook_call(prefetch=prefetch(medications=bundle(dstu2))))
    assert risks(card) == risks(ehr.card(hook_call()))


def test_k_table_each_standard_hook_has_the_fields_of_the_library():
    expected = {
        "patient-view": ({"userId", "patientId"}, {"userId", "patientId", "encounterId"}),
        "encounter-start": (
            {"userId", "patientId", "encounterId"}, {"userId", "patientId", "encounterId"},
        ),
        "encounter-discharge": (
            {"userId", "patientId", "encounterId"}, {"userId", "patientId", "encounterId"},
        ),
        "order-select": (
            {"userId", "patientId", "selections", "draftOrders"},
            {"userId", "patientId", "encounterId"},
        ),
        "order-sign": (
            {"userId", "patientId", "draftOrders"}, {"userId", "patientId", "encounterId"},
        ),
        "order-dispatch": (
            {"patientId", "dispatchedOrders", "performer"},
            {"patientId", "dispatchedOrders", "performer"},
        ),
        "appointment-book": (
            {"userId", "patientId", "appointments"}, {"userId", "patientId", "encounterId"},
        ),
    }  # fmt: skip
    for name, (required, tokens) in expected.items():
        hook = load_hooks().get(name)
        assert hook is not None
        assert {field.field for field in hook.context if field.required} == required
        assert hook.tokens == tokens


@pytest.mark.parametrize(("whose", "read"), [("Patient/1", True), ("Patient/2", False)])
def test_an_operation_among_the_draft_orders_is_read(ehr: Ehr, house, whose: str, read: bool):
    """KVÅ NFB is replacement of the hip joint (app/fhir/coding.toml); not another patient's."""
    planned = {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "status": "draft",
        "intent": "order",
        "authoredOn": "2026-11-21T07:55:00Z",
        "code": {"coding": [{"system": "urn:oid:1.2.752.116.1.3.2.1.4", "code": "NFB49"}]},
        "subject": {"reference": whose},
    }
    context = {**CONTEXT, "draftOrders": bundle(planned)}
    keys = dict.fromkeys((*KEYS[:1], *KEYS[2:], "coded-answers")) | {"patient": PATIENT}
    call = hook_call(hook="order-sign", context=context, prefetch=keys)
    assert ehr.call(call, "preoperative-clinic").status_code == 200
    with closing(sqlite3.connect(house.folder / "log-ledger.db")) as database:
        query = "SELECT inputs FROM assessments WHERE branch_point = ? ORDER BY seq DESC LIMIT 1"
        ((inputs,),) = database.execute(query, ("preoperative-clinic",))
    stored_inputs = orjson.loads(inputs)
    assert stored_inputs["age"] == {"value": 71.0}
    group = stored_inputs.get("procedure_group")
    assert group == ({"value": "hip_replacement"} if read else None)
