"""Section D: what a call may hold, the four states of prefetch, the caller's FHIR server."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import pytest

from app.cds_hooks.prefetch import fill
from tests.lib.fhir import bundle, observation, patient
from tests.lib.fhir_server import TOKEN, FhirServer
from tests.lib.hooks import (
    CHART,
    FAILURE,
    ICU,
    INDEX_TIME,
    KEYS,
    LABORATORY,
    PERSONNUMMER,
    Ehr,
    Json,
    access,
    hook_call,
    issues,
    prefetch,
    risks,
    searchset,
    without,
)
from tests.lib.tokens import BASE_URL, claims

HINT = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "incomplete"}],
}
CONTEXT = hook_call()["context"]


def changed(field: str, value: Any) -> Json:
    return {**hook_call(), field: value}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (without(hook_call(), "hook"), "/hook"),
        (without(hook_call(), "hookInstance"), "/hookInstance"),
        (without(hook_call(), "context"), "/context"),
        (changed("hookInstance", "not-a-uuid"), "/hookInstance"),
        (changed("hookInstance", 7), "/hookInstance"),
        (changed("context", []), "/context"),
        (changed("context", without(CONTEXT, "patientId")), "/context/patientId"),
        (changed("context", {**CONTEXT, "patientId": ""}), "/context/patientId"),
        (changed("context", {**CONTEXT, "patientId": "a b"}), "/context/patientId"),
        (changed("context", {**CONTEXT, "patientId": {"a": 1}}), "/context/patientId"),
        (changed("context", without(CONTEXT, "userId")), "/context/userId"),
        (changed("context", {**CONTEXT, "encounterId": 7}), "/context/encounterId"),
        (changed("prefetch", []), "/prefetch"),
        (changed("prefetch", {"patient": "text"}), "/prefetch/patient"),
        (changed("fhirServer", 7), "/fhirServer"),
        (changed("extension", {"se.complication-risk.index-time": "now"}), "/extension"),
    ],
)
def test_d1_what_is_missing_or_invalid_is_named(ehr: Ehr, body: Json, pointer: str):
    answer = ehr.call(body)
    assert answer.status_code == 400
    assert pointer in issues(answer)


def test_d1_a_field_that_was_left_out_may_be_null(ehr: Ehr):
    """HealthChain's client writes every field."""
    assert ehr.card({**hook_call(), "fhirServer": None, "fhirAuthorization": None})


def test_d2_authorization_without_a_server_is_refused(ehr: Ehr, fhir: FhirServer):
    answer = ehr.call({**hook_call(), **without(access(fhir), "fhirServer")})
    assert answer.status_code == 400
    assert "/fhirAuthorization" in issues(answer)


def test_d3_another_hook_than_the_listed_one_is_refused(ehr: Ehr):
    answer = ehr.call(hook_call(hook="order-sign"))
    assert answer.status_code == 400
    assert "/hook" in issues(answer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("access_token", None),
        ("access_token", ""),
        ("access_token", "two words"),
        ("token_type", None),
        ("token_type", "Basic"),
        ("expires_in", None),
        ("expires_in", "300"),
        ("expires_in", True),
        ("scope", None),
        ("subject", None),
    ],
)
def test_d4_the_authorization_must_be_whole(ehr: Ehr, fhir: FhirServer, field: str, value: object):
    answer = ehr.call({**hook_call(), **access(fhir, **{field: value})})
    assert answer.status_code == 400
    assert f"/fhirAuthorization/{field}" in issues(answer)


def test_d4_a_patient_scope_without_a_patient_is_only_noted(ehr: Ehr, fhir: FhirServer):
    with_scope = {**hook_call(), **access(fhir, scope="patient/*.read")}
    assert "does not name its patient" in ehr.card(with_scope)["detail"]
    named = {**hook_call(), **access(fhir, scope="patient/*.read", patient="1")}
    assert "does not name its patient" not in ehr.card(named)["detail"]


