"""A model is too slow when its median answer is, whatever else the machine does."""

from __future__ import annotations

from itertools import accumulate, chain

import pytest

from models.answering_time import ANSWERS, is_slower_than
from tests.lib.risk_models import fitted, values_of

BUDGET_S = 0.05


class Watch:
    """A clock on which the answers take the given seconds, by turns."""

    def __init__(self, took_s: list[float]) -> None:
        self.read = 0
        steps = chain.from_iterable((0.0, seconds) for seconds in took_s)
        self._times = list(accumulate(steps))

    def __call__(self) -> float:
        self.read += 1
        return self._times[self.read - 1]


def slow(took_s: list[float]) -> tuple[bool, int]:
    """The verdict, and how many answers it took."""
    watch, row = Watch(took_s), values_of(fitted().X[0])
    return is_slower_than(fitted().model, [row], BUDGET_S, clock=watch), watch.read // 2


@pytest.mark.parametrize(
    ("took_s", "verdict", "answers"),
    [
        ([0.01] * ANSWERS, False, 11),
        ([0.06] * ANSWERS, True, 11),
        ([5.0] * 10 + [0.01] * 11, False, 21),
        ([0.06] * 11 + [0.01] * 10, True, 11),
        ([0.06, 0.01] * 10 + [0.06], True, 21),
    ],
    ids=["within", "over", "ten slow of 21", "eleven slow of 21", "the last one decides"],
)
def test_the_median_decides(took_s: list[float], verdict: bool, answers: int):
    assert slow(took_s) == (verdict, answers)


def test_processor_time_is_what_counts_by_itself():
    """A small model answers well within a second, and not within a nanosecond."""
    row = values_of(fitted().X[0])
    assert is_slower_than(fitted().model, [row], 1.0) is False
    assert is_slower_than(fitted().model, [row], 1e-9) is True
