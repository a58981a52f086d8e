"""`risk-train validate`, `recalibrate` and `retrain` from outside: Halland's model at Karolinska."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from models.registry import CHAMPION, Registry
from tests.lib.pathway_files import POINT, SOURCE, columns, write, write_source
from tests.lib.service import environment, script
from training.cli import app, main
from training.go_live import read_report

OUTCOME = "major_complication"
NAME = f"{POINT}.{OUTCOME}"
THERE = "Patients of another hospital made by hand"
# The odds of the outcome are this many times as high there.
ODDS = 2.5


def elsewhere(rows: int) -> dict[str, Any]:
    """The same law at a higher baseline risk, two years of it, every patient once."""
    made = columns(rows, seed=9)
    p = made[f"truth:{OUTCOME}"]
    there = p * ODDS / (1 - p + p * ODDS)
    drawn = np.random.default_rng(10).random(rows)
    made[f"truth:{OUTCOME}"] = there
    made[f"label:{OUTCOME}"] = (drawn < there).astype(float)
    month = np.arange(rows) * 24 // rows
    made["month"] = (202301 + month // 12 * 100 + month % 12).astype(np.int32)
    made["patient"] = np.arange(rows)
    return made


class Hospitals:
    """A state folder with Halland's champion, and Karolinska's files."""

    def __init__(self, path: Path) -> None:
        self.var = path / "var"
        self.home_source = write_source(path)
        self.home = write(path / "home", columns(6000))
        there = path / "there"
        self.files = write(there, elsewhere(4000))
        self.source = write_source(there, SOURCE.replace("Patients made by hand", THERE))
        self.page = path / "validation.html"
        self.report = path / "validation.json"

    def at(self, source: str, files: Path) -> list[str]:
        return ["--source", source, "--cohort", str(files), "--var", str(self.var)]

    @property
    def there(self) -> list[str]:
        return self.at(self.source, self.files)


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Hospitals:
    made = Hospitals(tmp_path_factory.mktemp("transport"))
    done = CliRunner().invoke(
        app,
        ["run", POINT, "--outcome", OUTCOME, "--jobs", "1", "--json", "--source", made.home_source,
         "--from", str(made.home), "--var", str(made.var)],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr[-2000:]
    Registry.at(made.var).set_alias(NAME, CHAMPION, "1")
    return made


def invoke(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_report_says_that_the_risk_is_higher_there(hospitals: Hospitals):
    done = subprocess.run(
        [script("risk-train"), "validate", NAME, *hospitals.there, "--json",
         "--development", str(hospitals.home), "--html", str(hospitals.page),
         "--out", str(hospitals.report)],
        env=environment(Path("unused"), COLUMNS="160"), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    # What was written is what `go-live` takes.
    assert json.loads(hospitals.report.read_text()) == report
    kept = read_report(hospitals.report)
    assert (kept.attached.model, kept.attached.version, kept.simulated) == (NAME, "1", True)
    # The same patients, but for the outcome; and the model is asked of nearly all of them.
    assert 0.5 < report["relatedness"]["membership_auroc"] < 0.65
    assert report["cohort"]["which"] == "all labelled rows"
    assert 3900 < report["evaluation"]["rows"] <= 4000
    level = report["calibration"]["in_the_large"]
    assert level["lower"] <= np.log(ODDS) <= level["upper"]
    assert "true_risk" in report["evaluation"]["comparators"]
    assert "more had it than predicted" in report["sentences"][0]
    page = hospitals.page.read_text(encoding="utf-8")
    assert "proves nothing about real ones" in page
    assert report["sentences"][1].split("(")[0] in page


def test_a_site_version_is_registered_judged_and_leaves_the_champion_alone(hospitals: Hospitals):
    report = invoke("recalibrate", NAME, *hospitals.there)
    registry = Registry.at(hospitals.var)
    assert report["method"] == "intercept"
    assert registry.aliases([NAME], CHAMPION) == {NAME: "1"}
    tags = registry.version(NAME, report["version"]).tags
    assert tags["recalibrated_from_version"] == "1"
    assert tags["recalibrated_from_digest"] == registry.version(NAME, "1").digest
    assert tags["recalibrated_on"] == THERE
    again = invoke("validate", f"{NAME}/{report['version']}", *hospitals.there)
    # Its fitting rows are known to it now: the held-out quarter is asked.
    assert 950 < again["evaluation"]["rows"] <= 1000
    ratio = again["calibration"]["observed_expected"]
    assert ratio["lower"] <= 1 <= ratio["upper"]


def test_people_read_two_sentences_and_tables_with_the_years(hospitals: Hospitals):
    done = CliRunner().invoke(
        app, ["validate", NAME, *hospitals.there, "--expanding-window"], env={"COLUMNS": "160"}
    )
    assert done.exit_code == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Of ")
    for words in ("Case mix", "Net benefit", "Expanding window", "202401-202412", "202311"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["validate", "nowhere"], "names no model"),
        (["validate", f"{NAME}@challenger"], "has the alias `challenger`"),
        (["validate", f"{NAME}/99"], "no such registered model or version"),
        (["validate", f"{POINT}.stroke"], "has the alias `champion`"),
        (["validate", NAME, "--html", "/nowhere/page.html"], "cannot be written"),
        (["validate", NAME, "--out", "/nowhere/report.json"], "cannot be written"),
        (["recalibrate", NAME, "{home}"], "by heart"),
    ],
    ids=["name", "alias", "version", "outcome", "page", "report", "own cohort"],
)
def test_an_expected_error_is_one_line(
    hospitals: Hospitals,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    own = "{home}" in arguments
    where = hospitals.at(hospitals.home_source, hospitals.home) if own else hospitals.there
    given = [part for part in arguments if part != "{home}"]
    monkeypatch.setattr("sys.argv", ["risk-train", *given, *where])
    with pytest.raises(SystemExit) as left:
        main()
    said = " ".join(capsys.readouterr().err.split())
    assert left.value.code == 1
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "names no model"), ([NAME], "no ledger at")],
    ids=["name", "ledger"],
)
def test_retraining_needs_a_model_and_a_ledger(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", ["risk-train", "retrain", *arguments, "--var", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert words in " ".join(capsys.readouterr().err.split())
