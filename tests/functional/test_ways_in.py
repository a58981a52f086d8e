"""A hundred and fifty synthetic patients, five ways in, one answer, whether a model gives it or abstains.

The patients are clinosim's. Their clocks are moved, because a Bulk export is scored at one index time:
of two in three the last result came half an hour before it, of every third the middle of the stay is
at it and the rest is still to come. REST is sent what a small reader of this file finds, independent
of the product's: the newest value by then, in the unit of the laboratory. Only what follows from
diagnoses and the admission is taken from the product's reader of charts; that one is held to a table
written by hand in `tests/spec/test_synthetic_charts.py`.

The searches of the EHR do not say how many there are: where they do, a list of diagnoses is known to be
whole and what is not on it is absent, which a Bulk export cannot say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cds_hooks.prefetch import fill
from tests.lib import clinosim
from tests.lib.clinosim import Resource
from tests.lib.fhir import WORDS, bundle, chart, values
from tests.lib.fhir_server import FhirServer, fhir_server
from tests.lib.hooks import access, hook_call
from tests.lib.once import made_once
from tests.lib.pathway_models import OUTCOMES
from tests.lib.service import run_command, running_service

PATIENTS, POPULATION = 150, 480  # of so many people, a little more than so many come to hospital
INDEX = "2026-06-30T12:00:00+00:00"
AT = datetime.fromisoformat(INDEX)
HOOKS = {"discharge": "encounter-discharge", "ward-round": "patient-view"}
EVERY = {"discharge": 1, "ward-round": 5}
"""Discharge requires an age only and is asked about everybody, the ward round about every fifth."""
ANSWERED_AT_LEAST = {"discharge": 0.7, "ward-round": 0.05}
"""Share of patients whom a model must answer; the others abstain, with the same reason everywhere:
they are unlike those it was fitted on, or lack a vital sign that the ward round requires."""
MEASURED = {
    "8302-2": "height", "29463-7": "weight", "39156-5": "bmi", "8867-4": "heart_rate",
    "2708-6": "spo2", "9279-1": "resp_rate", "8310-5": "temperature", "9269-2": "gcs_total",
    "8480-6": "sbp", "8462-4": "dbp", "718-7": "hemoglobin", "6690-2": "wbc", "777-3": "platelets",
    "1988-5": "crp", "2160-0": "creatinine", "2951-2": "sodium", "2823-3": "potassium",
    "1751-7": "albumin", "2345-7": "glucose", "4548-4": "hba1c", "1742-6": "alt", "1920-8": "ast",
    "3094-0": "urea", "6301-6": "inr", "2524-7": "lactate", "2744-1": "ph", "2019-8": "pco2",
    "2703-7": "po2",
}  # fmt: skip
"""LOINC of the simulator's results to the dictionary's names."""
ANSWERS = {
    "248234008": ("consciousness_acvpu", "alert"),
    "266919005": ("smoking", "never"), "8517006": ("smoking", "former"),
    "449868002": ("smoking", "current"),
}  # fmt: skip
UREA_NITROGEN = {"mg/dL": "mg/dL{BUN}"}
TENANTS = """
base_url = "https://risk.example.org"
[[tenant]]
id = "north"
care_units = []
[tenant.cds_hooks]
fhir_servers = ["{fhir}"]
"""


# ---------------------------------------------------------------- the patients


@pytest.fixture(scope="session")
def charts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Resource]]:
    """A hundred and fifty charts around one index time."""

    def make(folder: Path) -> None:
        clinosim.simulate(folder, POPULATION, "--start", "2026-05-20")

    folder = made_once(tmp_path_factory, "clinosim-to-all-doors", make)
    found: dict[str, list[Resource]] = {}
    simulated = clinosim.charts(folder)
    for number, (patient, resources) in enumerate(list(simulated.items())[:PATIENTS]):
        known = sorted(
            datetime.fromisoformat(one.get("issued") or one["effectiveDateTime"])
            for one in resources
            if one["resourceType"] == "Observation"
        )
        now = known[len(known) // 2] if number % 3 == 2 else known[-1]
        found[patient] = clinosim.moved(resources, AT - timedelta(minutes=30) - now)
    assert len(found) == PATIENTS
    return found


def as_rest_sends_it(resources: Sequence[Resource], point: str) -> Resource:
    """The measurements of one patient, as somebody would send them who reads the record by hand."""
    person = resources[0]
    born = datetime.fromisoformat(person["birthDate"]).replace(tzinfo=AT.tzinfo)
    birthday_had = (AT.month, AT.day) >= (born.month, born.day)
    found: Resource = {"age": AT.year - born.year - (not birthday_had), "sex": person["gender"]}
    newest: dict[str, tuple[datetime, Any]] = {}
    for resource in resources:
        if resource["resourceType"] != "Observation" or resource["status"] != "final":
            continue
        taken = datetime.fromisoformat(resource["effectiveDateTime"])
        if max(taken, datetime.fromisoformat(resource.get("issued", INDEX))) > AT:
            continue
        for holder in (resource, *resource.get("component", ())):
            for name, value in _said(holder):
                if name not in newest or taken > newest[name][0]:
                    newest[name] = (taken, {**value, "time": taken.isoformat()})
    found |= {name: value for name, (_, value) in newest.items()}
    coded = values(chart(*resources, point=point, at=AT, whose=person["id"]))
    in_this_file = {*MEASURED.values(), *(name for name, _ in ANSWERS.values()), *found}
    found |= {name: value for name, value in coded.items() if name not in in_this_file}
    wanted = WORDS.branch_points[point].features
    return {name: value for name, value in found.items() if name in wanted}


def _said(holder: Mapping[str, Any]) -> Iterator[tuple[str, Resource]]:
    (code,) = {coding.get("code") for coding in holder["code"].get("coding", [{}])}
    if code in MEASURED and "valueQuantity" in holder:
        quantity = holder["valueQuantity"]
        unit = quantity["code"]
        spelled = UREA_NITROGEN.get(unit, unit) if code == "3094-0" else unit
        yield MEASURED[code], {"value": quantity["value"], "unit": spelled}
    elif code in MEASURED and "valueInteger" in holder:
        yield MEASURED[code], {"value": holder["valueInteger"]}
    for coding in holder.get("valueCodeableConcept", {}).get("coding", ()):
        if coding["code"] in ANSWERS:
            name, value = ANSWERS[coding["code"]]
            yield name, {"value": value}


# ---------------------------------------------------------------- the ways in


@dataclass(frozen=True)
class House:
    """A service with models at the branch points, and the EHR's FHIR server that it may read."""

    http: httpx.Client
    fhir: FhirServer
    prefetch: Mapping[str, Mapping[str, str]]

    def post(self, path: str, document: Any) -> Any:
        answer = self.http.post(path, json=document)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stored(self, assessment_id: str) -> list[Resource]:
        answer = self.http.get(f"/v1/assessments/{assessment_id}")
        assert answer.status_code == 200, answer.text
        return outcomes_of(answer.json())


