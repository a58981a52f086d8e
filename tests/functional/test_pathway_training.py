"""`risk-train` on a source that feeds several branch points: all at once, stopped, gone on with."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from models.registry import CHAMPION, Registry
from models.vocabulary import Vocabulary
from tests.lib.pathway_files import POINT, SOURCE, columns, write, write_source
from tests.lib.service import environment, script
from training.cli import app, main
from training.errors import CohortTooSmall

SECOND = "preoperative-clinic"
SEVERAL = SOURCE + f'{SECOND} = ["major_complication", "death_30d"]\n'


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script("risk-train"), *arguments],
        env=environment(Path("unused"), COLUMNS="200"), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def at_clinic(rows: int) -> dict[str, Any]:
    """The same patients at the clinic, where an ASA class and an urgency are required."""
    made = columns(rows, seed=2)
    bands = made.pop("asa_band")
    made["asa_class"] = np.select([bands == "I-II", bands == "III"], [2.0, 3.0], 4.0)
    made["operation_urgency"] = np.array(["elective", "immediate"])[(np.arange(rows) % 7) // 6]
    return made


class Folder:
    """A source, its files, and a state folder."""

    def __init__(self, path: Path) -> None:
        self.source = write_source(path, SEVERAL)
        self.files = write(path / "files", columns(1600))
        write(self.files, at_clinic(1600), SECOND)
        self.var = path / "var"

    def command(self, *arguments: str) -> list[str]:
        return [
            "run", *arguments, "--source", self.source, "--from", str(self.files),
            "--var", str(self.var), "--json",
        ]  # fmt: skip

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """In this process and no other, which spares the imports."""
        done = CliRunner().invoke(app, self.command(*arguments, "--jobs", "1"))
        assert done.exit_code == 0, done.stderr[-2000:]
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, list[Any]]:
    """Two branch points, five outcomes, two processes."""
    folder = Folder(tmp_path_factory.mktemp("several"))
    done = train(*folder.command("--all", "--promote", "--jobs", "2"))
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, json.loads(done.stdout)


def test_every_outcome_of_every_branch_point_is_registered(trained):
    folder, results = trained
    names = {result["name"] for result in results}
    assert names == {
        "surgery-decision.major_complication", "surgery-decision.death_30d",
        "surgery-decision.length_of_stay_days", "preoperative-clinic.major_complication",
        "preoperative-clinic.death_30d",
    }  # fmt: skip
    for result in results:
        assert result["version"] == "1"
        assert result["evaluation"]["bootstrap"]["unit"] == "patient"
    listed = json.loads(train("models", "--var", str(folder.var), "--json").stdout)
    assert {item["name"] for item in listed} == names
    assert {item["training_data"] for item in listed} == {"synthetic"}
    promoted = {result["name"] for result in results if result["promoted"]}
    assert promoted
    assert {item["name"] for item in listed if item["champion"] == "1"} == promoted


def test_the_model_stands_beside_the_true_risk(trained):
    _, results = trained
    [result] = [one for one in results if one["name"] == "surgery-decision.major_complication"]
    beside = result["evaluation"]["comparators"]["true_risk"]
    assert abs(beside["difference"]["auroc"]["value"]) < 0.04
    assert beside["comparator"]["auroc"]["value"] > 0.7


def test_what_is_there_is_not_trained_again_unless_asked(trained):
    folder, results = trained
    again = folder.run("--all", "--promote")
    assert {one["name"]: (one["version"], one["promoted"]) for one in again} == {
        one["name"]: (one["version"], one["promoted"]) for one in results
    }
    assert all(one["evaluation"] is None for one in again)
    [one] = folder.run(POINT, "--outcome", "death_30d", "--again")
    assert one["version"] == "2"
    [other_seed] = folder.run(POINT, "--outcome", "death_30d", "--seed", "7")
    assert other_seed["version"] == "3"


def test_a_stopped_run_goes_on_and_another_cohort_starts_anew(
    trained, tmp_path: Path, vocabulary: Vocabulary
):
    """One outcome is missing, as after a stop; one file of the two is another."""
    folder, _ = trained
    copy = Folder(tmp_path)
    shutil.copytree(folder.files, copy.files, dirs_exist_ok=True)
    write(copy.files, {**columns(1600, seed=5)})
    copy.var = folder.var
    before = {
        name: len(Registry.at(folder.var).versions(name)) for name in vocabulary.model_names()
    }
    found = copy.run("--all", "--outcome", "major_complication")
    trained_now = [one["name"] for one in found if one["evaluation"] is not None]
    assert trained_now == ["surgery-decision.major_complication"]
    after = {name: len(Registry.at(folder.var).versions(name)) for name in before}
    assert sum(after.values()) == sum(before.values()) + 1


def test_a_champion_of_real_patients_is_not_replaced_by_simulated_ones(trained):
    """The same figures and the same gate; only what it was trained on differs."""
    folder, results = trained
    name = "preoperative-clinic.major_complication"
    [result] = [one for one in results if one["name"] == name]
    assert result["promoted"]
    registry = Registry.at(folder.var)
    registry.tag(name, "1", {"training_data": "real"})
    try:
        [later] = folder.run(SECOND, "--outcome", "major_complication", "--again", "--promote")
        assert later["promoted"] is False
        assert registry.aliases([name], CHAMPION) == {name: "1"}
        tags = registry.version(name, later["version"]).tags
        assert json.loads(tags["gate_failed"]) == ["real-patients-first"]
    finally:
        registry.tag(name, "1", {"training_data": "synthetic"})


def test_rows_of_one_branch_point_or_of_all(trained, vocabulary: Vocabulary):
    folder, _ = trained
    given = ["rows", folder.source, "--from", str(folder.files)]
    before = signal.getsignal(signal.SIGPIPE)
    said = CliRunner().invoke(app, given).stdout
    assert signal.getsignal(signal.SIGPIPE) is before  # a broken connection must not end who calls
    lines = [json.loads(line) for line in said.splitlines()]
    assert len(lines) == 3200
    assert [line["branch_point"] for line in lines[:: len(lines) - 1]] == [POINT, SECOND]
    done = CliRunner().invoke(app, [*given, "--branch-point", SECOND, "--held-out", "--limit", "6"])
    chosen = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["row"] for line in chosen] == ["0", "1", "8", "9", "16", "17"]
    for line in chosen:
        assert line.keys() == {"row", "branch_point", "request", "labels", "comparators"}
        assert set(line["request"]["measurements"]) <= set(
            vocabulary.branch_points[SECOND].features
        )
        assert isinstance(line["labels"]["death_30d"], bool)
        assert 0 <= line["comparators"]["true_risk"]["death_30d"] <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--source", "pathway"], ["--all"]),
        (["run", "--all"], ["--source"]),
        (["run", "icu-review", "--all", "--source", "pathway"], ["--all"]),
        (["run", "--all", "--source", "support2", "--from", "/nowhere.csv"], ["alone"]),
        (["run", "icu-review", "--source", "pathway", "--from", "/nowhere"], ["cannot be read"]),
        (["rows", "pathway", "--branch-point", "nowhere"], ["does not feed `nowhere`"]),
        (["rows", "support2", "--branch-point", "discharge"], ["no source feeds `discharge`"]),
        (["export", "pathway", "--out", "{var}"], ["several branch points"]),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_expected_error_is_one_line(
    tmp_path: Path,
    arguments: list[str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """In this process: eight more commands would only wait for their imports."""
    var = tmp_path / "var"
    given = [part.format(var=var) for part in arguments]
    monkeypatch.setattr("sys.argv", ["risk-train", *given, "--var", str(var)])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (1, "")
    text = " ".join(said.err.split())
    assert text.startswith("risk-train: ")
    for word in words:
        assert word in text


def test_an_outcome_that_the_cohort_cannot_carry_stops_no_other(tmp_path: Path):
    folder = Folder(tmp_path)
    made = columns(1600)
    made["label:death_30d"] = np.where(np.arange(1600) < 15, made["label:death_30d"], 0.0)
    write(folder.files, made)
    command = folder.command(POINT, "--jobs", "1")
    named = CliRunner().invoke(app, [*command, "--outcome", "death_30d"])
    assert isinstance(named.exception, CohortTooSmall)
    assert "death_30d: fewer than 20 events" in str(named.exception)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert {one["name"] for one in json.loads(done.stdout)} == {
        "surgery-decision.major_complication", "surgery-decision.length_of_stay_days",
    }  # fmt: skip
    assert "surgery-decision.death_30d was not trained" in done.stderr


def test_the_card_says_first_that_no_patient_was_real(trained, tmp_path: Path):
    folder, _ = trained
    bundle = tmp_path / "bundle"
    Registry.at(folder.var).download("surgery-decision.death_30d", "1", bundle)
    lines = [line for line in (bundle / "card.md").read_text(encoding="utf-8").splitlines() if line]
    assert lines[2].startswith("**Trained on simulated patients:")
    assert "patient number is divisible by 4" in (bundle / "card.md").read_text(encoding="utf-8")
    assert json.loads((bundle / "model.json").read_text())["training_data"] == "synthetic"
    assert json.loads((bundle / "card.json").read_text())["training_data"] == "synthetic"
