"""The process from outside: files as a whole or none, the same figures, ends with its pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.keyring import Keyring
from monitoring.ledger.retention import Retention, retire
from tests.lib.ledger import feedback, outcome, written
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.reported import DAY_US, answered

PATIENCE_S = 60.0
MODEL = "icu-review.death_60d"
SAID = {"death_60d": 0.25}


class Process:
    """One run; lines that it says are read as they come."""

    def __init__(self, url: str, folder: Path, **given: Any) -> None:
        self.folder = folder
        self.child = subprocess.Popen(
            [sys.executable, "-m", "monitoring.outcomes.process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        site = {"database": url, "content": None, "folder": str(folder), "every_s": 0.05}
        self.tell(site | {"born_at_zero_s": 0.0} | given)

    def tell(self, line: Any) -> None:
        self.child.stdin.write(json.dumps(line) + "\n")
        self.child.stdin.flush()

    def says(self) -> dict[str, Any]:
        line = self.child.stdout.readline()
        assert line, self.child.stderr.read()
        return json.loads(line)

    def until(self, holds: Callable[[dict[str, Any]], Any]) -> Any:
        """Wait for a turn after which something holds; returns it."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if found := holds(self.says()):
                return found
        raise AssertionError("it never did")

    def counter(self, name: str, **labels: str) -> float | None:
        """The sum of the series with these labels; None when there is no exposition."""
        try:
            text = (self.folder / "outcomes.prom").read_text()
        except FileNotFoundError:
            return None
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def running(url: str, folder: Path, **given: Any) -> Iterator[Process]:
    process = Process(url, folder, **given)
    try:
        yield process
        process.child.stdin.close()
        assert process.child.wait(PATIENCE_S) == 0
        assert process.child.stderr.read() == ""
    finally:
        process.child.kill()
        process.child.wait()
        for stream in (process.child.stdin, process.child.stdout, process.child.stderr):
            stream.close()


def now_us() -> int:
    return time.time_ns() // 1000


def story(at_us: int) -> list[Any]:
    """Two patients that matured, one of them reported; a card that was accepted."""
    asked = [answered(at_us, SAID, days_ago=100, subject_id=f"1.{i}") for i in range(2)]
    told = outcome(
        at_us, outcome="death_60d", value=1.0, observed_at_us=at_us - 90 * DAY_US,
        assessment_id=asked[0].assessment_id,
    )  # fmt: skip
    return [*asked, told, feedback(at_us, verdict="accepted")]


def test_the_files_say_what_the_ledger_says_and_follow_it(
    database_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    entries = story(now_us())
    written(database_url, keyring, entries)
    with running(database_url, tmp_path) as process:
        process.tell({"models": [[MODEL, "9"]]})
        process.until(lambda _: process.counter("risk_outcomes_total", version="1"))
        assert process.counter("risk_outcomes_total", observed="true", model=MODEL) == 1
        assert process.counter("risk_outcomes_matured_total", version="1") == 2
        process.until(lambda _: "9" in (tmp_path / "outcomes.prom").read_text())
        assert process.counter("risk_outcomes_total", version="9") == 0
        late = outcome(
            now_us(), outcome="death_60d", value=0.0, observed_at_us=now_us() - DAY_US,
            assessment_id=entries[1].assessment_id,
        )  # fmt: skip
        written(database_url, keyring, [late])
        process.until(lambda _: process.counter("risk_outcomes_total", version="1") == 2)

        def figures(_: Any) -> Any:
            found = json.loads((tmp_path / "performance.json").read_text())
            day = found["windows"]["1d"]
            return day if day["models"][0]["figures"]["n"] == 2 else None

        day = process.until(figures)
        assert day["models"][0]["figures"]["observed"] == 1
        assert day["models"][0]["coverage"] == 1.0
        assert json.loads((tmp_path / "performance.json").read_text())["charts"] == []
        assert day["cards"] == [
            {"branch_point": "icu-review", "accepted": 1, "overridden": 0, "override_ratio": 0.0}
        ]
        assert {path.name for path in tmp_path.glob("*.*")} >= {"outcomes.prom", "performance.json"}
        assert os.getpriority(os.PRIO_PROCESS, process.child.pid) == 19


def test_what_an_earlier_process_left_is_not_shown_while_the_ledger_is_read(tmp_path: Path) -> None:
    """Here it cannot be read at all: there is no such database, and the process lives on."""
    (tmp_path / "outcomes.prom").write_text("of yesterday")
    with running("postgresql://risk@127.0.0.1:1/none", tmp_path) as process:
        for _ in range(2):
            assert process.says() == {"read": None, "behind": None}
        assert not (tmp_path / "outcomes.prom").exists()


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """A server that this file may end."""
    yield from needed_postgres()


def test_a_database_that_goes_away_leaves_the_last_text(
    own_server: Postgres, keyring: Keyring, tmp_path: Path
) -> None:
    url = own_server.new_database()
    written(url, keyring, story(now_us()))
    with running(url, tmp_path) as process:
        process.until(lambda said: said["behind"] == 0)
        own_server.kill()
        process.until(lambda said: said["behind"] is None)
        assert process.counter("risk_outcomes_total", version="1") == 1
        own_server.start()
        written(url, keyring, story(now_us()))
        process.until(lambda _: process.counter("risk_outcomes_total", version="1") == 2)


def test_after_months_were_retired_the_series_are_others(
    database_url: str, keyring: Keyring, tmp_path: Path
) -> None:
    old_us = now_us() - 3 * 366 * DAY_US
    written(database_url, keyring, story(old_us), story(now_us()))

    def ledgers() -> set[str]:
        found = text_string_to_metric_families((tmp_path / "outcomes.prom").read_text())
        return {sample.labels["ledger"] for family in found for sample in family.samples}

    with running(database_url, tmp_path) as process:
        process.until(lambda _: process.counter("risk_outcomes_total") == 2)
        before = ledgers()
        retire(database_url, keyring, Retention(answers=24), now_us())
        process.until(lambda _: process.counter("risk_outcomes_total") == 1)
        assert len(before) == len(ledgers()) == 1
        assert before != ledgers()
