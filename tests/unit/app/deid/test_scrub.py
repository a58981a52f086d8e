"""Behind the door there is no identifier: only measurements without dates, and pseudonyms, pass."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deid import IdentifierFound, scrub, stored_inputs
from app.deid.scrub import minutes_before
from app.schemas.assessment_request import AssessmentRequest
from models.vocabulary import Measurement, Vocabulary, load_vocabulary, settle
from tests.lib.deid import NOW, surroundings
from tests.lib.properties import LAW

EARLIER = datetime(2026, 11, 20, 8, tzinfo=UTC)
PERSON, CASE, STRANGE_UNIT = "195009072553", "case-7731", "Anna Andersson"
WORDS = load_vocabulary()
POINT = WORDS.branch_points["icu-review"]


def request(vocabulary: Vocabulary, **changed: object) -> AssessmentRequest:
    values: dict[str, object] = {
        "subject": PERSON, "episode": CASE, "unit": None, "index_time": EARLIER,
        "measurements": (Measurement(vocabulary.features["age"], 71.0),),
        "times": {"age": EARLIER - timedelta(minutes=90)},
        "outcomes": ("death_180d",), "include": ("reference",), **changed,
    }  # fmt: skip
    return AssessmentRequest(**values)  # type: ignore[arg-type]


def measured(name: str, value: float) -> Measurement:
    return Measurement(WORDS.features[name], value)


def test_subject_and_episode_end_at_the_door(vocabulary: Vocabulary):
    clean = scrub(request(vocabulary), **surroundings())
    assert PERSON not in repr(clean)
    assert CASE not in repr(clean)
    assert {field.name for field in fields(clean)}.isdisjoint({"subject", "episode"})
    assert clean.subject_id.startswith("s1-")
    assert clean.episode_id.startswith("e1-")


def test_measurements_pass_without_their_dates(vocabulary: Vocabulary):
    clean = scrub(request(vocabulary), **surroundings())
    assert clean.measurements == (Measurement(vocabulary.features["age"], 71.0, 90 * 60),)
    assert (clean.index_time, clean.outcomes, clean.include) == (
        EARLIER, ("death_180d",), ("reference",),
    )  # fmt: skip


def test_a_measurement_after_the_index_time_has_a_negative_age(vocabulary: Vocabulary):
    both = (measured("age", 71.0), measured("sex", 0.0))
    later = {"age": EARLIER + timedelta(seconds=1)}
    clean = scrub(request(vocabulary, measurements=both, times=later), **surroundings())
    assert [m.age_s for m in clean.measurements] == [-1, None]


def test_without_an_index_time_now_is_it_to_the_second(vocabulary: Vocabulary):
    now = NOW.replace(microsecond=195009)
    asked = request(vocabulary, index_time=None)
    assert scrub(asked, **surroundings(now=now)).index_time == NOW


@pytest.mark.parametrize(
    ("unit", "kept", "undeclared"),
    [(None, None, False), ("ward-31", "ward-31", False), ("WARD-31", None, True),
     (STRANGE_UNIT, None, True)],
)  # fmt: skip
def test_a_unit_passes_only_when_it_is_declared(
    vocabulary: Vocabulary, unit: str | None, kept: str | None, undeclared: bool
):
    clean = scrub(request(vocabulary, unit=unit), **surroundings())
    assert (clean.unit, clean.undeclared_unit) == (kept, undeclared)
    assert STRANGE_UNIT not in repr(clean)


def test_protected_identity_leaves_no_pseudonym_and_no_unit(vocabulary: Vocabulary):
    asked = request(vocabulary, unit="ward-31", protected_identity=True)
    clean = scrub(asked, **surroundings())
    assert (clean.protected, clean.subject_id, clean.episode_id, clean.unit) == (
        True, None, None, None,
    )  # fmt: skip
    assert not clean.undeclared_unit
    open_one = scrub(replace(asked, protected_identity=False), **surroundings())
    assert not open_one.protected
    assert clean.measurements == open_one.measurements


@pytest.mark.parametrize("blank", [" ", "\t\n", "\u00a0", "\u3000"])
def test_a_blank_subject_is_nobody(vocabulary: Vocabulary, blank: str):
    """Otherwise every patient whose number was left out would be the same patient."""
    clean = scrub(request(vocabulary, subject=blank, episode=blank), **surroundings())
    assert (clean.subject_id, clean.episode_id) == (None, None)


MINUTES = [
    # seconds, minutes
    (0, 0), (59, 0), (60, 1), (3599, 59), (8100, 135), (9999 * 60 + 59, 9999),
    (10_000 * 60, 10_000), (12_345 * 60, 12_340), (500_907 * 60, 500_900),
    (525_600 * 60, 525_600), (525_601 * 60, 525_600), (10**12, 525_600),
]  # fmt: skip


@pytest.mark.parametrize(("age_s", "minutes"), MINUTES)
def test_times_become_whole_minutes_before_the_index_time(age_s: int, minutes: int):
    assert minutes_before(age_s) == minutes


@LAW
@given(st.integers(0, 10**10))
def test_minutes_have_at_most_four_digits_and_are_never_more_than_it_was(age_s: int):
    minutes = minutes_before(age_s)
    assert len(str(minutes).rstrip("0")) <= 4
    assert minutes * 60 <= age_s
    assert minutes == 525_600 or age_s - minutes * 60 <= 60 + age_s * 0.001


def stored_of(*measurements: Measurement) -> dict[str, object]:
    used = settle(measurements, POINT, WORDS.features).used
    stored: dict[str, object] = json.loads(stored_inputs(used))
    return stored


def test_stored_inputs_are_what_was_used_in_the_readers_terms():
    features = WORDS.features
    stored = stored_of(
        Measurement(features["age"], 71.0),
        Measurement(features["sex"], 1.0),
        Measurement(features["diabetes"], 1.0),
        Measurement(features["comorbidity_count"], 2.0),
        Measurement(features["creatinine"], 168.0, 8100),
    )
    assert stored == {
        "age": {"value": 71.0}, "sex": {"value": "male"}, "diabetes": {"value": True},
        "comorbidity_count": {"value": 2}, "creatinine": {"value": 168.0, "minutes_before": 135},
    }  # fmt: skip


def test_what_is_set_aside_and_what_is_a_code_is_not_stored():
    features = WORDS.features
    stored = stored_of(
        Measurement(features["age"], 195_000_000_000.0),  # implausible
        Measurement(features["creatinine"], 168.0, -1),  # after the index time
        Measurement(features["heart_rate"], 80.0, 24 * 3600 + 1),  # too old
        Measurement(features["diagnosis"], float("nan")),
    )
    assert stored == {}


@LAW
@given(st.data())
def test_exactly_what_a_model_may_use_is_stored(data: st.DataObject):
    """Storage and models ask the same question; a branch point's own maximum age counts in both."""
    names = data.draw(st.lists(st.sampled_from(POINT.features), unique=True, max_size=8))
    measurements = []
    for name in names:
        feature = WORDS.features[name]
        if feature.kind in {"category", "flag"}:
            value = float(data.draw(st.integers(0, max(1, len(feature.categories) - 1))))
        else:
            lowest, highest = feature.plausible or (0.0, 1.0)
            value = float(data.draw(st.integers(int(lowest) - 2, int(highest) + 2)))
        age_s = data.draw(st.one_of(st.none(), st.integers(-(10**5), 10**8)))
        measurements.append(Measurement(feature, value, age_s))
    used = settle(measurements, POINT, WORDS.features).values
    stored = stored_of(*measurements)
    derived = {name for name in used if name not in names}
    assert set(stored) == set(used) - derived
    assert all(stored[name]["value"] == WORDS.features[name].show(used[name]) for name in stored)


def test_the_tripwire_stops_what_the_rules_let_through():
    """A site may declare anything a category; a personal number among them is not stored."""
    leak = replace(WORDS.features["sex"], categories=("female", "195009072553"))
    with pytest.raises(IdentifierFound) as found:
        stored_inputs([Measurement(leak, 1.0)])
    assert found.value.kinds == ("personal_number",)
    assert "195009072553" not in str(found.value) + repr(found.value)


def test_stored_inputs_are_json_without_a_date():
    feature = WORDS.features["creatinine"]
    text = stored_inputs([Measurement(feature, 168.0, 90)])
    assert text == '{"creatinine":{"value":168.0,"minutes_before":1}}'