@pytest.fixture(scope="module")
def house(pathway: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("ways-in")
    with fhir_server() as fhir:
        fhir.tells_total = False
        (folder / "tenants.toml").write_text(TENANTS.format(fhir=fhir.base))
        settings = {
            "RISK_TENANTS_FILE": str(folder / "tenants.toml"),
            "RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl"),
            "RISK_FHIR_BUDGET_S": "20",
        }
        scopes = [part for scope in ("assess", "read", "cds") for part in ("--scope", scope)]
        made = run_command(
            "risk-serve", "keys", "create", "--name", "ehr", "--tenant", "north", *scopes,
            var=pathway, settings=settings,
        )  # fmt: skip
        key = {"x-api-key": made.stdout.strip()}
        with (
            running_service(pathway, folder / "log", settings) as service,
            httpx.Client(base_url=service.url, headers=key, timeout=30.0) as http,
        ):
            offered = http.get("/cds-services").json()["services"]
            yield House(http, fhir, {one["id"]: one["prefetch"] for one in offered})


def outcomes_of(answer: Mapping[str, Any]) -> list[Resource]:
    """What is told of each outcome: status, reason, probability, every contribution, the model."""
    found: list[Resource] = answer["outcomes"]
    return found


def through_rest(house: House, point: str, resources: Sequence[Resource]) -> list[Resource]:
    sent = {
        "subject": resources[0]["id"],
        "index_time": INDEX,
        "measurements": as_rest_sends_it(resources, point),
    }
    return outcomes_of(house.post(f"/v1/branch-points/{point}/assessments", sent))


def through_fhir(
    house: House, point: str, resources: Sequence[Resource], others: Sequence[Resource]
) -> list[Resource]:
    given = [
        {"name": "branchPoint", "valueCode": point},
        {"name": "indexTime", "valueDateTime": INDEX},
        {"name": "patient", "valueString": resources[0]["id"]},
        {"name": "bundle", "resource": bundle(*resources, *others)},
    ]
    answer = house.post("/fhir/$assess", {"resourceType": "Parameters", "parameter": given})
    made = answer["entry"][0]["resource"]
    told = house.stored(made["id"])
    percent = {
        prediction["outcome"]["coding"][0]["code"]: prediction["probabilityDecimal"] / 100
        for prediction in made.get("prediction", ())
        if "probabilityDecimal" in prediction
    }
    shown = {one["outcome"]: one["probability"] for one in told if "probability" in one}
    assert percent == pytest.approx(shown, abs=1e-9)
    return told


