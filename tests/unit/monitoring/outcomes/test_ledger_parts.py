"""The small parts against their plain definitions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitoring.outcomes.agenda import HOUR_US, Agenda
from monitoring.outcomes.ledger_time import BELIEVED_AHEAD_US, LedgerTime
from monitoring.outcomes.names import Names
from tests.lib.properties import LAW

PAIRS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=12)


@LAW
@given(PAIRS)
def test_names_belong_together_since_the_first_row_that_joined_them(pairs) -> None:
    names, groups = Names(), {name: {name} for name in "abcdefgh"}
    since = {(name, name): 0 for name in groups}
    for seq, (one, other) in enumerate(pairs, start=1):
        names.link(one, other, seq)
        both = groups[one] | groups[other]
        for a in both:
            for b in both:
                since.setdefault((a, b), seq)
            groups[a] = both
    for a in groups:
        assert names.all_of(a) == tuple(sorted(groups[a]))
        for b in groups:
            assert names.since(a, b) == since.get((a, b))


@LAW
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 50), st.booleans()), max_size=30))
def test_a_rows_time_is_the_latest_up_to_it(rows) -> None:
    time, seq, latest, expected = LedgerTime(), 0, 0, {}
    for step, at_us, by_clock in rows:
        if by_clock:
            time.pass_time(at_us)
            latest = max(latest, at_us)
            continue
        seq += step
        latest = max(latest, at_us)
        expected[seq] = latest
        for _ in range(2):  # a row that is read again changes nothing
            time.pass_row(seq, at_us, now_us=100)
    assert {seq: time.at(seq) for seq in expected} == expected
    assert time.now == latest


def test_a_clock_that_is_far_ahead_moves_no_time() -> None:
    time = LedgerTime()
    time.pass_row(1, 500, now_us=500)
    time.pass_row(2, 500 + BELIEVED_AHEAD_US + 1, now_us=500)
    time.pass_row(3, 600, now_us=600)
    assert [time.at(seq) for seq in (1, 2, 3)] == [500, 500, 600]


@LAW
@given(
    st.lists(st.tuples(st.integers(0, 5 * HOUR_US), st.integers(0, 9))),
    st.lists(st.integers(0, 6 * HOUR_US), max_size=5),
)
def test_everything_is_taken_once_when_it_is_due(things, looks) -> None:
    agenda, taken = Agenda(), []
    for due_us, what in things:
        agenda.add(due_us, what)
    for now_us in sorted(looks):
        taken += agenda.take(now_us)
        assert taken == sorted(one for one in things if one[0] <= now_us)