def test_d5_the_access_token_is_nowhere_after_the_call(ehr: Ehr, fhir: FhirServer, house):
    ehr.card({**hook_call(prefetch=None), **access(fhir)})
    fhir.fault = "status:500"
    ehr.call({**hook_call(prefetch=None), **access(fhir)})
    ehr.call({**hook_call(prefetch=None), **access(fhir, expires_in="soon")})
    assert any(TOKEN in str(authorization) for _, authorization in fhir.asked)
    searched = [file for file in house.folder.rglob("*") if file.is_file()]
    assert {"log", "log-ledger.db"} <= {file.name for file in searched}
    assert [file.name for file in searched if TOKEN.encode() in file.read_bytes()] == []


def test_d6_what_came_is_used_and_what_is_missing_is_fetched(ehr: Ehr, fhir: FhirServer):
    half = without(prefetch(), "vital-signs", "laboratory")
    card = ehr.card({**hook_call(prefetch=half), **access(fhir)})
    assert risks(card) == risks(ehr.card(hook_call()))
    asked = {target.split("?")[0] for target, _ in fhir.asked}
    assert asked == {"/r4/Observation"}
    assert len(fhir.asked) == 2


def test_d7_a_key_that_is_absent_was_not_answered(ehr: Ehr, fhir: FhirServer):
    card = ehr.card(hook_call(prefetch=without(prefetch(), "laboratory")))
    assert "nothing came for laboratory" in card["detail"]
    assert "Creatinine" not in card["detail"].split("**Not known:**")[0]


@pytest.mark.parametrize("nothing", [None, searchset(), bundle()])
def test_d7_null_and_an_empty_bundle_mean_that_nothing_was_found(
    ehr: Ehr, fhir: FhirServer, nothing: Json | None
):
    body = {**hook_call(prefetch=prefetch(laboratory=nothing)), **access(fhir)}
    card = ehr.card(body)
    assert "Data incomplete" not in card["detail"]
    assert fhir.asked == []  # not asked again


def test_d7_an_operation_outcome_means_that_the_client_met_an_error(ehr: Ehr, fhir: FhirServer):
    card = ehr.card(hook_call(prefetch=prefetch(laboratory=FAILURE)))
    assert "nothing came for laboratory" in card["detail"]
    body = {**hook_call(prefetch=prefetch(laboratory=FAILURE)), **access(fhir)}
    assert risks(ehr.card(body)) == risks(ehr.card(hook_call()))
    assert len(fhir.asked) == 1


def test_d8_an_operation_outcome_inside_a_bundle_is_seen(ehr: Ehr):
    partly = bundle(*LABORATORY, FAILURE)
    card = ehr.card(hook_call(prefetch=prefetch(laboratory=partly)))
    assert "there is more than came for laboratory" in card["detail"]
    assert risks(card) == risks(ehr.card(hook_call()))
    hinted = ehr.card(hook_call(prefetch=prefetch(laboratory=bundle(*LABORATORY, HINT))))
    assert "Data incomplete" not in hinted["detail"]


def test_d9_a_next_link_is_followed_with_a_token_only(ehr: Ehr, fhir: FhirServer):
    first = searchset(
        LABORATORY[0], link=[{"relation": "next", "url": f"{fhir.base}/Observation?patient=1"}]
    )
    body = hook_call(prefetch=prefetch(laboratory=first))
    alone = ehr.card(body)
    assert "there is more than came for laboratory" in alone["detail"]
    assert fhir.asked == []
    whole = ehr.card({**body, **access(fhir)})
    assert "Data incomplete" not in whole["detail"]
    assert risks(whole) == risks(ehr.card(hook_call()))


def test_d9_every_page_of_the_server_is_read(ehr: Ehr, fhir: FhirServer):
    fhir.page_size = 1
    card = ehr.card({**hook_call(prefetch=None), **access(fhir)})
    assert risks(card) == risks(ehr.card(hook_call()))
    assert sum("_offset" in target for target, _ in fhir.asked) == 4  # three vital signs, one other


