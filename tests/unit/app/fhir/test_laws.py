"""Laws that hold for whatever is sent: no failure, no other patient, nothing from the future."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lib.fhir import NOW, UCUM, bundle, chart, condition, observation, patient, values
from tests.lib.properties import LAW

CODES = {"2951-2": "mmol/L", "2823-3": "mmol/L", "8867-4": "/min", "718-7": "g/L"}
KEYS = st.sampled_from(
    ["resourceType", "id", "status", "code", "coding", "system", "subject", "reference", "entry",
     "resource", "fullUrl", "effectiveDateTime", "effectivePeriod", "start", "end", "value",
     "valueQuantity", "valueCodeableConcept", "unit", "component", "birthDate", "gender", "link",
     "relation", "url", "total", "type", "meta", "lastUpdated", "class", "period", "identifier",
     "clinicalStatus", "verificationStatus", "recordedDate", "medicationCodeableConcept"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(
        ["Patient/1", "Patient/2", "1", "final", "active", "2026-11-21T06:00:00Z", "2026-11-21",
         "9999-12-31", "0001-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
         "mmol/L", "2951-2", "http://loinc.org", UCUM, "Observation", "Patient", "Condition",
         "Bundle", "Encounter", "MedicationRequest", "Procedure", "searchset", "E11", "1955-03-02"]
    ),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=8)),
    max_leaves=40,
)
REAL = [patient(), *(observation(code, 40, unit) for code, unit in CODES.items()), condition("E11")]


@st.composite
def broken(draw: st.DrawFn) -> list[Any]:
    """Resources of which some parts are anything, and anything between them."""
    made: list[Any] = []
    for real in draw(st.lists(st.sampled_from(REAL), max_size=6)):
        resource = dict(real)
        for key in draw(st.lists(st.sampled_from(sorted(resource)), max_size=3)):
            resource[key] = draw(ANYTHING)
        made.append(resource)
    made += draw(st.lists(ANYTHING, max_size=4))
    return [bundle(*made)] if draw(st.booleans()) else made


@given(broken(), st.one_of(st.sampled_from(["1", "Patient/1", "urn:uuid:1"]), st.text(max_size=9)))
@settings(LAW, max_examples=200)
def test_nothing_that_is_sent_makes_reading_fail(sent: list[Any], whose: str):
    read = chart(*sent, whose=whose)
    names = [measurement.feature.name for measurement in read.measurements]
    assert len(names) == len(set(names)) == len(read.basis)
    assert set(read.times) <= set(names)
    assert all(time <= NOW for time in read.times.values())


@st.composite
def observations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Good Observations of two patients at times around the index time; the value tells all."""
    made = []
    for number in range(draw(st.integers(0, 25))):
        code = draw(st.sampled_from(sorted(CODES)))
        whose = draw(st.sampled_from([1, 2]))
        minutes = draw(st.integers(-600, 600))
        taken = NOW + timedelta(minutes=minutes)
        value = 91 + minutes / 10000 + (30 if whose == 2 else 0)
        made.append(
            observation(
                code,
                value if code != "2823-3" else value / 20,
                CODES[code],
                id=f"{number}",
                subject={"reference": f"Patient/{whose}"},
                effectiveDateTime=taken.isoformat(),
            )
        )
    return made


@given(observations(), st.randoms(use_true_random=False))
@settings(LAW)
def test_each_value_is_the_newest_of_the_patient_by_the_index_time(sent: list[Any], random: Any):
    read = chart(*sent)
    shuffled = list(sent)
    random.shuffle(shuffled)
    assert values(chart(bundle(*shuffled))) == values(read)
    by_basis = {f"Observation/{one['id']}": one for one in sent}
    for name, source in read.basis:
        used = by_basis[source]
        assert used["subject"]["reference"] == "Patient/1"
        assert used["effectiveDateTime"] <= NOW.isoformat()
        rivals = [
            one["effectiveDateTime"]
            for one in sent
            if one["code"] == used["code"]
            and one["subject"] == used["subject"]
            and one["effectiveDateTime"] <= NOW.isoformat()
        ]
        assert read.times[name].isoformat() == max(rivals)


@given(observations())
@settings(LAW)
def test_another_patients_resources_change_nothing(sent: list[Any]):
    own = [one for one in sent if one["subject"]["reference"] == "Patient/1"]
    assert values(chart(*own)) == values(chart(*sent))
