"""A file that changes under the running service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.identity.watched_file import WatchedFile


def read(path: Path) -> str:
    text = path.read_text()
    if text == "broken":
        raise ValueError(text)
    return text


class Steps:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read_again(tmp_path: Path):
    file, clock = tmp_path / "a", Steps()
    file.write_text("old")
    os.utime(file, (1, 1))
    watched = WatchedFile(file, read, (ValueError,), clock=clock)
    (tmp_path / "b").write_text("new")
    os.utime(tmp_path / "b", (1, 1))
    (tmp_path / "b").replace(file)
    assert watched.content() == "old"
    clock.now = 1.0
    assert watched.content() == "new"


def test_a_file_that_breaks_keeps_its_content_and_is_read_when_it_is_whole_again(tmp_path: Path):
    file, clock = tmp_path / "a", Steps()
    file.write_text("old")
    watched = WatchedFile(file, read, (ValueError,), clock=clock)
    for step, text, expected in ((1, "broken", "old"), (2, "whole", "whole")):
        file.write_text(text)
        clock.now = float(step)
        assert watched.content() == expected


def test_the_first_reading_must_succeed(tmp_path: Path):
    (tmp_path / "a").write_text("broken")
    with pytest.raises(ValueError, match="broken"):
        WatchedFile(tmp_path / "a", read, (ValueError,))


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path):
    file, clock = tmp_path / "a", Steps()
    file.write_text("old")
    readings = []
    watched = WatchedFile(file, readings.append, (ValueError,), clock=clock)
    for step in range(100):
        clock.now = float(step)
        watched.content()
    assert readings == [file]