def test_d9_a_next_link_that_leads_elsewhere_is_not_followed(ehr: Ehr, fhir: FhirServer):
    for elsewhere in ("http://127.0.0.1:9/r4/Observation", fhir.base.replace("/r4", "/admin")):
        fhir.fault = f"page:{elsewhere}"
        fhir.asked.clear()
        card = ehr.card({**hook_call(prefetch=None), **access(fhir)})
        assert "there is more than came for" in card["detail"]
        assert not any(target.startswith("/admin") for target, _ in fhir.asked)


def reference_client(fhir: FhirServer, service: Mapping[str, Any], context: Json) -> Json:
    """Prefetch as the reference client makes it: a key whose token is not known is skipped."""
    made = {}
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        for key, template in service["prefetch"].items():
            filled = fill(template, context)
            if filled is not None:
                answer = client.get(f"{fhir.base}/{filled}")
                if answer.status_code == 200:
                    made[key] = answer.json()
    return made


def test_d10_prefetch_and_fhir_server_give_the_same_probability(ehr: Ehr, fhir: FhirServer, house):
    """To 1e-9: the stored answers are compared, not the card's rounded figures."""
    (service,) = (s for s in ehr.discover() if s["id"] == ICU)
    prefetched = ehr.card(hook_call(prefetch=reference_client(fhir, service, CONTEXT)))
    read = ehr.card({**hook_call(prefetch=None), **access(fhir)})
    assert stored(ehr, prefetched) == stored(ehr, read)
    assert prefetched["detail"] == read["detail"]


def test_d10_rest_gives_the_same_probability_and_pseudonym(ehr: Ehr, house):
    """The chart of the tests in the dictionary's words; born 1955-03-02, so 71 at the index time."""
    taken = {"time": "2026-11-21T06:00:00Z"}
    path = f"/v1/branch-points/{ICU}/assessments"
    sent = {
        "subject": PERSONNUMMER,
        "episode": CONTEXT["encounterId"],
        "index_time": INDEX_TIME,
        "measurements": {
            "age": 71,
            "sex": "male",
            "heart_rate": {"value": 104, "unit": "/min", **taken},
            "map": {"value": 72, "unit": "mm[Hg]", **taken},
            "resp_rate": {"value": 24, "unit": "/min", **taken},
            "temperature": {"value": 38.1, "unit": "Cel", **taken},
            "creatinine": {"value": 124, "unit": "umol/L", **taken},
            "sodium": {"value": 139, "unit": "mmol/L", **taken},
        },
    }
    bearer = {"authorization": f"Bearer {token_for(ehr, path, 'assess')}"}
    rest = ehr.http.post(path, json=sent, headers=bearer).json()
    card = ehr.card(hook_call())
    assert stored(ehr, card) == rest["outcomes"]
    with closing(sqlite3.connect(house.folder / "log-ledger.db")) as database:
        query = (
            "SELECT DISTINCT subject_id, episode_id FROM assessments WHERE assessment_id IN (?, ?)"
        )
        (same,) = database.execute(query, (card["uuid"], rest["assessment_id"])).fetchall()
    assert all(same)


def stored(ehr: Ehr, card: Json) -> list[Json]:
    """The outcomes of the answer that a card tells of, as REST gives them."""
    path = f"/v1/assessments/{card['uuid']}"
    answer = ehr.http.get(path, headers={"authorization": f"Bearer {token_for(ehr, path, 'read')}"})
    assert answer.status_code == 200
    outcomes: list[Json] = answer.json()["outcomes"]
    return outcomes


def token_for(ehr: Ehr, path: str, scope: str) -> str:
    assert ehr.key is not None
    said = claims(iss=ehr.issuer, aud=BASE_URL + path, client_id=None, scope=scope)
    return ehr.key.token(said)


def test_d11_every_read_carries_the_token(ehr: Ehr, fhir: FhirServer):
    fhir.page_size = 2
    ehr.card({**hook_call(prefetch=None), **access(fhir)})
    assert len(fhir.asked) > len(KEYS)
    assert {authorization for _, authorization in fhir.asked} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "user", ["Practitioner/a.1", "PractitionerRole/7", "Patient/1", "RelatedPerson/x-2"]
)
def test_d12_users_of_every_kind_may_call(ehr: Ehr, user: str):
    assert ehr.card(hook_call(context={**CONTEXT, "userId": user}))


