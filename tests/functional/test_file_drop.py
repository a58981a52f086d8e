"""`risk-serve score-file`: files in, answers out, whatever happens on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.lib.canaries import canaries, search_folder, tell
from tests.lib.fhir import bundle, observation, patient
from tests.lib.service import environment, run_command, script

POINT = "icu-review"
AT = "2026-11-21T08:15:00Z"
Line = dict[str, Any]
pytestmark = pytest.mark.usefixtures("service")  # it has filled the cache of models


def settings_of(folder: Path) -> dict[str, str]:
    """A ledger and keys of the test's own; models from the cache, which spares asking the registry."""
    return {
        "RISK_REGISTRY_TIMEOUT_S": "0.3",
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
    asking_the_registry = {**settings_of(tmp_path), "RISK_REGISTRY_TIMEOUT_S": "60"}
    done = score(
        trained, as_ndjson(tmp_path / "in.ndjson", sent), tmp_path / "out.ndjson",
        settings=asking_the_registry,
    )  # fmt: skip
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


ROWS, KILLS = 1200, 4


def test_killed_at_any_moment_every_row_is_answered_once(
    trained: Path, patients: list[Line], tmp_path: Path
):
    """Four runs are killed at random moments, all processes or the first alone; the last ends."""
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
        with suppress(ProcessLookupError):  # on a fast machine it may have come to its end
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


# ---------------------------------------------------------------- every kind of file, one probability

SWEDISH = {
    "Ålder (år)": ("age", None), "Kön": ("sex", None), "Puls": ("heart_rate", None),
    "MAP (mmHg)": ("map", None), "AF": ("resp_rate", None), "Temp": ("temperature", None),
    "P-Kreatinin (µmol/L)": ("creatinine", None), "Natrium": ("sodium", None),
    "Diabetes": ("diabetes", None),
}  # fmt: skip
SPELLED = {"male": "Man", "female": "Kvinna", True: "Ja", False: "Nej"}


def simple(patients: Sequence[Mapping[str, Any]], count: int) -> list[Line]:
    """Patients of whom a few features are known, in the dictionary's units."""
    wanted = {feature for feature, _ in SWEDISH.values()}
    found = []
    for one in patients:
        sent = one["request"]["measurements"]
        if not {"age", "heart_rate", "map", "resp_rate", "temperature"} <= sent.keys():
            continue
        known = {}
        for name in wanted & sent.keys():
            value = sent[name]
            if isinstance(value, dict):
                value = round(value["value"] * 88.4, 1) if name == "creatinine" else value["value"]
            known[name] = round(value, 1) if isinstance(value, float) else value
        found.append({"index_time": AT, "measurements": known})
    return found[:count]


def as_csv(file: Path, asked: Sequence[Line]) -> Path:
    with file.open("w", encoding="utf-8-sig", newline="") as text:
        table = csv.writer(text, delimiter=";")
        table.writerow(["Personnummer", *SWEDISH])
        for row in asked:
            known = row["measurements"]
            cells = [known.get(feature, "") for feature, _ in SWEDISH.values()]
            cells = [SPELLED[c] if isinstance(c, str | bool) and c != "" else c for c in cells]
            table.writerow(["195009072553", *(str(cell).replace(".", ",") for cell in cells)])
    return file


def probabilities(answer: Mapping[str, Any]) -> dict[str, float]:
    found = {
        outcome["outcome"]: outcome["probability"]
        for outcome in answer["outcomes"]
        if "probability" in outcome
    }
    assert found
    return found


def rest(client: httpx.Client, asked: Line) -> dict[str, float]:
    answer = client.post(f"/v1/branch-points/{POINT}/assessments", json=asked).json()
    return probabilities(answer)


def draft(trained: Path, file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return run_command(
        "risk-serve", "map", str(file), "--branch-point", POINT, *more, var=trained, check=False
    )


def test_a_swedish_table_scores_as_rest_does_with_the_drafted_mapping(
    trained: Path, client: httpx.Client, patients: list[Line], tmp_path: Path
):
    asked = simple(patients, 12)
    file = as_csv(tmp_path / "in.csv", asked)
    drafted = draft(trained, file, "--json")
    assert json.loads(drafted.stderr)["not_placed"] == []
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(drafted.stdout, encoding="utf-8")
    done = score(
        trained, file, tmp_path / "out.ndjson", "--mapping", str(mapping), "--index-time", AT
    )
    assert done.returncode == 0, done.stderr
    for sent, line in zip(asked, lines_of(tmp_path / "out.ndjson"), strict=True):
        assert probabilities(line["answer"]) == pytest.approx(rest(client, sent), abs=1e-9)
        assert line["answer"]["episode_id"] is None


def test_a_bulk_export_scores_as_rest_does_whatever_its_order(
    trained: Path, client: httpx.Client, patients: list[Line], tmp_path: Path
):
    codes = {"heart_rate": ("8867-4", "/min"), "resp_rate": ("9279-1", "/min"),
             "temperature": ("8310-5", "Cel"), "sodium": ("2951-2", "mmol/L"),
             "map": ("8478-0", "mm[Hg]")}  # fmt: skip
    asked = simple(patients, 4)
    people, observations = [], []
    for number, sent in enumerate(asked):
        known = sent["measurements"]
        known["age"] = int(known["age"])
        sent["measurements"] = {
            name: known[name] for name in ("age", "sex", *codes) if name in known
        }
        people.append(
            patient(id=f"p{number}", birthDate=f"{2026 - known['age']}-01-01", gender=known["sex"])
        )
        observations += [
            observation(code, known[name], unit, subject={"reference": f"Patient/p{number}"})
            for name, (code, unit) in codes.items()
            if name in known
        ]
    Random(5).shuffle(observations)  # noqa: S311 - any order
    export = tmp_path / "export"
    export.mkdir()
    stranger = observation("2951-2", 150, "mmol/L", subject={"reference": "Patient/elsewhere"})
    as_ndjson(export / "Observation.ndjson", [*observations, stranger])
    as_ndjson(export / "Patient.ndjson", people)
    done = score(trained, export, tmp_path / "out.ndjson", "--index-time", AT)
    assert done.returncode == 0, done.stderr
    lines = lines_of(tmp_path / "out.ndjson")
    assert json.loads(done.stdout)["resources_passed_over"] == 1
    expected = [rest(client, sent) for sent in asked]
    found = [probabilities(line["answer"]) for line in lines]
    for one in found:
        assert any(one == pytest.approx(other, abs=1e-9) for other in expected)
    assert len(found) == len(expected)
    whole = [bundle(person, *(o for o in observations
                              if o["subject"]["reference"] == f"Patient/{person['id']}"))
             for person in people]  # fmt: skip
    done = score(
        trained, as_ndjson(tmp_path / "bundles.ndjson", whole), tmp_path / "bundled.ndjson",
        "--index-time", AT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for line, other in zip(lines_of(tmp_path / "bundled.ndjson"), expected, strict=True):
        assert probabilities(line["answer"]) == pytest.approx(other, abs=1e-9)


def test_tables_of_answers_say_the_same_as_lines(
    trained: Path, patients: list[Line], tmp_path: Path
):
    parquet = pytest.importorskip("pyarrow.parquet")
    asked = simple(patients, 3)
    arrow = pytest.importorskip("pyarrow")
    names = sorted({name for sent in asked for name in sent["measurements"]})
    columns = {name: [sent["measurements"].get(name) for sent in asked] for name in names}
    parquet.write_table(arrow.table(columns), tmp_path / "in.parquet")
    outs = [tmp_path / f"out.{form}" for form in ("ndjson", "csv", "parquet")]
    for out in outs:
        done = score(trained, tmp_path / "in.parquet", out, "--index-time", AT)
        assert done.returncode == 0, done.stderr
    lines = [outcome for line in lines_of(outs[0]) for outcome in line["answer"]["outcomes"]]
    with outs[1].open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    table = parquet.read_table(outs[2]).to_pylist()
    for outcome, row, typed in zip(lines, rows, table, strict=True):
        assert row["outcome"] == typed["outcome"] == outcome["outcome"]
        assert row["status"] == outcome["status"]
        if "probability" in outcome:
            assert float(row["probability"]) == typed["probability"] == outcome["probability"]
            strongest = [reason["feature"] for reason in outcome["attributions"][:3]]
            assert [row[f"strongest_{number}"] for number in (1, 2, 3)] == strongest
    assert not (tmp_path / "out.csv.part").exists()


def test_a_watched_folder_answers_each_file_once(
    trained: Path, patients: list[Line], tmp_path: Path
):
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    asked = simple(patients, 3)
    as_ndjson(inbox / "one.ndjson", asked)
    as_ndjson(inbox / "half.ndjson.part", asked)
    (inbox / "broken.csv").write_text("what\n1\n")
    command = (
        "risk-serve", "watch-folder", str(inbox), str(out), "--branch-point", POINT, "--once",
        "--interval", "0.05",
    )  # fmt: skip
    first = run_command(*command, var=trained, settings=settings_of(tmp_path))
    as_ndjson(inbox / "again.ndjson", asked)
    second = run_command(*command, var=trained, settings=settings_of(tmp_path))
    assert [file.name for file in inbox.iterdir()] == ["half.ndjson.part"]
    assert len(list((out / "done").iterdir())) == 2
    (failed,) = (out / "failed").iterdir()
    assert failed.name.endswith("-broken.csv")
    (answers,) = (out / "answers").glob("*.ndjson")
    assert [line["row"] for line in lines_of(answers)] == [1, 2, 3]
    assert len(in_the_ledger(tmp_path)) == 3
    told = [json.loads(line) for line in (first.stderr + second.stderr).splitlines()]
    files = [line for line in told if line["event"].startswith("file_")]
    assert sorted(line["event"] for line in files) == ["file_done", "file_done", "file_failed"]
    assert not any("one.ndjson" in json.dumps(line) for line in files)


def test_no_planted_identifier_survives_in_answers_logs_or_reports(
    trained: Path, patients: list[Line], tmp_path: Path
):
    """As patient, episode, care unit, free text, and where a number should be; in a file's name too."""
    birds = [canary.clear[0] for canary in canaries()]
    asked = simple(patients, 1)[0]["measurements"]
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    header = ["Personnummer", "Vårdtillfälle", "Enhet", "Kommentar", "Puls", *asked]
    header = [name for name in header if name != "heart_rate"]
    rest_of = [str(value) for name, value in asked.items() if name != "heart_rate"]
    with (inbox / f"journal-{birds[0]}.csv").open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text)
        table.writerow(header)
        for number, bird in enumerate(birds):
            pulse = bird if number % 3 == 0 else "80"
            table.writerow([bird, birds[-number], bird, f"ring {bird}", pulse, *rest_of])
    chart_of = [
        patient(id="p1", identifier=[{"system": "http://electronichealth.se/identifier/personnummer",
                                      "value": bird}], name=[{"text": bird}])
        for bird in birds[:1]
    ]  # fmt: skip
    as_ndjson(inbox / "export.ndjson", chart_of)
    (file,) = inbox.glob("*.csv")
    drafted = draft(trained, file)
    mapping = tmp_path / "mapping.toml"
    assert "Vårdtillfälle" in drafted.stdout
    pulse_too = '\n[[column]]\ncolumn = "Puls"\nfeature = "heart_rate"\n'
    mapping.write_text(drafted.stdout + pulse_too, encoding="utf-8")
    done = score(
        trained, file, tmp_path / "out.ndjson", "--mapping", str(mapping), "--index-time", AT
    )
    lines = lines_of(tmp_path / "out.ndjson")
    assert sum("answer" in line for line in lines) > 100
    assert (
        sum("problem" in line for line in lines) > 15
    )  # a number of digits is implausible instead
    assert all(line["answer"]["episode_id"][:3] == "e1-" for line in lines if "answer" in line)
    watched = run_command(
        "risk-serve", "watch-folder", str(inbox), str(out), "--branch-point", POINT, "--once",
        "--interval", "0.05", "--answers", "csv", var=trained, settings=settings_of(tmp_path),
    )  # fmt: skip
    headerless = tmp_path / "headerless.csv"
    headerless.write_text("\n".join(f"{bird};71;man" for bird in birds), encoding="utf-8")
    refused = draft(trained, headerless)
    assert refused.returncode == 1
    said = [drafted, done, watched, refused]
    traces = tmp_path / "traces"
    traces.mkdir()
    for number, one in enumerate(said):
        (traces / f"{number}.txt").write_text(one.stdout + one.stderr)
    for name in ("out.ndjson", "out.ndjson.journal", "mapping.toml", "ledger.db"):
        (traces / name).write_bytes((tmp_path / name).read_bytes())
    (out / "answers").rename(traces / "answers")
    (out / "reports").rename(traces / "reports")
    found = search_folder(traces)
    assert not found, tell(found)


def test_a_wrong_mapping_is_refused_in_one_line(trained: Path, tmp_path: Path):
    (tmp_path / "in.csv").write_text("a\n71\n")
    (tmp_path / "mapping.toml").write_text(
        '[[column]]\ncolumn = "a"\nfeature = "age"\nunits = "a"\n'
    )
    done = score(
        trained, tmp_path / "in.csv", tmp_path / "out.ndjson",
        "--mapping", str(tmp_path / "mapping.toml"),
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("risk-serve: "))
    assert "unknown key `units`" in line
    assert not (tmp_path / "out.ndjson").exists()
