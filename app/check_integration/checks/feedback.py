"""An EHR can say what became of a card, once and again, and is told when it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from app.check_integration.door import Answer, Door, at
from app.check_integration.ehr import Given
from app.check_integration.findings import Notes

ORPHAN = "200: one unknown card must not fail the others"


def check_feedback(door: Door, given: tuple[Given, ...], notes: Notes) -> None:
    """Report on cards of this run, in every form that clients use."""
    cards = [(one.visit.service.path, one.card) for one in given if one.card is not None]
    if not cards:
        notes.skip("feedback.overridden", "reports on cards", "200", "no card came")
        return
    _accept(door, cards, notes)
    path, card = cards[0]
    _override(door, path, card, notes)
    unknown = door.ask("POST", f"{path}/feedback", _body(_report(str(uuid4()), "overridden")))
    notes.judge(
        "feedback.unknown-card", "a report on a card that never was", ORPHAN, _wrong(unknown), "200"
    )
    _refused(door, path, notes)


def _accept(door: Door, cards: list[tuple[str, Mapping[str, Any]]], notes: Notes) -> None:
    asked, expected = "accepted, naming a suggestion", "200"
    for path, card in cards:
        suggestion = at(card, "suggestions", 0, "uuid")
        if suggestion is not None:
            report = _report(
                str(card.get("uuid")), "accepted", acceptedSuggestions=[{"id": suggestion}]
            )
            answer = door.ask("POST", f"{path}/feedback", _body(report))
            notes.judge("feedback.accepted", asked, expected, _wrong(answer), "200")
            return
    why = "no card of the invented patients holds a suggestion"
    notes.skip("feedback.accepted", asked, expected, why)


def _override(door: Door, path: str, card: Mapping[str, Any], notes: Notes) -> None:
    code = at(card, "overrideReasons", 0, "code") or "integration-check"
    report = _report(
        str(card.get("uuid")), "overridden",
        overrideReason={"reason": {"code": code}, "userComment": door.canaries.comment},
    )  # fmt: skip
    first = door.ask("POST", f"{path}/feedback", _body(report))
    notes.judge(
        "feedback.overridden", "overridden, with a reason without display and a comment", "200",
        _wrong(first), "200",
    )  # fmt: skip
    again = door.ask("POST", f"{path}/feedback", _body(report))
    faults = _wrong(again)
    if again.at("recorded") not in (None, 0):
        faults.append("it was recorded a second time")
    notes.judge("feedback.twice", "the same report again", "200, not counted twice", faults, "200")


def _refused(door: Door, path: str, notes: Notes) -> None:
    name = door.canaries.name
    for asked, body in (
        ("a report without card, with another outcome", _body({"outcome": name})),
        ("a body that is no JSON", f'{{"feedback": "{name}'.encode()),
    ):
        answer = door.ask("POST", f"{path}/feedback", body)
        faults = [] if answer.status in (400, 422) else [f"answered {answer.status}"]
        notes.judge("feedback.malformed", asked, "400 or 422", faults, f"{answer.status}")


def _report(card: str, outcome: str, **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return {"card": card, "outcome": outcome, "outcomeTimestamp": now, **more}


def _body(report: Mapping[str, Any]) -> dict[str, Any]:
    return {"feedback": [report]}


def _wrong(answer: Answer) -> list[str]:
    return [] if answer.status == 200 else [f"answered {answer.status}"]
