"""Section H: what became of cards, once each, as codes; nothing that a user wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.cds_hooks.test_cards import GRAVE
from tests.lib.hooks import ICU, Ehr, Json, hook_call, issues, report

COMMENT = "Ringde anhöriga till patienten i går"


def counted(ehr: Ehr, name: str) -> dict[tuple[str, str], float]:
    """A counter of the service, by branch point and its other label."""
    found = {}
    for family in text_string_to_metric_families(ehr.http.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name:
                labels = dict(sample.labels)
                found[labels.pop("branch_point"), *labels.values()] = sample.value
    return found


def kept(house) -> list[tuple[str, str, str]]:
    """What the ledger has: card, verdict, detail."""
    file = next(house.folder.glob("*-ledger.db"))
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return list(database.execute("SELECT card_id, verdict, detail FROM feedback ORDER BY seq"))


def test_h1_feedback_is_a_list_at_its_own_path(ehr: Ehr):
    answer = ehr.give_feedback(report(ehr.card(hook_call())))
    assert answer.status_code == 200
    assert answer.json() == {"recorded": 1, "already_recorded": 0, "unknown_cards": 0}
    for wrong in ({}, {"feedback": []}, {"feedback": {}}, {"feedback": [None]}):
        assert ehr.ask("POST", f"/cds-services/{ICU}/feedback", wrong).status_code == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("card", None),
        ("card", ""),
        ("card", 7),
        ("outcome", None),
        ("outcome", "ignored"),
        ("outcomeTimestamp", None),
        ("outcomeTimestamp", "yesterday"),
        ("outcomeTimestamp", "2026-11-21T08:01:00"),
    ],
)
def test_h2_every_report_names_card_outcome_and_time(ehr: Ehr, field: str, value: object):
    answer = ehr.give_feedback(report({"uuid": "x"}, **{field: value}))
    assert answer.status_code == 400
    assert f"/feedback/0/{field}" in issues(answer)


@pytest.mark.parametrize("accepted", [None, [], {}, [None], [{}], [{"id": ""}]])
def test_h3_what_was_accepted_must_be_named(ehr: Ehr, accepted: object):
    answer = ehr.give_feedback(report({"uuid": "x"}, "accepted", acceptedSuggestions=accepted))
    assert answer.status_code == 400
    assert "/feedback/0/acceptedSuggestions" in issues(answer)


def test_h3_accepted_suggestions_are_kept_as_actions(ehr: Ehr, house):
    card = ehr.card(GRAVE)
    accepted = [{"id": card["suggestions"][0]["uuid"]}, {"id": "of another card"}]
    ehr.give_feedback(report(card, "accepted", acceptedSuggestions=accepted))
    (detail,) = [detail for uuid, _, detail in kept(house) if uuid == card["uuid"]]
    stored = orjson.loads(detail)
    assert stored["unknown_suggestions"] == 1
    assert stored["actions"][0] in (
        "goals-of-care-conversation", "palliative-care-consultation", "plan-next-level-of-care",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (None, 200),
        ({"reason": {"code": "data-wrong"}}, 200),  # the reference client sends no display
        ({"reason": {"code": "data-wrong", "system": "urn:x", "display": "x"}}, 200),
        ({"reason": {"code": "of the site"}}, 200),
        ({"userComment": COMMENT}, 200),
        ({}, 400),
        ([], 400),
        ({"reason": "text"}, 400),
        ({"reason": {"display": "no code"}}, 400),
        ({"userComment": 7}, 400),
        ({"userComment": "x" * 10_001}, 400),
    ],
)
def test_h4_an_override_may_say_why(ehr: Ehr, reason: object, status: int):
    answer = ehr.give_feedback(report(ehr.card(hook_call()), overrideReason=reason))
    assert answer.status_code == status


def test_h5_the_same_report_is_recorded_once(ehr: Ehr, house):
    first, second = ehr.card(hook_call()), ehr.card(hook_call())
    reports = [report(first), report(second), report(first)]
    assert ehr.give_feedback(*reports).json()["recorded"] == 2
    assert ehr.give_feedback(*reports).json() == {
        "recorded": 0, "already_recorded": 3, "unknown_cards": 0,
    }  # fmt: skip
    later = report(first, outcomeTimestamp="2026-11-21T08:05:00Z")
    assert ehr.give_feedback(later).json()["recorded"] == 1
    assert sum(uuid == first["uuid"] for uuid, _, _ in kept(house)) == 2


def test_h6_an_unknown_card_does_not_fail_the_others(ehr: Ehr, southern: Ehr, house):
    mine, theirs = ehr.card(hook_call()), southern.card(hook_call())
    unknown = [{"uuid": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"}, {"uuid": "not ours"}, theirs]
    before = counted(ehr, "risk_feedback_total")[ICU, "orphan"]
    answer = ehr.give_feedback(*map(report, [*unknown, mine]))
    assert answer.status_code == 200
    assert answer.json() == {"recorded": 1, "already_recorded": 0, "unknown_cards": 3}
    assert counted(ehr, "risk_feedback_total")[ICU, "orphan"] == before + 3
    assert theirs["uuid"] not in {uuid for uuid, _, _ in kept(house)}


def test_h6_a_card_of_another_service_is_unknown(ehr: Ehr):
    answer = ehr.give_feedback(report(ehr.card(hook_call())), service="ward-round")
    assert answer.json()["unknown_cards"] == 1


@pytest.mark.parametrize("audience", [f"/cds-services/{ICU}/feedback", f"/cds-services/{ICU}"])
def test_h7_the_audience_is_the_feedback_url_or_its_services(ehr: Ehr, audience: str):
    body: Json = {"feedback": [report(ehr.card(hook_call()))]}
    bearer = f"Bearer {ehr.token(audience)}"
    answer = ehr.ask("POST", f"/cds-services/{ICU}/feedback", body, authorization=bearer)
    assert answer.status_code == 200
    elsewhere = f"Bearer {ehr.token('/cds-services/discharge/feedback')}"
    answer = ehr.ask("POST", f"/cds-services/{ICU}/feedback", body, authorization=elsewhere)
    assert answer.status_code == 401


def test_h8_a_comment_leaves_no_trace_but_that_there_was_one(ehr: Ehr, house):
    card = ehr.card(hook_call())
    reason = {"reason": {"code": COMMENT, "display": COMMENT}, "userComment": COMMENT}
    ehr.give_feedback(report(card, overrideReason=reason))
    (detail,) = [detail for uuid, _, detail in kept(house) if uuid == card["uuid"]]
    assert orjson.loads(detail) == {"reason": "other", "commented": True}
    for file in house.folder.rglob("*"):
        if file.is_file():
            assert COMMENT.encode() not in file.read_bytes(), file.name


def test_h9_cards_are_counted_apart_from_what_became_of_them(ehr: Ehr):
    """Silence is not a rejection: cards without a report are in one counter only."""
    given = counted(ehr, "risk_cards_total")
    verdicts = counted(ehr, "risk_feedback_total")
    cards = [ehr.card(hook_call()) for _ in range(3)]
    ehr.give_feedback(report(cards[0]))
    assert counted(ehr, "risk_cards_total")[ICU, "warning"] == given[ICU, "warning"] + 3
    after = counted(ehr, "risk_feedback_total")
    assert after[ICU, "overridden"] == verdicts[ICU, "overridden"] + 1
    assert after[ICU, "accepted"] == verdicts[ICU, "accepted"]


def test_every_series_is_there_from_the_start(ehr: Ehr, vocabulary):
    points = set(vocabulary.branch_points)
    feedback, cards = counted(ehr, "risk_feedback_total"), counted(ehr, "risk_cards_total")
    assert feedback.keys() == {
        (point, verdict) for point in points for verdict in ("accepted", "overridden", "orphan")
    }
    assert cards.keys() == {
        (point, indicator)
        for point in points
        for indicator in ("info", "warning", "critical", "none")
    }
