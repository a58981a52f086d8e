"""Environment variables are put back as they were, also after a fault."""

from __future__ import annotations

import os

import pytest

from models.environment import environment_kept


def change_and_fail() -> None:
    with environment_kept(["EXAMPLE_SET", "EXAMPLE_UNSET", "EXAMPLE_UNTOUCHED"]):
        os.environ.update(EXAMPLE_SET="in", EXAMPLE_UNSET="in", EXAMPLE_OTHER="in")
        raise RuntimeError


def test_variables_come_back_also_when_the_block_fails(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXAMPLE_SET", "before")
    monkeypatch.delenv("EXAMPLE_UNSET", raising=False)
    monkeypatch.setenv("EXAMPLE_OTHER", "before")
    with pytest.raises(RuntimeError):
        change_and_fail()
    assert os.environ["EXAMPLE_SET"] == "before"
    assert "EXAMPLE_UNSET" not in os.environ
    assert os.environ["EXAMPLE_OTHER"] == "in"  # nobody asked to keep it
