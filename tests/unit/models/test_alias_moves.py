"""Who was champion: read from the moves, and right even where the alias was moved by hand."""

from __future__ import annotations

import json

import pytest

from models.alias_moves import (
    OVERRIDDEN,
    PROMOTED,
    ROLLED_BACK,
    Move,
    champion_before,
    moves_of,
    was_champion,
)


def moves(*told: tuple[str | None, str, str]) -> list[Move]:
    return [Move(before, after, how, None, "", "") for before, after, how in told]


FIRST, SECOND, THIRD = (None, "1", PROMOTED), ("1", "2", PROMOTED), ("2", "3", OVERRIDDEN)


@pytest.mark.parametrize(
    ("told", "present", "back_to"),
    [
        ([], None, None),
        ([], "1", None),
        ([FIRST], "1", None),
        ([FIRST, SECOND], "2", "1"),
        ([FIRST, SECOND, THIRD], "3", "2"),
        ([FIRST, SECOND, THIRD, ("3", "2", ROLLED_BACK)], "2", "1"),
        ([FIRST, SECOND, THIRD, ("3", "2", ROLLED_BACK), ("2", "1", ROLLED_BACK)], "1", None),
        ([FIRST, SECOND, ("2", "1", ROLLED_BACK), ("1", "3", PROMOTED)], "3", "1"),
        # An older version promoted anew is a step forward: back from it is what it replaced.
        ([FIRST, SECOND, THIRD, ("3", "1", PROMOTED)], "1", "3"),
        # Moved by hand to a version that nobody recorded.
        ([FIRST, SECOND], "7", "2"),
        # Moved by hand between two recorded moves: 9 was champion when 4 took its place.
        ([FIRST, SECOND, ("9", "4", PROMOTED)], "4", "9"),
        # Stopped between the record and the alias: the move to 2 was never made.
        ([FIRST, SECOND], "1", None),
        ([FIRST, SECOND, ("1", "3", PROMOTED)], "3", "1"),
        # The alias was deleted by hand: back is the last champion.
        ([FIRST, SECOND], None, "2"),
        # The first roll-back with --to, past one.
        ([FIRST, SECOND, THIRD, ("3", "1", ROLLED_BACK)], "1", None),
    ],
)
def test_the_champion_before(told, present, back_to):
    assert champion_before(moves(*told), present) == back_to


def test_moves_are_read_in_the_order_of_time_whatever_the_order_of_tags():
    first = Move(None, "1", PROMOTED, None, "2026-11-22T08:00:00.000001Z", "anna")
    second = Move("1", "2", OVERRIDDEN, "agreed", "2026-11-22T08:00:00.000002Z", "berit")
    tags = dict([second.tag(), ("owner", "cardiology"), first.tag()])
    assert moves_of(tags) == [first, second]


def test_two_moves_of_one_moment_lose_neither():
    move = Move(None, "1", PROMOTED, None, "2026-11-22T08:00:00.000001Z", "anna")
    assert len(dict([move.tag(), move.tag()])) == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", "7", json.dumps({"before": "1"})])
def test_a_tag_that_is_no_move_is_passed_over(text):
    assert moves_of({"champion_move.x": text}) == []


def test_who_was_champion_was_replaced_by_another():
    told = moves(FIRST, SECOND)
    assert was_champion(told, "1")
    assert not was_champion(told, "2")
