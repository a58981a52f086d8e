"""Events decide who is silent: the newest counts, in both directions, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.ledger import Event, LedgerDamaged
from monitoring.ledger.retention import Retention, retire
from monitoring.ledger.silence import (
    GO_LIVE,
    GO_SILENT,
    Attached,
    Change,
    place_of,
    read_changes,
    silent_places,
)
from monitoring.ledger.verify import verify
from tests.lib.ledger import MONTH_US, NOW_US, keyring_at, one_of_each, reading, written
from tests.lib.properties import LAW

A, B, C = (("north", "icu-review"), ("north", "discharge"), ("south", "icu-review"))
REPORT = Attached("icu-review.death_180d", "3", "sha256:1", "ab", "Patients of North")


def said(live: bool, place: tuple[str, str], at_us: int = NOW_US) -> Change:
    return Change(at_us, live, *place, "anna", "why", (REPORT,) if live else ())


@pytest.mark.parametrize(
    ("declared", "changes", "silent"),
    [
        ([], [], []),
        ([A], [], [A]),
        ([A], [(True, A)], []),
        ([A], [(True, B)], [A]),
        ([A], [(True, A), (False, A)], [A]),
        ([], [(False, A)], [A]),
        ([], [(False, A), (True, A)], []),
        ([A, C], [(True, A)], [C]),
        ([A], [(True, A), (False, A), (True, A)], []),
    ],
)
def test_the_newest_event_wins_over_the_declaration(declared, changes, silent):
    events = [said(*one).event() for one in changes]
    assert silent_places(declared, events) == set(silent)


@LAW
@given(
    st.sets(st.sampled_from([A, B, C])),
    st.lists(st.tuples(st.booleans(), st.sampled_from([A, B, C])), max_size=12),
)
def test_places_do_not_speak_for_each_other(declared, changes):
    """Silent is who was last silenced, or was never spoken of and is declared."""
    events = [said(*one).event() for one in changes]
    found = silent_places(declared, events)
    for place in (A, B, C):
        own = [live for live, about in changes if about == place]
        assert (place in found) == (not own[-1] if own else place in declared)


@pytest.mark.parametrize(
    "detail", ["", "{}", "[]", "null", '{"tenant": "north"}', '{"tenant": 1, "branch_point": "x"}']
)
def test_an_event_that_does_not_say_whose_place_it_is_about_lets_nothing_be_concluded(detail):
    with pytest.raises(LedgerDamaged):
        silent_places([A], [said(True, B).event(), Event(5, GO_SILENT, detail)])


def test_other_events_are_not_asked():
    assert silent_places([A], [Event(5, "made", "{}")]) == {A}


def test_who_went_live_by_which_reports_is_kept_for_good(database_url: str, tmp_path: Path):
    """Written, read in order, verified; a retention that takes everything else leaves them."""
    keyring = keyring_at(tmp_path)
    old_us = NOW_US - 200 * MONTH_US
    written(database_url, keyring, one_of_each(old_us), [said(True, A, old_us).event()])
    written(database_url, keyring, [said(False, A).event()])
    retire(database_url, keyring, Retention(answers=1), NOW_US)
    engine = reading(database_url)
    with engine.connect() as connection:
        events = read_changes(connection)
    assert [event.what for event in events] == [GO_LIVE, GO_SILENT]
    assert [place_of(event) for event in events] == [A, A]
    assert '"sha256": "ab"' in events[0].detail
    assert verify(engine, keyring).holds
    engine.dispose()
