"""What `$assess` may be asked with, and what is said of the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import Problem
from app.fhir import read_assess_operation
from app.schemas.strict_json import MOST_PARTS
from tests.lib.fhir import bundle, observation, patient

POINT = {"name": "branchPoint", "valueCode": "icu-review"}


def read(*parameters: Any, point: str | None = None):
    body = {"resourceType": "Parameters", "parameter": list(parameters)}
    return read_assess_operation(json.dumps(body).encode(), point)


def test_parameters_may_hold_bundles_and_single_resources():
    sodium = observation("2951-2", 139, "mmol/L")
    asked = read(
        POINT,
        {"name": "bundle", "resource": bundle(patient())},
        {"name": "resource", "resource": sodium},
        {"name": "indexTime", "valueInstant": "2026-11-21T09:15:00.9+01:00"},
        {"name": "outcome", "valueCode": "death_180d"},
        {"name": "outcome", "valueString": "sepsis"},
        {"name": "include", "valueCode": "reference"},
        {"name": "episode", "valueString": "case-7731"},
        {"name": "unit", "valueString": "ward-31"},
        {"name": "protectedIdentity", "valueBoolean": True},
    )
    assert (asked.branch_point, asked.patient) == ("icu-review", "1")
    assert asked.resources == (bundle(patient()), sodium)
    assert asked.index_time is not None
    assert asked.index_time.isoformat() == "2026-11-21T08:15:00+00:00"
    assert asked.outcomes == ("death_180d", "sepsis")
    assert (asked.include, asked.episode, asked.unit) == (("reference",), "case-7731", "ward-31")
    assert asked.protected_identity


def test_identifiers_are_not_shown():
    asked = read(
        POINT,
        {"name": "patient", "valueId": "195009072553"},
        {"name": "episode", "valueString": "case-7731"},
        {"name": "unit", "valueString": "ward-31"},
    )
    assert not any(text in repr(asked) for text in ("195009072553", "case-7731", "ward-31"))


@pytest.mark.parametrize(
    "resources",
    [[], [observation("2951-2", 139, "mmol/L")], [patient(), patient(id="2")], [patient(id=None)]],
)
def test_the_patient_is_never_guessed(resources: list[Any]):
    with pytest.raises(Problem) as refusal:
        read(POINT, {"name": "bundle", "resource": bundle(*resources)})
    assert [fault.code for fault in refusal.value.errors] == ["required"]


def test_all_faults_are_named_by_position_and_nothing_is_repeated():
    with pytest.raises(Problem) as refusal:
        read(
            {"name": "195009072553", "valueString": "x"},
            {"name": "outcome"},
            {"name": "unit", "valueString": "a"},
            {"name": "unit", "valueString": "b"},
            {"name": "bundle", "valueString": "195009072553"},
            {"name": "patient", "valueReference": {"display": "195009072553"}},
            {"name": "episode", "valueString": "x" * 201},
        )
    found = [(fault.pointer, fault.code) for fault in refusal.value.errors]
    assert found == [
        ("/parameter/0", "unknown_field"),
        ("/parameter/1", "invalid_value"),
        ("/parameter/3", "invalid_value"),
        ("/parameter/4", "invalid_value"),
        ("/parameter/5/valueReference", "invalid_value"),
        ("/parameter/6/valueString", "invalid_value"),
    ]
    assert "195009072553" not in str(refusal.value.document())


def test_a_body_of_more_parts_than_any_chart_has_is_refused():
    body = b"[" + b"{}," * MOST_PARTS + b"{}]"
    with pytest.raises(Problem) as refusal:
        read_assess_operation(body, None)
    assert refusal.value.status == 413