def through_prefetch(house: House, point: str, resources: Sequence[Resource]) -> list[Resource]:
    """The EHR resolves the published templates, every page of them."""
    context = context_of(resources)
    prefetched: Resource = {}
    for key, template in house.prefetch[point].items():
        target: str | None = fill(template, context)
        while target is not None:
            status, page = house.fhir.look_up(target)
            assert status == 200, key
            if key in prefetched:
                prefetched[key]["entry"] += page["entry"]
            else:
                prefetched[key] = {k: v for k, v in page.items() if k != "link"}
            links = {link["relation"]: link["url"] for link in page.get("link", ())}
            target = links["next"].removeprefix(f"{house.fhir.base}/") if "next" in links else None
    return through_hook(house, point, {"context": context, "prefetch": prefetched})


def through_server(house: House, point: str, resources: Sequence[Resource]) -> list[Resource]:
    more = {"context": context_of(resources), "prefetch": None, **access(house.fhir)}
    return through_hook(house, point, more)


def through_hook(house: House, point: str, more: Mapping[str, Any]) -> list[Resource]:
    said = {"hook": HOOKS[point], "extension": {"se.complication-risk.index-time": INDEX}}
    (card,) = house.post(f"/cds-services/{point}", hook_call(**said, **more))["cards"]
    return house.stored(card["uuid"])


def context_of(resources: Sequence[Resource]) -> dict[str, str]:
    """The stay that lasts at the index time, or the last one that had begun."""
    stays = [
        (datetime.fromisoformat(one["period"]["start"]), one["id"])
        for one in resources
        if one["resourceType"] == "Encounter"
    ]
    encounter = max((stay for stay in stays if stay[0] <= AT), default=min(stays))[1]
    patient = resources[0]["id"]
    return {"userId": "Practitioner/p7", "patientId": patient, "encounterId": encounter}


def through_files(
    pathway: Path, point: str, patients: Mapping[str, Sequence[Resource]], folder: Path
) -> dict[str, list[Resource]]:
    """A Bulk export of everybody; answers stand in the order of the Patient resources."""
    export = clinosim.as_export(folder / "export", patients)
    out = folder / "answers.ndjson"
    settings = {"RISK_DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}",
                "RISK_KEYS_FILE": str(folder / "keys.toml")}  # fmt: skip
    run_command(
        "risk-serve", "score-file", str(export), str(out), "--branch-point", point,
        "--index-time", INDEX, "--jobs", "1", var=pathway, settings=settings,
    )  # fmt: skip
    people = (export / "Patient.ndjson").read_text(encoding="utf-8").splitlines()
    answers = out.read_text(encoding="utf-8").splitlines()
    return {
        json.loads(person)["id"]: outcomes_of(json.loads(line)["answer"])
        for person, line in zip(people, answers, strict=True)
    }


@pytest.mark.parametrize("point", HOOKS)
def test_the_same_patient_gets_the_same_answer_through_all_five_ways_in(
    point: str, house: House, pathway: Path, charts: dict[str, list[Resource]], tmp_path: Path
):
    """Status, reason, probability, contributions and model, of every outcome; beside a stranger."""
    asked = dict(list(charts.items())[:: EVERY[point]])
    dropped = through_files(pathway, point, asked, tmp_path)
    statuses: Counter[tuple[str, str]] = Counter()
    stranger: Sequence[Resource] = charts[list(charts)[-1]]
    for patient, resources in asked.items():
        house.fhir.resources[:] = [*resources, *stranger]
        expected = through_rest(house, point, resources)
        found = {
            "$assess": through_fhir(house, point, resources, stranger),
            "prefetch": through_prefetch(house, point, resources),
            "FHIR server": through_server(house, point, resources),
            "file drop": dropped[patient],
        }
        # Exactly: the probability too, of which 1e-9 is asked.
        assert {way: told for way, told in found.items() if told != expected} == {}, patient
        statuses.update((one["outcome"], one["status"]) for one in expected)
        stranger = resources
    answered = {name: statuses[name, "answered"] / len(asked) for name in OUTCOMES[point]}
    assert min(answered.values()) >= ANSWERED_AT_LEAST[point], statuses
