"""Codes: what coding.toml may say, and what a tenant may add."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.fhir import LocalCode, load_coding
from app.fhir.coding import OWN_CODING
from models.errors import ContentInvalid
from tests.lib.fhir import CODING, WORDS, chart, concept, condition, observation, values

TEXT = OWN_CODING.read_text(encoding="utf-8")
SYSTEM = "https://north.example.org/codes"


def loaded(tmp_path: Path, text: str) -> None:
    (tmp_path / "coding.toml").write_text(text, encoding="utf-8")
    load_coding(WORDS, tmp_path / "coding.toml")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('name = "npu"', 'name = "npu"\ncolour = "red"', "unknown key `colour`"),
        ('feature = "dementia"', 'feature = "dementias"', "not in the dictionary"),
        ('system = "atc"', 'system = "atcs"', "`system` must be one of"),
        ('codes = ["E10-E14"]', 'codes = ["E14-E10"]', "neither a prefix nor a range"),
        ('codes = ["E10-E14"]', 'codes = ["e10"]', "neither a prefix nor a range"),
        ('value = "metastatic"', 'value = "everywhere"', "expects one of"),
        ('value = "metastatic"', "value = true", "expects a string"),
        ('value = "never"', 'value = "seldom"', "expects one of"),
        ('codes = ["8517006"]', 'codes = ["266919005"]', "stands there already"),
        ('"urn:oid:2.16.840.1.113883.6.73"', '"http://loinc.org"', "names another system"),
        (
            'value = "hip_replacement"',
            'value = "hip_replacement"\nfalse_when_list_complete = true',
            "is for a flag",
        ),
        ('feature = "hospital_day"', 'feature = "hospital_day"\nvalue = true', "needs a `value`"),
    ],
)
def test_a_broken_rule_stops_the_start(tmp_path: Path, old: str, new: str, fault: str):
    assert old in TEXT
    with pytest.raises(ContentInvalid, match=fault):
        loaded(tmp_path, TEXT.replace(old, new, 1))


def test_a_tenants_name_for_a_code_system_means_the_same():
    for meant in ("icd-10", "http://hl7.org/fhir/sid/icd-10"):
        own = CODING.for_tenant({SYSTEM: meant}, (), WORDS)
        sent = concept("E11.9", SYSTEM)
        assert [rule.feature.name for rule in own.rules("condition", sent)] == ["diabetes"]
    assert values(chart(condition("E11.9", SYSTEM), point="ward-round")) == {}


def test_a_tenants_own_code_is_read_with_the_unit_it_implies():
    codes = (
        LocalCode(SYSTEM, "CFS", "cfs"),
        LocalCode(SYSTEM, "KREA", "creatinine", "mg/dL"),
        LocalCode(SYSTEM, "O2", "on_supplemental_oxygen"),
    )
    own = CODING.for_tenant({}, codes, WORDS)
    assert own.meanings(concept("KREA", SYSTEM))["creatinine"].implied_unit == "mg/dL"
    sent = [
        observation("x", valueInteger=6, code=concept("CFS", SYSTEM)),
        observation("x", 1.4, None, code=concept("KREA", SYSTEM)),
        observation("x", valueBoolean=True, code=concept("O2", SYSTEM)),
    ]
    read = chart(*sent, coding=own)
    assert values(read) == {"cfs": 6, "creatinine": 123.8, "on_supplemental_oxygen": True}
    yes = concept("373066001", "http://snomed.info/sct")
    coded = observation("x", valueCodeableConcept=yes, code=concept("O2", SYSTEM))
    assert values(chart(coded, coding=own)) == {"on_supplemental_oxygen": True}


def test_a_tenants_own_answer_is_the_value_that_it_says():
    codes = (
        LocalCode(SYSTEM, "APPROACH", "surgical_approach"),
        LocalCode(SYSTEM, "AP-LAP", "surgical_approach", value="laparoscopic"),
    )
    own = CODING.for_tenant({}, codes, WORDS)
    sent = observation(
        "x",
        code=concept("APPROACH", SYSTEM),
        valueCodeableConcept=concept("AP-LAP", SYSTEM),
    )
    read = chart(sent, coding=own, point="end-of-surgery")
    assert values(read) == {"surgical_approach": "laparoscopic"}


@pytest.mark.parametrize(
    ("systems", "code", "fault"),
    [
        ({SYSTEM: "icd-11"}, None, "no code system"),
        ({"http://loinc.org": "snomed"}, None, "cannot mean another"),
        ({}, LocalCode(SYSTEM, "1", "mood"), "not in the dictionary"),
        ({}, LocalCode(SYSTEM, "1", "creatinine", "stone"), "does not accept"),
        ({}, LocalCode("http://loinc.org", "2951-2", "potassium"), "another feature"),
        ({}, LocalCode(SYSTEM, "1", "surgical_approach", value="magic"), "expects one of"),
        ({}, LocalCode("http://snomed.info/sct", "8517006", "smoking", value="never"), "already"),
    ],
)
def test_what_a_tenant_must_not_say(systems: dict[str, str], code: LocalCode | None, fault: str):
    with pytest.raises(ValueError, match=fault):
        CODING.for_tenant(systems, [] if code is None else [code], WORDS)


def test_every_feature_of_a_rule_can_be_asked_for_somewhere():
    asked = {name for point in WORDS.branch_points.values() for name in point.features}
    named = {line.split('"')[1] for line in TEXT.splitlines() if line.startswith("feature = ")}
    assert named <= asked
