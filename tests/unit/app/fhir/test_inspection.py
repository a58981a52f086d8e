"""What the inspection of a chart says of each resource is what the reader of charts does with it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from app.fhir import load_coding, read_chart
from app.fhir.inspection import KEYED, NOT_READ, READ, SUPERSEDED, inspect_chart
from models.vocabulary import load_vocabulary

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
WORDS = load_vocabulary()
PERSON = {
    "resourceType": "Patient",
    "id": "1",
    "birthDate": "1950-05-12",
    "gender": "female",
    "name": [{"family": "Svensson"}],
    "identifier": [{"system": "urn:oid:1.2.752.129.2.1.3.1", "value": "195009072553"}],
}


def read(patient: str = "1") -> Any:
    return partial(
        read_chart,
        patient=patient,
        point=WORDS.branch_points["icu-review"],
        vocabulary=WORDS,
        coding=load_coding(WORDS),
        index_time=NOW,
    )


def sodium(taken: str = "2026-11-21T06:00:00Z", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "same",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2951-2"}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": taken,
        "valueQuantity": {"value": 139, "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        **more,
    }


def bundle(*resources: dict[str, Any]) -> list[tuple[str, object]]:
    entries = [{"resource": resource} for resource in resources]
    return [("", {"resourceType": "Bundle", "entry": entries})]


def test_each_element_is_told_by_what_its_absence_changes():
    person, observation = inspect_chart(bundle(PERSON, sodium(note=[{"text": "x"}])), read())
    uses = {one.pointer.rpartition("/")[2]: one.use for one in person.elements}
    assert uses == {
        "id": READ,
        "birthDate": READ,
        "gender": READ,
        "name": NOT_READ,
        "identifier": KEYED,
    }
    assert set(person.taken) == {"age", "sex"}
    assert observation.taken == ("sodium",)
    left = {one.pointer for one in observation.elements if one.use == NOT_READ}
    assert left == {"/entry/1/resource/note"}


def test_of_two_values_the_older_one_is_called_superseded_even_with_one_id():
    older, newer = sodium("2026-11-21T04:00:00Z"), sodium()
    _, first, second = inspect_chart(bundle(PERSON, older, newer), read())
    assert (first.taken, first.reasons) == ((), (("sodium", SUPERSEDED),))
    assert second.taken == ("sodium",)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"subject": {"reference": "Patient/2"}}, (None, "other_patient")),
        ({"status": "cancelled"}, (None, "not_final")),
        ({"code": {"text": "Svensson"}}, (None, "not_in_dictionary")),
        ({"effectiveDateTime": "2026-11-22T06:00:00Z"}, ("sodium", "later_than_index_time")),
        ({"valueQuantity": {"value": 9000, "code": "mmol/L"}}, ("sodium", "implausible_value")),
        ({"resourceType": "Svensson"}, (None, "other_type")),
    ],
)
def test_what_is_not_taken_has_a_reason(changed: dict[str, Any], reason: tuple[str | None, str]):
    _, one = inspect_chart(bundle(PERSON, sodium(**changed)), read())
    assert one.taken == ()
    assert one.reasons == (reason,)
    assert one.kind in (None, "Observation")


def test_names_that_nobody_declared_are_not_repeated():
    sent = bundle({**PERSON, "195009072553": "x"}, {"resourceType": "Anna Svensson"})
    told = repr(inspect_chart(sent, read()))
    assert "19500907" not in told
    assert "Svensson" not in told
    assert "/entry/0/resource/6" in told
