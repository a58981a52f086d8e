"""A report of what happened: what is taken, and every fault with its pointer and code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import Problem
from app.schemas.outcome_report import parse_outcome_report
from models.vocabulary import Vocabulary

WHEN = "2026-12-01T08:00:00+01:00"
GOOD: dict[str, Any] = {
    "subject": "195009072553", "episode": "case-7731", "outcome": "death_180d", "value": True,
    "observed_at": WHEN,
}  # fmt: skip


def parse(document: Any, vocabulary: Vocabulary):
    return parse_outcome_report(json.dumps(document).encode(), vocabulary)


def test_a_report_is_taken_in_utc(vocabulary: Vocabulary):
    report = parse(GOOD, vocabulary)
    assert (report.outcome, report.value, report.correction) == ("death_180d", 1.0, False)
    assert report.observed_at.isoformat() == "2026-12-01T07:00:00+00:00"
    assert (report.assessment_id, report.subject, report.episode) == (
        None, "195009072553", "case-7731",
    )  # fmt: skip


def test_it_may_name_an_assessment_instead(vocabulary: Vocabulary):
    sent = {
        "assessment_id": "a-1",
        "outcome": "length_of_stay_days",
        "value": 7,
        "observed_at": WHEN,
    }
    report = parse(sent, vocabulary)
    assert (report.assessment_id, report.subject, report.value) == ("a-1", None, 7.0)


def test_a_number_is_as_exact_as_any_measurement(vocabulary: Vocabulary):
    """Four significant digits: a personal number does not fit."""
    sent = {**GOOD, "outcome": "cost_sek", "value": 1_234_567.89}
    assert parse(sent, vocabulary).value == 1_235_000.0


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"outcome": "happiness"}, "/outcome", "unknown_outcome"),
        ({"outcome": None}, "/outcome", "unknown_outcome"),
        ({"outcome": 7}, "/outcome", "unknown_outcome"),
        ({"outcome": ["death_180d"]}, "/outcome", "unknown_outcome"),
        ({"value": 1}, "/value", "invalid_value"),
        ({"value": "true"}, "/value", "invalid_value"),
        ({"value": None}, "/value", "invalid_value"),
        ({"outcome": "length_of_stay_days", "value": True}, "/value", "invalid_value"),
        ({"outcome": "length_of_stay_days", "value": -1}, "/value", "invalid_value"),
        ({"outcome": "length_of_stay_days", "value": 10**400}, "/value", "invalid_value"),
        ({"outcome": "days_at_home_30d", "value": 31}, "/value", "invalid_value"),
        ({"observed_at": None}, "/observed_at", "invalid_value"),
        ({"observed_at": "2026-12-01"}, "/observed_at", "invalid_value"),
        ({"observed_at": "2026-12-01T08:00:00"}, "/observed_at", "invalid_value"),
        ({"correction": "yes"}, "/correction", "invalid_value"),
        ({"subject": ""}, "/subject", "invalid_value"),
        ({"subject": " \u00a0\u2003"}, "/subject", "invalid_value"),
        ({"episode": "\t"}, "/episode", "invalid_value"),
        ({"subject": 195009072553}, "/subject", "invalid_value"),
        ({"episode": "x" * 201}, "/episode", "invalid_value"),
        ({"assessment_id": "a-1"}, "", "invalid_value"),
        ({"subject": None, "episode": None}, "", "invalid_value"),
        ({"195009072553": 1}, "/5", "unknown_field"),
    ],
)
def test_every_fault_is_named_and_nothing_is_echoed(
    vocabulary: Vocabulary, change: dict[str, Any], pointer: str, code: str
):
    with pytest.raises(Problem) as refused:
        parse({**GOOD, **change}, vocabulary)
    assert refused.value.status == 422
    assert (pointer, code) in {(fault.pointer, fault.code) for fault in refused.value.errors}
    assert "195009072553" not in json.dumps(refused.value.document())


@pytest.mark.parametrize("sent", [[], "x", 1, None, True])
def test_anything_but_an_object_is_refused(vocabulary: Vocabulary, sent: Any):
    with pytest.raises(Problem) as refused:
        parse(sent, vocabulary)
    assert refused.value.status == 422


def test_malformed_json_is_400(vocabulary: Vocabulary):
    with pytest.raises(Problem) as refused:
        parse_outcome_report(b'{"subject": "1', vocabulary)
    assert refused.value.status == 400


def test_it_never_shows_who_it_is_about(vocabulary: Vocabulary):
    shown = repr(parse(GOOD, vocabulary))
    assert "195009072553" not in shown
    assert "case-7731" not in shown
