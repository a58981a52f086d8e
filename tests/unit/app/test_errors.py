"""A problem document as RFC 9457 section 3 has it."""

from __future__ import annotations

from app.errors import EXPLAINED, TITLES, InputError, Problem


def test_a_problem_without_faults_has_no_list_of_them():
    assert Problem(404, "Nothing here.").document() == {
        "type": "about:blank", "title": "Not found", "status": 404, "detail": "Nothing here.",
    }  # fmt: skip


def test_a_problem_lists_its_faults_in_order():
    faults = [InputError("/a", "invalid_value", "expects 1"), InputError("/b", "x", "expects 2")]
    assert Problem(422, "Two faults.", faults).document()["errors"] == [
        {"pointer": "/a", "code": "invalid_value", "detail": "expects 1"},
        {"pointer": "/b", "code": "x", "detail": "expects 2"},
    ]


def test_an_unknown_status_still_has_a_title():
    assert Problem(418, "").document()["title"] == "Error"


def test_every_explained_status_has_a_title():
    assert EXPLAINED.keys() <= TITLES.keys()
