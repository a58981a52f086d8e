"""Workers of one service tell each other how they follow, and a dead one counts no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.serving.worker_group import GROUPS, WorkerGroup, WorkerRow, group_folder

MODEL = ("icu-review.death_180d", "3", "champion", "sha256:0")
ROW = WorkerRow(last_success=1_795_000_000.0, models=(MODEL,))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[WorkerGroup, WorkerGroup]]:
    groups = WorkerGroup(tmp_path), WorkerGroup(tmp_path)
    for group in groups:
        assert group.join() == WorkerRow()
        group.tell(replace(ROW, worker=group.place, failures=group.place + 1))
    yield groups
    for group in groups:
        group.leave()


def test_every_worker_has_a_place_of_its_own_and_sees_all(two: tuple[WorkerGroup, WorkerGroup]):
    for group in two:
        own = replace(ROW, worker=group.place, failures=group.place + 1)
        rows, failures = group.rows(own)
        assert [row.worker for row in rows] == [0, 1]
        assert {row.models for row in rows} == {(MODEL,)}
        assert failures == 1 + 2


def test_a_worker_shows_itself_as_it_is_now_not_as_it_told(two: tuple[WorkerGroup, WorkerGroup]):
    rows, _ = two[1].rows(replace(ROW, worker=1, last_success=1_795_000_009.0))
    assert [row.last_success for row in rows] == [1_795_000_000.0, 1_795_000_009.0]


def test_a_worker_that_ended_counts_no_longer_but_its_failures_do(
    two: tuple[WorkerGroup, WorkerGroup],
):
    two[1].leave()
    rows, failures = two[0].rows(replace(ROW, failures=1))
    assert [row.worker for row in rows] == [0]
    assert failures == 1 + 2


def test_the_next_worker_on_a_place_counts_on(two: tuple[WorkerGroup, WorkerGroup]):
    folder = two[1].folder
    two[1].leave()
    successor = WorkerGroup(folder)
    assert successor.join().failures == 2
    assert successor.place == 1
    successor.leave()


def test_a_killed_worker_lets_go_of_its_place(tmp_path: Path):
    """The kernel does it: nothing that the worker would have to do at its end."""
    text = (
        "import sys; from pathlib import Path; from app.serving.worker_group import *\n"
        "group = WorkerGroup(Path(sys.argv[1])); group.join(); group.tell(WorkerRow())\n"
        "print(group.place, flush=True); sys.stdin.read()"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", text, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"0\n"
    group = WorkerGroup(tmp_path)
    group.join()
    assert group.place == 1
    own = WorkerRow(worker=1)
    assert len(group.rows(own)[0]) == 2
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    assert group.rows(own)[0] == [own]
    group.leave()


def test_asking_reaches_every_worker_once_and_nobody_twice(two: tuple[WorkerGroup, WorkerGroup]):
    before = [group.asked() for group in two]
    assert [group.asked() for group in two] == before
    two[0].ask_all()
    after = [group.asked() for group in two]
    assert all(now != then for now, then in zip(after, before, strict=True))
    assert [group.asked() for group in two] == after


def test_a_worker_without_a_group_is_alone_and_can_be_asked():
    group = WorkerGroup()
    assert group.join() == WorkerRow()
    group.tell(ROW)
    assert group.rows(replace(ROW, failures=4)) == ([replace(ROW, failures=4)], 4)
    before = group.asked()
    group.ask_all()
    assert group.asked() != before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"worker": 1, "models": 3, "refused": []}'])
def test_a_spoiled_row_is_no_row(two: tuple[WorkerGroup, WorkerGroup], text: str):
    assert two[1].folder is not None
    (two[1].folder / "1.json").write_text(text)
    assert two[0].rows(ROW) == ([ROW], 0)


def test_a_group_whose_folder_is_gone_counts_itself_alone(tmp_path: Path):
    group = WorkerGroup(tmp_path / "group")
    (tmp_path / "group").mkdir()
    group.join()
    for file in (tmp_path / "group").iterdir():
        file.unlink()
    (tmp_path / "group").rmdir()
    group.tell(ROW)
    group.ask_all()
    assert group.rows(ROW) == ([ROW], 0)
    group.leave()


def test_a_groups_folder_goes_with_it_and_so_does_that_of_a_killed_one(tmp_path: Path):
    home = tmp_path / GROUPS
    killed, living = home / "killed", home / "fresh"
    for folder in (killed, living):
        folder.mkdir(parents=True)
        (folder / "group.lock").touch()
    os.utime(killed, (0, 0))
    with group_folder(tmp_path) as own:
        assert sorted(home.iterdir()) == sorted([living, own])
        os.utime(own, (0, 0))
        with group_folder(tmp_path) as other:
            assert own.is_dir()  # old, but its lock is held
            assert other != own
    assert list(home.iterdir()) == [living]
