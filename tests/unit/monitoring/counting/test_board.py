"""Numbers that several processes add up together and that outlive each of them."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.counting.board import FIRST_SIZE, INDEX, VALUES, Board

ADDS_AND_WAITS = """
import sys
from pathlib import Path
from monitoring.counting.board import Board
board = Board(Path(sys.argv[1]), int(sys.argv[2]))
at = board.block("seen", 2, {"of": "a"})
for _ in range(1000):
    board.values[at + 1] += 1
print("done", flush=True)
sys.stdin.read()
"""


def add(board: Board, key: str, size: int, at: int, much: float, **about: str) -> None:
    begins = board.block(key, size, about)  # first: it may move the numbers
    board.values[begins + at] += much


def test_a_killed_process_loses_nothing_it_added_and_the_next_goes_on(tmp_path: Path):
    board = Board(tmp_path, 0)
    add(board, "seen", 2, 1, 7, of="a")
    for time in (1, 2):
        command = [sys.executable, "-c", ADDS_AND_WAITS, str(tmp_path), "1"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"done\n"
            other.kill()
        board.look()
        assert board.total("seen").tolist() == [0.0, 7.0 + 1000 * time]
    assert board.total("seen", [0]).tolist() == [0.0, 7.0]


def test_every_board_of_a_group_sees_the_same_sums_and_what_they_are_of(tmp_path: Path):
    first, second = Board(tmp_path, 0), Board(tmp_path, 1)
    add(first, "a", 1, 0, 1, name="ä")
    second.block("b", 3)
    add(second, "a", 1, 0, 2, name="ä")
    add(second, "b", 3, 2, 5)
    for board in (first, second):
        board.look()
        assert board.total("a").tolist() == [3.0]
        assert board.total("b").tolist() == [0.0, 0.0, 5.0]
        assert board.about() == {"a": {"name": "ä"}, "b": {}}
        assert len(board.total("never made")) == 0


def test_a_board_grows_and_others_see_it_grow(tmp_path: Path):
    first, second = Board(tmp_path, 0), Board(tmp_path, 1)
    add(first, "small", 1, 0, 1)
    second.look()
    add(first, "large", 3 * FIRST_SIZE, 3 * FIRST_SIZE - 1, 4)
    second.look()
    for board in (first, second):
        assert board.total("large")[-1] == 4
        assert board.total("small").tolist() == [1.0]


def test_without_a_folder_it_grows_as_well():
    board = Board()
    add(board, "a", 1, 0, 1)
    add(board, "b", 2 * FIRST_SIZE, 2 * FIRST_SIZE - 1, 2)
    assert (board.total("a")[0], board.total("b")[-1]) == (1, 2)


def test_without_room_on_the_disk_a_worker_counts_on_alone(tmp_path: Path):
    board = Board(tmp_path, 0)
    add(board, "a", 2, 0, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FIRST_SIZE * 8, before[1]))
    try:
        add(board, "b", FIRST_SIZE, FIRST_SIZE - 1, 3)
        refused = Board(tmp_path / "gone", 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not board.shared
    assert not refused.shared
    add(board, "a", 2, 0, 1)
    assert (board.total("a")[0], board.total("b")[-1]) == (2, 3)
    add(refused, "a", 1, 0, 1)
    assert refused.total("a").tolist() == [1.0]


@pytest.mark.parametrize(
    "left", [b'{"key": "half', b'{"key": "b", "at": 1, "size": 1, "about": {}}']
)
def test_a_line_that_was_begun_when_its_writer_was_killed_is_none(tmp_path: Path, left: bytes):
    Board(tmp_path, 0).block("a", 1)
    index = (tmp_path / f"0{VALUES}").with_suffix(INDEX)
    with index.open("ab") as file:
        file.write(left)
    reader = Board(tmp_path, 1)
    reader.look()
    assert set(reader.about()) == {"a"}
    again = Board(tmp_path, 0)
    add(again, "c", 1, 0, 1)
    reader.look()
    assert set(reader.about()) == {"a", "c"}
    assert reader.total("c").tolist() == [1.0]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.integers(0, 3)), max_size=60)
)
def test_sums_are_what_all_places_added(added: list[tuple[int, str, int]]):
    """Whatever was added where and in which order, and however often a worker began again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        boards = {place: Board(folder, place) for place in range(3)}
        expected = {key: [0.0] * 4 for key in "abc"}
        for i, (place, key, at) in enumerate(added):
            if i % 7 == 3:
                boards[place] = Board(folder, place)
            add(boards[place], key, 4, at, 1)
            expected[key][at] += 1
        for board in boards.values():
            board.look()
            for key, sums in expected.items():
                told = board.total(key).tolist()
                assert told == (sums if any(sums) else told)
                assert sum(told) == sum(sums)
