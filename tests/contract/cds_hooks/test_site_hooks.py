"""A site's own branch points on further hooks, and hooks of ours that carry measurements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.vocabulary import branch_points
from tests.functional.test_fallback import SORT_PATIENT
from tests.lib.fhir import bundle, concept, observation, quantity
from tests.lib.hooks import INDEX_TIME, PATIENT, Ehr, Json, hook_call, issues, risks
from tests.lib.service import run_command, running_service
from tests.lib.tokens import BASE_URL

OWN = Path(branch_points.__file__).parent / "branch_points"
HOOKS = {
    "site-dispatch": "order-dispatch",
    "site-select": "order-select",
    "site-transfer": "org.example.ward-transfer",
}
SYSTEM = "https://site.example.org/codes"
SELECTED: Json = {
    "userId": "Practitioner/p7",
    "patientId": "1",
    "selections": ["ServiceRequest/s1"],
    "draftOrders": bundle({"resourceType": "ServiceRequest", "id": "s1", "status": "draft"}),
}


def own_codes() -> str:
    """The tenant's own codes for what SORT asks for: the question, and the answer where it is coded."""
    rows = []
    for name, value in SORT_PATIENT.items():
        rows.append({"code": name, "feature": name})
        if isinstance(value, str):
            rows.append({"code": f"{name}-{value}", "feature": name, "value": value})
    tables = (
        "\n".join(f"{key} = {json.dumps(text)}" for key, text in {"system": SYSTEM, **row}.items())
        for row in rows
    )
    return "".join(f"[[tenant.code]]\n{table}\n" for table in tables)


def sort_chart() -> list[Json]:
    """SORT's worked example in FHIR; the age comes from the patient's date of birth."""
    found = []
    for name, value in SORT_PATIENT.items():
        said: Json = {"valueBoolean": value}
        if isinstance(value, str):
            said = {"valueCodeableConcept": concept(f"{name}-{value}", SYSTEM)}
        elif not isinstance(value, bool):
            said = {"valueQuantity": quantity(value, "{class}")}
        if name != "age":
            found.append(observation(name, code=concept(name, SYSTEM), valueQuantity=None) | said)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ehr]:
    """Copies of the decision to operate on other hooks; no model is served, SORT stands in."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "content" / "branch_points").mkdir(parents=True)
    text = (OWN / "surgery-decision.toml").read_text()
    for name, hook in HOOKS.items():
        copy = text.replace('id = "surgery-decision"', f'id = "{name}"', 1)
        copy = copy.replace('hook = "appointment-book"', f'hook = "{hook}"', 1)
        (folder / "content" / "branch_points" / f"{name}.toml").write_text(copy)
    tenant = f'base_url = "{BASE_URL}"\n[[tenant]]\nid = "site"\ncare_units = []\n{own_codes()}'
    (folder / "tenants.toml").write_text(tenant)
    settings = {
        "RISK_CONTENT": str(folder / "content"),
        "RISK_TENANTS_FILE": str(folder / "tenants.toml"),
        "RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl"),
    }
    made = run_command(
        "risk-serve", "keys", "create", "--name", "ehr", "--tenant", "site", "--scope", "cds",
        var=folder / "var", settings=settings,
    )  # fmt: skip
    with (
        running_service(folder / "var", folder / "log", settings, until=None) as service,
        service.client() as client,
    ):
        yield Ehr(client, headers={"x-api-key": made.stdout.strip()})


def test_k3_order_dispatch_needs_no_user(site: Ehr):
    context = {
        "patientId": "1",
        "dispatchedOrders": ["ServiceRequest/s1"],
        "performer": "Organization/o1",
    }
    call = hook_call(hook="order-dispatch", context=context, prefetch={"patient": PATIENT})
    answer = site.call(call, "site-dispatch")
    assert answer.status_code == 412  # asked, and found to lack required data: not refused
    lacking = {key: value for key, value in context.items() if key != "performer"}
    assert site.call({**call, "context": lacking}, "site-dispatch").status_code == 400


@pytest.mark.parametrize(
    ("chosen", "warned"),
    [(["ServiceRequest/s1"], False), (["ServiceRequest/elsewhere"], True), ([7], True)],
)
def test_k4_selections_outside_the_draft_orders_are_tolerated_and_warned_of(
    site: Ehr, chosen: list, warned: bool
):
    prefetch = dict.fromkeys(_keys(site, "site-select")) | {"patient": PATIENT}
    prefetch["observations"] = bundle(*sort_chart())
    context = {**SELECTED, "selections": chosen}
    card = site.card(
        hook_call(hook="order-select", context=context, prefetch=prefetch), "site-select"
    )
    assert ("A selected order is not among the draft orders" in card["detail"]) == warned
    assert any(row.startswith("10 % |") for row in risks(card).values())  # SORT's own 10.138 %


def _keys(site: Ehr, name: str) -> list[str]:
    (service,) = (s for s in site.discover() if s["id"] == name)
    return list(service["prefetch"])


def test_k1_a_sites_own_hook_is_published_with_its_context(site: Ehr):
    (service,) = (s for s in site.discover() if s["id"] == "site-transfer")
    assert service["hook"] == "org.example.ward-transfer"
    assert "`measurements` (optional" in service["usageRequirements"]


def carrying(measurements: Json) -> Json:
    context = {"userId": "Practitioner/p7", "patientId": "1", "measurements": measurements}
    return hook_call(hook=HOOKS["site-transfer"], context=context, prefetch=None)


def test_a_hook_of_ours_carries_what_no_resource_holds(site: Ehr):
    """SORT's worked example, 10.138 % (tests/functional/test_fallback); no FHIR resource at all."""
    card = site.card(carrying(SORT_PATIENT), "site-transfer")
    (row,) = (row for name, row in risks(card).items() if name.startswith("Death within 30 days"))
    assert row.startswith("10 % |")
    assert "published score, no model: Surgical Outcome Risk Tool (SORT)" in card["detail"]
    assert "(published score)" in card["summary"]
    assert "`surgery" not in card["detail"]  # no model is named


def test_what_a_hook_carries_is_held_to_the_rules_of_rest(site: Ehr):
    wrong = {"age": "old", "no_such_feature": 1, "cancer": 3}
    answer = site.call(carrying({**SORT_PATIENT, **wrong}), "site-transfer")
    assert answer.status_code == 400
    assert "/context/measurements/age" in issues(answer)
    assert "no_such_feature" not in answer.text
    late = {"value": 71, "unit": "a", "time": "2026-11-21T09:00:00Z"}
    answer = site.call(carrying({**SORT_PATIENT, "age": late}), "site-transfer")
    assert answer.status_code == 412
    assert "not known: age" in issues(answer)


def test_measurements_are_only_read_where_the_hook_defines_them(site: Ehr):
    context = {**SELECTED, "measurements": SORT_PATIENT}
    call = hook_call(hook="order-select", context=context, prefetch=None)
    assert site.call(call, "site-select").status_code == 412


def test_the_index_time_of_the_tests_is_that_of_the_calls():
    assert hook_call()["extension"] == {"se.complication-risk.index-time": INDEX_TIME}
