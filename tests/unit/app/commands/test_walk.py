"""How a stop of the walk is worded: numbers in their unit, risks in percent."""

from __future__ import annotations

import pytest

from app.commands.walk import _happened, _truth, visits_of
from app.errors import AppError

TRUTH = {"truth": {"days_at_home_30d": 26.04, "length_of_stay_days": 3.0, "death_30d": 0.0123}}


@pytest.mark.parametrize(
    ("outcome", "kind", "said"),
    [
        ("death_30d", "binary", "truth 1.2%"),
        ("days_at_home_30d", "numeric", "truth 26.0"),
        ("length_of_stay_days", "numeric", "truth 3.0"),
        ("stroke", "binary", ""),
    ],
)
def test_the_truth_is_a_risk_in_percent_or_a_number_of_days(outcome: str, kind: str, said: str):
    assert _truth(TRUTH, {"outcome": outcome, "kind": kind}) == said


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [("numeric", 26.0, "26.0"), ("binary", 1.0, "yes"), ("binary", 0.0, "no"), (None, 1.0, "yes")],
)
def test_what_happened_is_yes_or_no_or_a_number(kind: str | None, value: float, said: str):
    assert _happened(kind, value) == said


@pytest.mark.parametrize("lines", [["{"], ["[]"], ['{"a": 1}'], []])
def test_lines_that_are_no_visits_are_refused_in_words(lines: list[str]):
    with pytest.raises(AppError, match=r"expected lines as|there is no episode"):
        visits_of(lines, 0)
