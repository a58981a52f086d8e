"""A service that says nothing of what did not come is noticed."""

from __future__ import annotations

import json

from app.check_integration.checks.calls import _names
from app.check_integration.door import Answer

HEADERS = {"content-type": "application/json", "cache-control": "no-store"}
NO_CARD = Answer(200, HEADERS, json.dumps({"cards": []}).encode(), 1.0)


def test_no_card_is_a_fault_where_the_good_call_was_given_one():
    faults, _ = _names(NO_CARD, ["laboratory"], {"summary": "Risk 7 %"})
    assert faults == ["no card, and nothing says what is missing"]


def test_no_card_is_right_where_no_call_is_given_one():
    assert _names(NO_CARD, ["laboratory"], None) == ([], "200, no card")
