"""A token bucket for each client."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.identity import RateLimit
from tests.lib.properties import LAW


class Steps:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_the_rate():
    clock = Steps()
    limit = RateLimit(10.0, burst=3, clock=clock)
    assert [limit.allow("a") for _ in range(3)] == [None] * 3
    wait = limit.allow("a")
    assert wait is not None
    assert abs(wait - 0.1) < 1e-6
    clock.now = 0.1
    assert limit.allow("a") is None
    assert limit.allow("a") is not None


def test_a_refused_request_costs_nothing():
    clock = Steps()
    limit = RateLimit(1.0, clock=clock)
    limit.allow("a")
    for _ in range(1000):
        assert limit.allow("a") is not None
    clock.now = 1.0
    assert limit.allow("a") is None


def test_a_rate_below_one_a_second_still_lets_one_through():
    clock = Steps()
    limit = RateLimit(0.1, clock=clock)
    assert limit.allow("a") is None
    assert limit.allow("a") is not None
    clock.now = 10.0
    assert limit.allow("a") is None


def test_clients_do_not_share_a_bucket():
    limit = RateLimit(1.0, clock=Steps())
    assert [limit.allow(name) for name in "abcabc"][:3] == [None] * 3
    assert limit.allow("a") is not None


def test_the_client_that_passed_longest_ago_is_forgotten_first():
    clock = Steps()
    limit = RateLimit(1.0, burst=2, most_clients=2, clock=clock)
    for name in ("a", "b", "a", "c"):  # b passed longest ago
        assert limit.allow(name) is None
    assert limit.allow("a") is not None
    assert limit.allow("b") is None  # forgotten, so full again
    assert limit.allow("b") is None


@given(st.floats(0.1, 1000.0), st.integers(1, 50), st.lists(st.floats(0.0, 2.0), max_size=200))
@LAW
def test_never_more_than_burst_plus_rate_times_time(per_s: float, burst: int, gaps: list[float]):
    clock = Steps()
    limit = RateLimit(per_s, burst=burst, clock=clock)
    passed = 0
    for gap in gaps:
        clock.now += gap
        passed += limit.allow("a") is None
        assert passed <= burst + per_s * clock.now + 1e-6
        wait = limit.allow("a")
        if wait is None:
            passed += 1
        else:
            clock.now += wait * (1 + 1e-9) + 1e-9
            assert limit.allow("a") is None
            passed += 1