@pytest.mark.parametrize("user", ["Practitioner", "p7", "Device/1", "Practitioner/å", "/"])
def test_d12_what_names_no_user_is_refused(ehr: Ehr, user: str):
    assert ehr.call(hook_call(context={**CONTEXT, "userId": user})).status_code == 400


@pytest.mark.parametrize(
    "whose",
    [
        {"subject": {"reference": "Patient/2"}},
        {"subject": {"reference": "https://ehr.example.org/Patient/12"}},
        {"subject": {"reference": "Group/1"}},
    ],
)
def test_d13_another_patients_values_are_never_used(ehr: Ehr, whose: Json):
    mixed = searchset(observation("2160-0", 900, "umol/L", **whose), LABORATORY[1])
    card = ehr.card(hook_call(prefetch=prefetch(laboratory=mixed)))
    assert "900" not in card["detail"]
    assert "not this patient's were not used" in card["detail"]
    only = ehr.card(hook_call(prefetch=prefetch(laboratory=searchset(LABORATORY[1]))))
    assert risks(card) == risks(only)


def test_d13_the_patient_key_must_hold_the_contexts_patient(ehr: Ehr):
    """Age and sex of another person are no age and sex: the required age is then not known."""
    other = patient(id="2", birthDate="2001-01-01")
    answer = ehr.card(hook_call(prefetch=prefetch(patient=other)))
    assert risks(answer) == {}
    assert "a required value is missing: age" in answer["detail"]


@pytest.mark.parametrize(
    "server",
    [
        "http://127.0.0.1:9/r4",
        "https://fhir.example.org/r4",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "{base}/../r4",
        "{base}@elsewhere.example.org",
        "{base}/deeper",
        "not an address",
    ],
)
def test_d14_only_agreed_servers_are_asked(ehr: Ehr, fhir: FhirServer, server: str):
    body = {**hook_call(prefetch=None), **access(fhir)}
    answer = ehr.call({**body, "fhirServer": server.format(base=fhir.base)})
    assert answer.status_code == 412
    assert fhir.asked == []


def test_d14_a_server_is_agreed_upon_with_one_tenant_only(southern: Ehr, fhir: FhirServer):
    assert southern.call({**hook_call(prefetch=None), **access(fhir)}).status_code == 412
    assert fhir.asked == []


def test_d14_a_redirect_is_not_followed(ehr: Ehr, fhir: FhirServer):
    fhir.fault = f"redirect:{fhir.base.removesuffix('/r4')}"
    assert ehr.call({**hook_call(prefetch=None), **access(fhir)}).status_code == 412
    assert len(fhir.asked) == len(KEYS)  # each key once, none again


def test_d15_a_call_with_prefetch_is_answered_within_500_ms(ehr: Ehr):
    """The figure at eight connections is the benchmark's; this bound is the specification's."""
    ehr.card(hook_call())
    took = []
    for _ in range(20):
        start = time.perf_counter()
        ehr.card(hook_call())
        took.append(time.perf_counter() - start)
    assert sorted(took)[18] < 0.5


def test_calls_at_the_same_time_do_not_mix_patients(ehr: Ehr):
    """Two patients, many calls, one client: every card is its own patient's."""
    born = {"1940-01-01": set(), "1990-01-01": set()}

    def ask(birth_date: str) -> None:
        card = ehr.card(hook_call(prefetch=prefetch(patient=patient(birthDate=birth_date))))
        born[birth_date].add(str(risks(card)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, [*born] * 12))
    assert [len(found) for found in born.values()] == [1, 1]
    assert born["1940-01-01"] != born["1990-01-01"]


def test_the_chart_of_the_tests_holds_what_the_icu_review_requires(vocabulary):
    assert {r["resourceType"] for r in CHART} == {"Patient", "Observation"}
    assert set(vocabulary.branch_points[ICU].required) == {
        "age", "heart_rate", "map", "resp_rate", "temperature",
    }  # fmt: skip
