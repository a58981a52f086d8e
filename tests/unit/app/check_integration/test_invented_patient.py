"""The invented patient is made of what the service publishes, and of nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.check_integration.dictionary import Dictionary
from app.check_integration.invented_patient import InventedPatient, invent
from app.fhir import load_coding, read_chart
from app.routers.declarations import branch_point_document, feature_document
from models.tripwire import find_identifiers
from models.vocabulary import Vocabulary, load_vocabulary
from tests.lib.properties import LAW

WORDS = load_vocabulary()
CODING = load_coding(WORDS)
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NUMBER = {
    "kind": "number", "unit": "mmol/L", "plausible": [1.0, 15.0], "integer": False,
    "codes": {"loinc": ["2823-3"]}, "label": {"en": "Potassium"},
}  # fmt: skip
AGE = {"kind": "number", "unit": "a", "plausible": [0.0, 120.0], "integer": False, "codes": {}}


def site(required: dict[str, Any], typical: dict[str, float] | None = None) -> Dictionary:
    """What a site's service publishes about one branch point."""
    features = {"age": AGE, **required}
    point = {"id": "own", "required": list(features), "optional": []}
    return Dictionary(features, {"own": point}, {"own": typical or {}})


def made(dictionary: Dictionary, *, carries: bool = False, at: datetime = NOON) -> InventedPatient:
    return invent(dictionary, "own", 3, name="Nobody", carries=carries, index_time=at)


def published(words: Vocabulary) -> Dictionary:
    return Dictionary(
        {name: feature_document(feature) for name, feature in words.features.items()},
        {
            name: branch_point_document(point, words, {}, silent=False)
            for name, point in words.branch_points.items()
        },
        {},
    )


def test_a_number_is_the_middle_of_what_is_plausible():
    """Between 1.0 and 15.0 mmol/L that is 8.0; between 0 and 120 years 60."""
    patient = made(site({"potassium": NUMBER}))
    assert patient.measurements["potassium"]["value"] == 8.0
    assert patient.measurements["potassium"]["unit"] == "mmol/L"
    assert patient.measurements["age"] == 60


def test_what_the_models_call_typical_goes_first_and_stays_plausible():
    assert made(site({"k": NUMBER}, {"k": 4.12345})).measurements["k"]["value"] == 4.123
    assert made(site({"k": NUMBER}, {"k": 99.0})).measurements["k"]["value"] == 15.0
    whole = {**NUMBER, "integer": True}
    assert made(site({"k": whole}, {"k": 4.6})).measurements["k"]["value"] == 5


def test_the_resource_says_code_unit_and_time_as_the_dictionary_has_them():
    patient = made(site({"potassium": NUMBER}))
    (observation,) = (r for r in patient.resources if r["resourceType"] == "Observation")
    assert observation["code"]["coding"] == [
        {"system": "http://loinc.org", "code": "2823-3", "display": "Potassium"}
    ]
    assert observation["valueQuantity"] == {
        "value": 8.0, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L",
    }  # fmt: skip
    assert observation["effectiveDateTime"] == "2026-11-21T11:00:00Z"
    assert observation["subject"] == {"reference": "Patient/integration-check-patient-3"}


def test_what_has_no_code_is_carried_by_the_hook_or_left_out():
    bare = {**NUMBER, "codes": {}}
    assert made(site({"k": bare})).left_out == ("k",)
    carried = made(site({"k": bare}), carries=True)
    assert carried.left_out == ()
    assert carried.carried["k"]["value"] == 8.0


def test_who_is_described_twice_is_the_same_person_to_the_reader_of_charts():
    """At every branch point of ours, what the chart's reader finds is what REST would be sent."""
    dictionary = published(WORDS)
    for name, point in WORDS.branch_points.items():
        patient = invent(dictionary, name, 1, name="Nobody", carries=False, index_time=NOON)
        chart = read_chart(
            list(patient.resources), patient=patient.id, point=point, vocabulary=WORDS,
            coding=CODING, index_time=NOON,
        )  # fmt: skip
        read = {m.feature.name: m.feature.show(m.value) for m in chart.measurements}
        sent = {
            feature: said["value"] if isinstance(said, dict) else said
            for feature, said in patient.measurements.items()
        }
        assert read == sent, name
        assert not chart.set_aside


@LAW
@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    years=st.integers(0, 110),
)
def test_the_age_is_the_same_on_every_day(at: datetime, years: int):
    dictionary = site({}, {"age": float(years)})
    patient = made(dictionary, at=at.replace(microsecond=0))
    born = datetime.fromisoformat(patient.resources[0]["birthDate"]).replace(tzinfo=UTC)
    had = at.year - born.year - ((at.month, at.day) < (born.month, born.day))
    assert patient.measurements["age"] == years == had


def test_nothing_of_it_looks_like_a_personal_number():
    for number in range(1, 200):
        patient = invent(site({}), "own", number, name="N", carries=True, index_time=NOON)
        assert not find_identifiers(patient.id)
        assert not find_identifiers(patient.encounter_id)
