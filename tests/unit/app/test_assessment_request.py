"""A request is taken to the second, and its protection is a plain yes or no."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from app.errors import Problem
from app.schemas.assessment_request import FIELDS, parse_assessment_request
from app.schemas.documents import AssessmentRequestDocument
from models.vocabulary import load_vocabulary

WORDS = load_vocabulary()
POINT = WORDS.branch_points["icu-review"]


def parsed(**document):
    body = json.dumps({"measurements": {}, **document}).encode()
    return parse_assessment_request(body, POINT, WORDS)


@pytest.mark.parametrize(
    "sent",
    ["2026-11-21T08:15:00Z", "2026-11-21T08:15:00.9Z", "2026-11-21T08:15:00.195009072Z",
     "2026-11-21T09:15:00.999999999+01:00", "2026-11-21t08:15:00.5z"],
)  # fmt: skip
def test_fractions_of_a_second_are_dropped_from_every_time(sent):
    moment = datetime(2026, 11, 21, 8, 15, tzinfo=UTC)
    request = parsed(index_time=sent, measurements={"age": {"value": 71, "time": sent}})
    assert request.index_time == moment
    assert request.times == {"age": moment}


@pytest.mark.parametrize(("sent", "expected"), [(None, False), (False, False), (True, True)])
def test_protected_identity_is_yes_or_no_and_no_by_default(sent, expected):
    assert parsed(protected_identity=sent).protected_identity is expected
    assert parsed().protected_identity is False


@pytest.mark.parametrize("sent", ["true", 1, 0, [], {}, "195009072553"])
def test_anything_else_is_refused_rather_than_taken_for_no(sent):
    with pytest.raises(Problem) as refused:
        parsed(protected_identity=sent)
    (fault,) = refused.value.errors
    assert (refused.value.status, fault.pointer, fault.code) == (
        422, "/protected_identity", "invalid_value",
    )  # fmt: skip


def test_a_request_never_shows_who_it_is_about():
    shown = repr(parsed(subject="195009072553", episode="case-7731", unit="Anna Andersson"))
    assert "AssessmentRequest(" in shown
    for sent in ("195009072553", "case-7731", "Anna"):
        assert sent not in shown


def test_the_documented_request_has_the_fields_that_are_parsed():
    assert set(AssessmentRequestDocument.model_fields) == set(FIELDS)
