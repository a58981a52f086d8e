"""Sections A, B and C of the checklist: JSON, discovery, and the templates that are published."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from app.cds_hooks.discovery import discovery
from app.cds_hooks.hooks import load_hooks
from app.cds_hooks.template_rules import MOST_KEYS, lint_prefetch, lint_template
from app.fhir import load_coding
from app.main import create_app
from app.settings import load_settings
from monitoring.keyring import throwaway_keyring
from tests.lib.hooks import ICU, Ehr, empties, hook_call, prefetch, report
from tests.lib.service import running_service

FILE = Path(__file__).parents[3] / "openapi" / "cds-services.json"
DOCUMENT = json.loads(FILE.read_text(encoding="utf-8"))
SERVICES = DOCUMENT["services"]
HOOKS = load_hooks()
TOKENS = ("patientId", "encounterId", "userId")


def test_the_checked_in_document_is_the_apps_own():
    """When this fails: `make openapi`, and look at the difference."""
    desk = create_app(load_settings(), throwaway_keyring()).state.risk.desk
    assert {"services": [s.document() for s in desk.services.values()]} == DOCUMENT


def test_a1_every_body_is_json(ehr: Ehr):
    answers = [
        ehr.ask("GET", "/cds-services"),
        ehr.call(hook_call()),
        ehr.call(b"{"),
        ehr.ask("DELETE", f"/cds-services/{ICU}"),
        ehr.ask("GET", "/cds-services/nowhere/at/all"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 405, 404]
    for answer in answers:
        assert answer.headers["content-type"] == "application/json"
        json.loads(answer.content)


def test_a2_no_null_and_no_empty_value_in_any_response(ehr: Ehr, southern: Ehr):
    card = ehr.card(hook_call())
    answers = [
        ehr.ask("GET", "/cds-services"),
        ehr.call(hook_call(prefetch=prefetch(patient=None))),
        ehr.call(hook_call(prefetch=None)),
        ehr.call(hook_call(hook="trauma", context={})),
        ehr.give_feedback(report(card)),
        southern.call(hook_call()),
    ]
    assert [path for answer in answers for path in empties(answer.json())] == []
    assert list(empties({"cards": [], "detail": "", "links": [], "source": {"url": None}})) == [
        "$.detail", "$.links", "$.source.url",
    ]  # fmt: skip


def test_a3_a_fhir_server_without_tls_is_refused_before_the_service_starts(
    trained: Path, tmp_path: Path
):
    tenants = tmp_path / "tenants.toml"
    tenants.write_text(
        '[[tenant]]\nid = "north"\ncare_units = []\n'
        '[tenant.cds_hooks]\nfhir_servers = ["http://fhir.example.org/r4"]\n'
    )
    for settings in (
        {"RISK_TENANTS_FILE": str(tenants)},
        {"RISK_FHIR_SERVERS": '["http://fhir.example.org/r4"]'},
    ):
        with (
            pytest.raises(AssertionError, match="https"),
            running_service(trained, tmp_path / "log", settings),
        ):
            pass


def test_a3_where_tls_is_required_plain_http_is_refused(trained: Path, tmp_path: Path):
    settings = {"RISK_TLS": "required", "RISK_TRUSTED_PROXIES": '["127.0.0.0/8"]'}
    with (
        running_service(trained, tmp_path / "log", settings, until=None) as service,
        service.client() as client,
    ):
        ehr = Ehr(client)
        for answer in (ehr.ask("GET", "/cds-services"), ehr.call(hook_call())):
            assert answer.status_code == 403
        assert ehr.ask("GET", "/cds-services", x_forwarded_proto="http").status_code == 403
        assert ehr.ask("GET", "/cds-services", x_forwarded_proto="https").status_code == 200
        assert client.get("/v1/features").status_code == 403
        assert client.get("/livez").status_code == 200
    with (
        pytest.raises(AssertionError, match="no proxy is trusted"),
        running_service(trained, tmp_path / "log", {"RISK_TLS": "required"}),
    ):
        pass


def test_a3_a_stranger_cannot_say_that_it_came_over_tls(trained: Path, tmp_path: Path):
    settings = {"RISK_TLS": "required", "RISK_TRUSTED_PROXIES": '["10.0.0.5"]'}
    with (
        running_service(trained, tmp_path / "log", settings, until=None) as service,
        service.client() as client,
    ):
        answer = Ehr(client).ask("GET", "/cds-services", x_forwarded_proto="https")
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b'{"hook": "patient-view",}',
        b'{"hook": "patient-view" /* a comment */}',
        b"{'hook': 'patient-view'}",
        b'{"hook": NaN}',
        b"[" * 5000,
        b'{"hook": "\xff"}',
        b'{"hook": "\\ud800"}',
        b"[]",
        b"null",
        b'"text"',
    ],
)
def test_a4_what_is_no_json_object_is_refused(ehr: Ehr, body: bytes):
    assert ehr.call(body).status_code == 400
    assert ehr.ask("POST", f"/cds-services/{ICU}/feedback", body).status_code == 400


@pytest.mark.parametrize(
    "extension", [{"com.example.flag": {"deep": [1]}}, [{"url": "a list, as HealthChain has it"}]]
)
def test_a5_unknown_fields_and_extensions_are_ignored(ehr: Ehr, extension: object):
    plain = ehr.card(hook_call(prefetch=prefetch()))
    index_time = hook_call()["extension"]
    more = extension | index_time if isinstance(extension, dict) else extension
    card = ehr.card(
        hook_call(
            extension=more,
            somethingNew={"a": 1},
            context={**hook_call()["context"], "unheardOf": [None]},
            prefetch=prefetch(unknown={"resourceType": "Patient", "id": "2"}),
        )
    )
    if isinstance(extension, dict):
        assert card["summary"] == plain["summary"]


def test_b1_discovery_is_an_object_with_services(ehr: Ehr):
    answer = ehr.ask("GET", "/cds-services")
    assert answer.status_code == 200
    assert answer.json() == DOCUMENT


def test_b2_no_services_are_an_empty_list(trained: Path, tmp_path: Path):
    """Over HTTP every caller has at least one: a tenant without any is refused at the start."""
    assert discovery([], None) == {"services": []}
    tenants = tmp_path / "tenants.toml"
    tenants.write_text('[[tenant]]\nid = "north"\ncare_units = []\nbranch_points = []\n')
    with (
        pytest.raises(AssertionError, match="`branch_points` is empty"),
        running_service(trained, tmp_path / "log", {"RISK_TENANTS_FILE": str(tenants)}),
    ):
        pass


def test_b3_every_service_has_hook_description_and_id():
    for service in SERVICES:
        assert all(isinstance(service[key], str) for key in ("hook", "description", "id"))
    assert len(SERVICES) == 9


def test_b4_every_service_has_a_title():
    assert all(service["title"] for service in SERVICES)


def test_b5_every_listed_id_can_be_called(ehr: Ehr):
    listed = ehr.discover()
    for service in listed:
        answer = ehr.call(hook_call(hook=service["hook"]), service["id"])
        assert answer.status_code in (200, 400, 412), answer.text  # never 404
    assert ehr.call(hook_call(), "not-listed").status_code == 404


def test_b6_prefetch_is_an_object_of_texts_that_is_not_empty():
    for service in SERVICES:
        assert service["prefetch"]
        assert all(isinstance(template, str) for template in service["prefetch"].values())


def test_b7_one_id_is_listed_under_one_hook_only():
    assert len({service["id"] for service in SERVICES}) == len(SERVICES)


def test_b8_usage_requirements_say_what_happens_without_prefetch():
    for service in SERVICES:
        assert "412" in service["usageRequirements"]
        assert "FHIR server" in service["usageRequirements"]
        assert "age" in service["usageRequirements"]


def test_b9_a_trailing_slash_works(ehr: Ehr):
    assert ehr.ask("GET", "/cds-services/").json() == ehr.ask("GET", "/cds-services").json()


def test_b9_a_client_may_keep_the_document_and_nothing_else(ehr: Ehr, http: httpx.Client):
    """What is listed depends on who asks, so a shared cache may not keep it."""
    offered = ehr.ask("GET", "/cds-services")
    assert offered.headers["cache-control"] == "private, max-age=300"
    assert {"authorization", "x-api-key"} <= {
        name.strip() for name in offered.headers["vary"].lower().split(",")
    }
    for answer in (
        Ehr(http).ask("GET", "/cds-services"),  # refused: no token
        ehr.call(hook_call()),
        ehr.call(hook_call(prefetch=None)),
        ehr.ask("DELETE", "/cds-services"),
    ):
        assert answer.headers["cache-control"] == "no-store"


def test_b10_discovery_asks_for_a_token_of_its_own_url(ehr: Ehr, http: httpx.Client):
    assert Ehr(http).ask("GET", "/cds-services").status_code == 401
    elsewhere = ehr.token(f"/cds-services/{ICU}")
    answer = ehr.ask("GET", "/cds-services", authorization=f"Bearer {elsewhere}")
    assert answer.status_code == 401
    assert ehr.ask("GET", "/cds-services").status_code == 200


def test_b10_discovery_lists_what_the_tenant_may_ask(southern: Ehr):
    assert {service["id"] for service in southern.discover()} == {"icu-review", "discharge"}


def test_b10_discovery_can_be_open_while_calls_are_not(trained: Path, house, tmp_path: Path):
    settings = {
        "RISK_TENANTS_FILE": str(house.folder / "tenants.toml"),
        "RISK_CDS_DISCOVERY": "open",
    }
    with (
        running_service(trained, tmp_path / "log", settings, until=None) as service,
        service.client() as client,
    ):
        assert Ehr(client).discover() == SERVICES
        assert Ehr(client).call(hook_call()).status_code == 401


@pytest.mark.parametrize("service", SERVICES, ids=[s["id"] for s in SERVICES])
def test_c1_to_c6_every_published_template_passes_the_linter(service: dict):
    hook = HOOKS.get(service["hook"])
    assert hook is not None
    assert lint_prefetch(service["prefetch"], hook.tokens) == ()


GOOD = "Observation?patient={{context.patientId}}&code=718-7&_sort=-date&_count=9"


@pytest.mark.parametrize(
    ("row", "template", "fault"),
    [
        ("c1", "Patient/{{context.performer}}", "no token of this hook"),
        ("c1", "Patient/{{patientId}}", "no token of this hook"),
        ("c1", "Patient/{{userName}}", "no token of this hook"),
        ("c1", "Patient/{context.patientId}", "another form"),
        ("c2", "Patient/{{context.draftOrders.entry[0]}}", "no token of this hook"),
        ("c2", "Patient/{{%patient.id}}", "no token of this hook"),
        ("c3", f"{GOOD}&date=ge{{{{today() - 30 days}}}}", "no token of this hook"),
        ("c4", f"{GOOD}&_include=Observation:subject", "outside the subset"),
        ("c4", f"{GOOD}&_revinclude=Provenance:target", "outside the subset"),
        ("c4", f"{GOOD}&_has:Group:member:_id=1", "outside the subset"),
        ("c4", f"{GOOD}&code:text=sodium", "outside the subset"),
        ("c4", f"{GOOD}&subject.name=a", "outside the subset"),
        ("c4", f"{GOOD}&date=ne2026-01-01", "must be a date"),
        ("c4", f"{GOOD}&date=sa2026-01-01", "must be a date"),
        ("c4", f"{GOOD}&date=eb2026-01-01", "must be a date"),
        ("c4", f"{GOOD}&category=", "has no value"),
        ("c4", "metadata", "neither a read nor a search"),
        ("c4", "https://elsewhere.example.org/Patient/1", "neither a read nor a search"),
        ("c6", GOOD.replace("&_count=9", ""), "needs `_count`"),
        ("c6", GOOD.replace("_count=9", "_count=0"), "`_count` must be"),
        ("c6", GOOD.replace("_count=9", "_count=5000"), "`_count` must be"),
        ("c6", GOOD.replace("&_sort=-date", ""), "needs `_sort"),
        ("c6", GOOD.replace("_sort=-date", "_sort=date"), "`_sort` must be"),
        ("c6", "Observation?code=1&_sort=-date&_count=9", "names no patient"),
        ("c6", GOOD + "&code:in=" + "x" * 2000, "longer than"),
    ],
)
def test_c1_to_c6_the_linter_refuses(row: str, template: str, fault: str):
    assert any(fault in found for found in lint_template(template, TOKENS)), row


@pytest.mark.parametrize(
    "template",
    [
        GOOD,
        "Patient/{{context.patientId}}",
        "Practitioner/{{userPractitionerId}}",
        f"{GOOD}&date=ge2026-01-01,lt2027-01-01",
        f"{GOOD}&code:in=http://example.org/set",
        "Observation?subject=Patient/{{context.patientId}}&date=gt2026-01-01&_count=9",
    ],
)
def test_c4_the_subset_that_clients_resolve_passes(template: str):
    assert lint_template(template, TOKENS) == ()


def test_c5_no_template_depends_on_another():
    assert not any("%" in t for service in SERVICES for t in service["prefetch"].values())


def test_c7_no_service_has_more_than_eight_keys():
    assert max(len(service["prefetch"]) for service in SERVICES) <= MOST_KEYS == 8
    nine = {f"key-{letter}": GOOD for letter in "abcdefghi"}
    assert lint_prefetch(nine, TOKENS) == ("more than 8 keys",)


def test_the_templates_name_every_code_that_the_features_have(vocabulary):
    """Nothing that a model could read stays unasked because a code was forgotten."""
    for service in SERVICES:
        asked = " ".join(service["prefetch"].values())
        for name in vocabulary.branch_points[service["id"]].features:
            for system in ("loinc", "npu", "snomed"):
                for code in vocabulary.features[name].codes.get(system, ()):
                    assert code in asked, (service["id"], name)


def test_the_templates_ask_for_answers_that_need_no_known_question(vocabulary):
    """ASA class and level of consciousness have no code of their own: they are known by the answer."""
    alone = load_coding(vocabulary).standing_alone()
    assert alone.keys() == {"asa_class", "consciousness_acvpu"}
    assert "413498004" in alone["asa_class"]  # ASA class IV
    for service in SERVICES:
        told = set(alone) & set(vocabulary.branch_points[service["id"]].features)
        asked = service["prefetch"].get("coded-answers", "")
        assert all(code in asked for name in told for code in alone[name])
        assert bool(asked) == bool(told)
        assert not asked or "&value-concept=" in asked
