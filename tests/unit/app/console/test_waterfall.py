"""A risk's waterfall adds up twice: in log-odds as reasons do, and in percentage points as it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console.frame.numbers import MINUS, Numbers
from app.console.frame.words import load_texts
from app.console.pictures.risks import (
    LEAST_MARKS,
    SHOWN,
    logit,
    marks_from_nothing,
    risk_waterfall,
    risks_on_axis,
)

TEXTS, NUMBERS = load_texts()["en"], Numbers("en")
LOG_ODDS = st.floats(-4, 4).map(lambda value: round(value, 6))


def number(told: str) -> float:
    return float(told.split()[-1].replace(MINUS, "-"))


@given(LOG_ODDS, st.lists(LOG_ODDS, max_size=2 * SHOWN))
def test_steps_lead_from_the_base_to_the_risk_in_both_scales(
    base: float, contributions: list[float]
):
    contributions.sort(key=lambda value: -abs(value))
    reasons = [
        {"label": f"reason {i}", "value": "yes", "contribution": one}
        for i, one in enumerate(contributions)
    ]
    end = base + sum(contributions)
    picture = risk_waterfall("death", base, reasons, end, TEXTS, NUMBERS)
    first, *steps, last = picture.rows
    assert len(steps) == min(len(contributions), SHOWN) + (len(contributions) > SHOWN)
    risks = [1 / (1 + 2.718281828459045**-at) for at in (base, end)]
    # Each figure is rounded to a tenth of a point, and to a hundredth of log-odds.
    assert sum(number(points) for _, points, _ in steps) == pytest.approx(
        100 * (risks[1] - risks[0]), abs=0.05 * len(steps) + 1e-6
    )
    assert sum(number(moved) for _, _, moved in steps) == pytest.approx(
        end - base, abs=0.005 * len(steps) + 1e-6
    )
    assert (number(first[2]), number(last[2])) == pytest.approx((base, end), abs=0.005 + 1e-9)


def test_one_reason_from_an_even_chance_by_hand():
    """Log-odds 0 are 50 %, log-odds ln 3 = 1.0986 are 75 %: 25 points."""
    reasons = [{"label": "Age", "value": "90 years", "contribution": 1.0986122886681098}]
    picture = risk_waterfall("death", 0.0, reasons, 1.0986122886681098, TEXTS, NUMBERS)
    assert [row[1].replace("\u202f", " ") for row in picture.rows] == [
        "50.0 %",
        "▲ +25.0",
        "75.0 %",
    ]
    assert [row[2] for row in picture.rows] == ["0.00", "+1.10", "+1.10"]


@given(st.floats(0.002, 0.99), st.floats(0.005, 6))
def test_an_axis_of_risks_is_marked_wherever_it_lies(lowest: float, length: float):
    """From a hundredth of a percentage point on there are marks enough to read a place between them."""
    low, high = logit(lowest), logit(lowest) + length
    marks = risks_on_axis(low, high)
    assert all(low <= at <= high for at in marks)
    assert marks == sorted(set(marks))
    wide = 1 / (1 + 2.718281828459045**-high) - lowest
    if wide > 0.01:
        assert len(marks) >= LEAST_MARKS


@given(st.floats(1e-4, 1e5))
def test_an_axis_from_nothing_reaches_the_highest_figure_and_no_step_beyond(highest: float):
    marks = marks_from_nothing(highest)
    step = marks[1]
    assert marks[0] == 0
    assert marks[-2] < highest <= marks[-1] * (1 + 1e-9)
    assert 2 <= len(marks) <= 6
    assert [round(mark / step, 6) for mark in marks] == list(range(len(marks)))


def test_no_risk_has_an_axis_beyond_certainty():
    assert marks_from_nothing(0.9999)[-1] == marks_from_nothing(1.0)[-1] == 1.0
