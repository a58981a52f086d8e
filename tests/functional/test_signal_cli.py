"""`risk-train signal` from outside: on a champion's cohort, on one without, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.registry import CHAMPION, Registry
from tests.lib.pathway_files import POINT, columns, write, write_source
from tests.lib.service import environment, script
from training.cli import app, main

OUTCOME = "major_complication"
# What the truth of `pathway_files` is made of.
WEIGHTY = {"age", "asa_band", "hemoglobin"}
IDLE = {"sex", "procedure_group", "diabetes", "sodium"}


class Folder:
    """A source, its file, and a state folder that nothing was written to yet."""

    def __init__(self, path: Path) -> None:
        self.source = write_source(path)
        self.files = write(path / "files", columns(4000))
        self.var = path / "var"
        self.page = path / "signal.html"

    def command(self, verb: str, *arguments: str) -> list[str]:
        return [
            verb, POINT, "--source", self.source, "--from", str(self.files),
            "--var", str(self.var), "--outcome", OUTCOME, *arguments,
        ]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("signal"))


def invoke(folder: Folder, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, folder.command("signal", "--json", *arguments))
    assert done.exit_code == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_finds_what_the_truth_is_made_of_and_registers_nothing(folder: Folder):
    done = subprocess.run(
        [script("risk-train"), *folder.command("signal", "--json", "--html", str(folder.page))],
        env=environment(Path("unused"), COLUMNS="160"), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert set(report["together"]["kept"]) == WEIGHTY
    assert set(report["together"]["droppable"]) == IDLE
    assert report["sentence"].startswith("3 of 7 variables carry all that can be measured; 4 could")
    assert report["training_data"] == "synthetic"
    assert report["outcomes"][0]["model"]["alias"] is None
    assert report["rows"] == {"all": 4000, "held_out": 1000, "patients": 1715}
    [line] = [one for one in report["variables"] if one["feature"] == "hemoglobin"]
    assert set(line["measured_by_hospital"]) == {"north", "south"}
    assert "proves nothing about real ones" in folder.page.read_text(encoding="utf-8")
    assert not folder.var.exists()


def test_the_champion_is_looked_at_where_there_is_one(folder: Folder):
    trained = CliRunner().invoke(app, folder.command("run", "--json", "--jobs", "1"))
    [registered] = json.loads(trained.stdout)
    registry = Registry.at(folder.var)  # by hand: so few rows do not pass the gate
    registry.set_alias(registered["name"], CHAMPION, registered["version"])
    [one] = invoke(folder)["outcomes"]
    assert one["model"]["alias"] == "champion"
    assert one["model"]["version"] == registered["version"]
    assert one["model"]["form"] == registered["form"]
    lost = {line["feature"]: line["lost"] for line in one["variables"]}
    assert lost["age"]["auroc"]["upper"] < 0 < lost["age"]["log_loss"]["lower"]
    [fitted_now] = invoke(folder, "--refit")["outcomes"]
    assert fitted_now["model"]["alias"] is None


def test_people_read_a_sentence_and_tables(folder: Folder):
    done = CliRunner().invoke(
        app, folder.command("signal", "--refit", "--rows", "2000"), env={"COLUMNS": "160"}
    )
    assert done.exit_code == 0, done.stderr[-2000:]
    assert " of 7 variables carry all that can be measured" in done.stdout.splitlines()[0]
    for words in ("Haemoglobin", "kept together", "missing: events"):
        assert words in done.stdout
    # By whole patients, of two rows or four: at most two short of what was asked for.
    assert int(done.stdout.split("Complete rows of ")[1][:4]) in (1998, 2000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["no branch point `nowhere`"]),
        ([POINT, "--source", "{source}", "--outcome", "stroke"], ["has no outcome stroke"]),
        ([POINT, "--source", "{source}", "--html", "/nowhere/page.html"], ["cannot be written"]),
        (["discharge", "--source", "{source}"], ["does not feed `discharge`"]),
    ],
    ids=["branch point", "outcome", "page", "source"],
)  # fmt: skip
def test_an_expected_error_is_one_line(
    folder: Folder,
    arguments: list[str],
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    given = [part.format(source=folder.source) for part in arguments]
    more = ["--from", str(folder.files), "--var", str(folder.var)]
    monkeypatch.setattr("sys.argv", ["risk-train", "signal", *given, *more])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (1, "")
    text = " ".join(said.err.split())
    assert text.startswith("risk-train: ")
    for word in words:
        assert word in text
