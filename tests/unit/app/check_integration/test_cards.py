"""Every rule of a card has a card that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from app.check_integration.checks.cards import card_faults

UUID = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
TASK = {"resourceType": "Task", "for": {"reference": "Patient/1"}}
ACTION = {"type": "create", "description": "Creates a task", "resource": TASK}
SUGGESTION = {"uuid": UUID, "label": "Talk about goals of care", "actions": [ACTION]}
WHOLE = {
    "uuid": UUID,
    "summary": "Risk of death 12 %",
    "indicator": "warning",
    "source": {"label": "Risk service"},
    "detail": "| a | b \\| c |\n| --- | --- |\n| 1 | 2 |",
    "suggestions": [SUGGESTION],
    "selectionBehavior": "any",
    "overrideReasons": [{"code": "a", "system": "urn:x", "display": "A"}],
    "links": [{"label": "Card", "url": "https://risk.example.org", "type": "absolute"}],
}


def with_action(**changed: Any) -> dict[str, Any]:
    action = {key: value for key, value in {**ACTION, **changed}.items() if value is not None}
    return {"suggestions": [{**SUGGESTION, "actions": [action]}]}


def test_a_whole_card_has_no_fault():
    assert list(card_faults(WHOLE)) == []


def test_139_characters_are_shown():
    assert list(card_faults({**WHOLE, "summary": "x" * 139})) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"summary": "x" * 140}, "140 characters"),
        ({"summary": 7}, "no `summary`"),
        ({"indicator": "hard-stop"}, "`indicator` must be"),
        ({"source": {"url": "https://risk.example.org"}}, "no `source.label`"),
        ({"uuid": "42"}, "no `uuid`"),
        ({"links": []}, "$.links is empty"),
        ({"detail": None}, "$.detail is empty"),
        ({"detail": ["text"]}, "`detail` is no text"),
        ({"detail": "<b>high</b>"}, "HTML"),
        ({"detail": "| a | b |\n| --- | --- |\n| 1 |"}, "different numbers of cells"),
        ({"selectionBehavior": "all"}, "selectionBehavior"),
        (
            {
                "selectionBehavior": "at-most-one",
                "suggestions": [{**SUGGESTION, "isRecommended": True}] * 2,
            },
            "several recommended",
        ),
        ({"suggestions": [{"label": "a", "actions": [ACTION]}]}, "lacks label or uuid"),
        ({"suggestions": [{"label": "a", "uuid": UUID}]}, "without actions"),
        (with_action(type="order"), "no create, update or delete"),
        (with_action(description=None), "without description"),
        (with_action(resource=None), "create without a FHIR resource"),
        (with_action(type="delete", resource=None), "delete without `resourceId`"),
        ({"overrideReasons": [{"code": "a", "system": "urn:x"}]}, "override reason"),
        ({"links": [{"label": "a", "url": "b", "type": "relative"}]}, "neither absolute nor smart"),
        (
            {"links": [{"label": "a", "url": "b", "type": "absolute", "appContext": "c"}]},
            "`appContext`",
        ),
    ],
)
def test_each_rule_is_held_against_a_card_that_breaks_it(changed: dict[str, Any], fault: str):
    faults = list(card_faults({**WHOLE, **changed}))
    assert len(faults) == 1
    assert fault in faults[0]
