"""Behind the door there is no identifier: only dictionary measurements and times pass."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from app.deid import scrub
from app.schemas.assessment_request import AssessmentRequest
from models.vocabulary import Measurement, Vocabulary

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EARLIER = datetime(2026, 11, 20, 8, tzinfo=UTC)
PERSON, CASE, STRANGE_UNIT = "195009072553", "case-7731", "Anna Andersson"


def request(vocabulary: Vocabulary, **changed: object) -> AssessmentRequest:
    values: dict[str, object] = {
        "subject": PERSON, "episode": CASE, "unit": None, "index_time": EARLIER,
        "measurements": (Measurement(vocabulary.features["age"], 71.0, EARLIER),),
        "outcomes": ("death_180d",), "include": ("reference",), **changed,
    }  # fmt: skip
    return AssessmentRequest(**values)  # type: ignore[arg-type]


def test_subject_and_episode_end_at_the_door(vocabulary: Vocabulary):
    clean = scrub(request(vocabulary), (), NOW)
    assert PERSON not in repr(clean)
    assert CASE not in repr(clean)
    assert {field.name for field in fields(clean)}.isdisjoint({"subject", "episode"})


def test_measurements_times_and_wishes_pass(vocabulary: Vocabulary):
    sent = request(vocabulary)
    clean = scrub(sent, (), NOW)
    assert clean.measurements == sent.measurements
    assert (clean.index_time, clean.outcomes, clean.include) == (
        EARLIER, ("death_180d",), ("reference",),
    )  # fmt: skip


def test_without_an_index_time_now_is_it(vocabulary: Vocabulary):
    assert scrub(request(vocabulary, index_time=None), (), NOW).index_time == NOW


@pytest.mark.parametrize(
    ("unit", "kept", "undeclared"),
    [(None, None, False), ("ward-31", "ward-31", False), ("WARD-31", None, True),
     (STRANGE_UNIT, None, True)],
)  # fmt: skip
def test_a_unit_passes_only_when_it_is_declared(
    vocabulary: Vocabulary, unit: str | None, kept: str | None, undeclared: bool
):
    clean = scrub(request(vocabulary, unit=unit), ("ward-31", "icu"), NOW)
    assert (clean.unit, clean.undeclared_unit) == (kept, undeclared)
    assert STRANGE_UNIT not in repr(clean)
