"""`risk-serve score-file`: files in, answers out, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.lib.service import environment, run_command, script

POINT = "icu-review"
AT = "2026-11-21T08:15:00Z"
Line = dict[str, Any]


def settings_of(folder: Path) -> dict[str, str]:
    """A ledger and keys of the test's own, beside models that others use too."""
    return {
        "RISK_DATABASE_URL": f"sqlite:///{folder / 'ledger.db'}",
        "RISK_KEYS_FILE": str(folder / "keys.toml"),
        "RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl"),
    }


def score(
    trained: Path, file: Path, out: Path, *more: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return run_command(
        "risk-serve", "score-file", str(file), str(out), "--branch-point", POINT, "--json", *more,
        var=trained, check=False, settings=settings or settings_of(out.parent),
    )  # fmt: skip


def lines_of(out: Path) -> list[Line]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def as_ndjson(file: Path, documents: Sequence[Any]) -> Path:
    file.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return file


def requests_of(patients: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [{**patient["request"], "index_time": AT} for patient in patients]


def clinical(answer: Mapping[str, Any]) -> list[Line]:
    """What must be the same whichever way in was used."""
    return [dict(outcome) for outcome in answer["outcomes"]]


def in_the_ledger(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "ledger.db") as connection:
        found = [row[0] for row in connection.execute("SELECT assessment_id FROM assessments")]
    connection.close()
    return found


def test_rows_of_requests_get_the_answers_that_rest_gives(
    trained: Path, client: httpx.Client, patients: list[Line], tmp_path: Path
):
    sent = requests_of(patients)
    done = score(trained, as_ndjson(tmp_path / "in.ndjson", sent), tmp_path / "out.ndjson")
    assert done.returncode == 0, done.stderr
    lines = lines_of(tmp_path / "out.ndjson")
    assert [line["row"] for line in lines] == list(range(1, len(sent) + 1))
    for request, line in zip(sent, lines, strict=True):
        answer = client.post(f"/v1/branch-points/{POINT}/assessments", json=request).json()
        assert clinical(line["answer"]) == clinical(answer)
    told = sorted(line["answer"]["assessment_id"] for line in lines)
    assert sorted(in_the_ledger(tmp_path)) == told
    assert json.loads(done.stdout)["rows"] == len(sent)


def test_a_bad_row_has_a_line_of_its_own_and_stops_no_other(
    trained: Path, patients: list[Line], tmp_path: Path
):
    good = requests_of(patients[:2])
    number = "195009072553"
    bad: list[Any] = [
        {**good[0], "measurements": {number: 1}},
        {**good[0], "measurements": {"age": number}},
        number,
    ]
    file = as_ndjson(tmp_path / "in.ndjson", [good[0], *bad, good[1]])
    done = score(trained, file, tmp_path / "out.ndjson")
    assert done.returncode == 2
    lines = lines_of(tmp_path / "out.ndjson")
    assert ["answer" in line for line in lines] == [True, False, False, False, True]
    assert [line["problem"]["status"] for line in lines[1:4]] == [422, 422, 422]
    assert number not in (tmp_path / "out.ndjson").read_text() + done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["refused"]) == (5, 3)
    assert summary["reasons"]["refused: unknown_feature"] == 1


def test_a_second_run_scores_nothing_again(trained: Path, patients: list[Line], tmp_path: Path):
    file = as_ndjson(tmp_path / "in.ndjson", requests_of(patients[:5]))
    score(trained, file, tmp_path / "out.ndjson")
    before = (tmp_path / "out.ndjson").read_bytes()
    again = score(trained, file, tmp_path / "out.ndjson")
    assert again.returncode == 0
    assert json.loads(again.stdout)["already"] == 5
    assert (tmp_path / "out.ndjson").read_bytes() == before
    assert len(in_the_ledger(tmp_path)) == 5


def test_answers_of_another_job_are_not_written_over(
    trained: Path, patients: list[Line], tmp_path: Path
):
    file = as_ndjson(tmp_path / "in.ndjson", requests_of(patients[:2]))
    score(trained, file, tmp_path / "out.ndjson")
    as_ndjson(file, requests_of(patients[2:4]))
    other = score(trained, file, tmp_path / "out.ndjson")
    assert other.returncode == 1
    assert "belongs to another job (file differ)" in other.stderr
    (tmp_path / "own.csv").write_text("mine")
    mine = score(trained, file, tmp_path / "own.csv")
    assert "is there already" in mine.stderr
    assert (tmp_path / "own.csv").read_text() == "mine"


ROWS, KILLS = 1200, 5


def test_killed_at_any_moment_every_row_is_answered_once(
    trained: Path, patients: list[Line], tmp_path: Path
):
    """Five runs are killed at random moments, all processes or the first alone; the last ends."""
    sent = requests_of([patients[i % len(patients)] for i in range(ROWS)])
    sent[ROWS // 2] = {"measurements": {"no_such": 1}}
    file, out = as_ndjson(tmp_path / "in.ndjson", sent), tmp_path / "out.ndjson"
    random = Random(20261122)  # noqa: S311 - the same moments in every run
    command = [
        script("risk-serve"), "score-file", str(file), str(out), "--branch-point", POINT,
        "--outcome", "death_180d", "--jobs", "2",
    ]  # fmt: skip
    part = tmp_path / "out.ndjson.part"
    killed_at = []
    for number in range(KILLS):
        before = part.stat().st_size if part.exists() else -1
        process = subprocess.Popen(
            command, env=environment(trained, **settings_of(tmp_path)), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        # From the moment that it writes; how far it then gets is chance.
        while process.poll() is None and not (part.exists() and part.stat().st_size > before):
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.15))
        if number % 2:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        killed_at.append(len(lines_of(out)) if out.exists() else part.read_bytes().count(b"\n"))
    done = score(trained, file, out, "--outcome", "death_180d")
    assert done.returncode == 2, done.stderr
    lines = lines_of(out)
    assert [line["row"] for line in lines] == list(range(1, ROWS + 1))
    assert [line["row"] for line in lines if "problem" in line] == [ROWS // 2 + 1]
    recorded = in_the_ledger(tmp_path)
    assert Counter(recorded).most_common(1)[0][1] == 1
    assert set(recorded) == {line["answer"]["assessment_id"] for line in lines if "answer" in line}
    assert len(set(killed_at)) > 1, "every run was killed at the same place"
