"""`risk-train export` from outside: a folder that trains, travels, and is refused when touched."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.lib.service import environment, script

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its plotting imports warn of is not ours
    import pandas as pd
    from pycanon.anonymity import k_anonymity, l_diversity

NUMBER = "195009072553"
MAPPING = """
name = "clinic"
title = "A made-up clinic"
citation = "none"
licence = "none"
training_data = "synthetic"
branch_point = "surgery-decision"
row_id = "case"
divisible_by = 4
never = []
[[measurement]]
column = "years"
feature = "age"
[[measurement]]
column = "sex"
feature = "sex"
values = { f = "female", m = "male" }
[[measurement]]
column = "operation"
feature = "procedure_group"
values = { colon = "colorectal_resection", knee = "arthroplasty_knee" }
[[measurement]]
column = "asa"
feature = "asa_band"
values = { low = "I-II", high = "III" }
[[measurement]]
column = "charlson"
feature = "charlson_index"
[[label]]
outcome = "any_complication"
flag = "complication"
[group]
sex = []
"""


def train(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    settings = environment(Path("unused"), COLUMNS="200", **more)
    return subprocess.run(
        [script("risk-train"), *arguments], env=settings, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def is_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("risk-train: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Mapping, 1,500 made-up patients, and a state folder."""
    folder = tmp_path_factory.mktemp("clinic")
    draw = random.Random(5)  # noqa: S311 - synthetic patients, no secret
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case", "years", "sex", "operation", "asa", "charlson", "complication"])
        for case in range(700_001, 701_501):
            years, asa = draw.uniform(20, 99), draw.choice(("low", "high"))
            odds = 2.718 ** (0.05 * (years - 60) + (asa == "high") - 0.7)
            writer.writerow(
                [case, f"{years:.1f}", draw.choice("fm"), draw.choice(("colon", "knee")), asa,
                 draw.randrange(6), int(draw.random() < odds / (1 + odds))]
            )  # fmt: skip
    (folder / "clinic.toml").write_text(MAPPING, encoding="utf-8")
    return folder / "clinic.toml", folder / "cases.csv", folder / "var"


@pytest.fixture(scope="module")
def exported(clinic: tuple[Path, Path, Path]) -> tuple[Path, Path, dict[str, Any]]:
    """The export, the exporter's state folder, and what the command said."""
    mapping, cases, var = clinic
    out = var.parent / "export"
    done = train(
        "export", str(mapping), "--from", str(cases), "--out", str(out), "--var", str(var),
        "--reviewer", "A. Reviewer", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return out, var, json.loads(done.stdout)


def test_the_help_is_complete_and_promises_no_more_than_it_keeps():
    assert "export" in train("--help").stdout
    for name in ("export", "exporter"):
        own = train(name, "--help")
        assert own.returncode == 0
        assert "anonym" not in own.stdout.lower()
    options = train("export", "--help").stdout
    for option in ("--out", "--from", "--no-held-out", "--rules", "--reviewer", "--var", "--keys",
                   "--json"):  # fmt: skip
        assert option in options
    for name in ("rows", "run"):
        assert "--trusted-exporter" in train(name, "--help").stdout


def test_the_answer_for_scripts_is_the_statement(exported: tuple[Path, Path, dict[str, Any]]):
    out, _, said = exported
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert said["folder"] == str(out)
    for key in ("rows", "k", "l", "files", "rules", "reviewer", "attacks"):
        assert said[key] == manifest[key]
    assert said["reviewer"] == "A. Reviewer"


def test_no_row_number_of_the_source_leaves(exported: tuple[Path, Path, dict[str, Any]]):
    out, _, _ = exported
    for file in out.iterdir():
        assert not re.search(r"\b70[01]\d{3}\b", file.read_text()), file.name
    with (out / "rows.csv").open(newline="") as stream:
        head, *body = csv.reader(stream)
    assert head == ["row", "age", "sex", "procedure_group", "asa_band", "charlson_index",
                    "any_complication"]  # fmt: skip
    assert max(int(line[0]) for line in body) < 2000


def test_the_same_export_for_people(clinic: tuple[Path, Path, Path], tmp_path: Path):
    mapping, cases, var = clinic
    done = train(
        "export",
        str(mapping),
        "--from",
        str(cases),
        "--out",
        str(tmp_path / "e"),
        "--var",
        str(var),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for words in ("singling out", "BLOCKED", "knowing the record", "ALLOWED"):
        assert words in done.stdout
    assert "report.md" in done.stderr
    assert "exporting clinic" in done.stderr


def test_an_export_trains_and_keeps_its_held_out_rows(
    exported: tuple[Path, Path, dict[str, Any]], clinic: tuple[Path, Path, Path]
):
    out, var, said = exported
    lines = train("rows", str(out), "--held-out", "--var", str(var)).stdout.splitlines()
    assert len(lines) == said["rows"]["held_out"]
    assert all(int(json.loads(line)["row"]) % 4 == 0 for line in lines)
    done = train(
        "run", "surgery-decision", "--source", str(out / "source.toml"), "--from",
        str(out / "rows.csv"), "--var", str(var), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    [result] = json.loads(done.stdout)
    assert result["name"] == "surgery-decision.any_complication"
    assert result["evaluation"]["auroc"]["value"] > 0.65


def test_another_site_reads_it_once_it_trusts_the_exporter(
    exported: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    out, var, _ = exported
    elsewhere = tmp_path / "elsewhere"
    asked = ["rows", str(out), "--limit", "1", "--var", str(elsewhere)]
    is_one_line(train(*asked), "whom nobody here trusts", "--trusted-exporter")
    printed = train("exporter", "--var", str(var))
    assert printed.stdout.startswith("ed25519 ")
    told = json.loads(train("exporter", "--var", str(var), "--json").stdout)
    assert told["fingerprint"] in printed.stderr
    file = tmp_path / "clinic.pub"
    file.write_text(printed.stdout)
    by_option = train(*asked, "--trusted-exporter", str(file))
    assert by_option.returncode == 0, by_option.stderr
    (elsewhere / "trusted-exporters").mkdir(parents=True)
    shutil.copy(file, elsewhere / "trusted-exporters")
    assert train(*asked).stdout == by_option.stdout
    assert not (elsewhere / "keys.toml").exists()  # reading makes no keys


@pytest.mark.parametrize("verb", ["rows", "run", "export"])
@pytest.mark.parametrize(
    ("touch", "words"),
    [
        (lambda out: (out / "rows.csv").write_text("row\n"), ["rows.csv", "not the file"]),
        (lambda out: (out / "report.md").unlink(), ["lacks report.md"]),
        (lambda out: (out / "notes.txt").write_text("x"), ["more than what was signed"]),
        (lambda out: (out / "manifest.json").unlink(), ["manifest.json is not beside it"]),
    ],
    ids=["changed", "missing", "extra", "manifest removed"],
)
def test_a_touched_export_is_refused_in_one_line(
    exported: tuple[Path, Path, dict[str, Any]], tmp_path: Path, verb: str, touch: Any,
    words: list[str],
):  # fmt: skip
    out, var, _ = exported
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    touch(copy)
    arguments = {
        "rows": ["rows", str(copy)],
        "run": ["run", "surgery-decision", "--source", str(copy)],
        "export": ["export", str(copy), "--out", str(tmp_path / "again")],
    }[verb]
    is_one_line(train(*arguments, "--var", str(var)), *words)
    assert not (tmp_path / "again").exists()


def test_the_keyring_can_lie_elsewhere(clinic: tuple[Path, Path, Path], tmp_path: Path):
    mapping, cases, _ = clinic
    keys, var = tmp_path / "secrets" / "keys.toml", tmp_path / "var"
    arguments = ["export", str(mapping), "--from", str(cases), "--out", str(tmp_path / "e")]
    done = train(*arguments, "--var", str(var), RISK_KEYS_FILE=str(keys))
    assert done.returncode == 0, done.stderr[-2000:]
    assert keys.stat().st_mode & 0o077 == 0
    assert not (var / "keys.toml").exists()
    shown = train("rows", str(tmp_path / "e"), "--limit", "1", RISK_KEYS_FILE=str(keys))
    assert shown.returncode == 0, shown.stderr
    is_one_line(train("rows", str(tmp_path / "e"), "--var", str(var)), "whom nobody here trusts")


def test_a_keyring_that_others_can_read_signs_nothing(
    clinic: tuple[Path, Path, Path], tmp_path: Path
):
    mapping, cases, _ = clinic
    assert train("exporter", "--var", str(tmp_path)).returncode == 0
    (tmp_path / "keys.toml").chmod(0o644)
    done = train(
        "export", str(mapping), "--from", str(cases), "--out", str(tmp_path / "e"),
        "--var", str(tmp_path),
    )  # fmt: skip
    is_one_line(done, "chmod 600")
    assert not (tmp_path / "e").exists()


def test_a_taken_folder_is_left_alone(clinic: tuple[Path, Path, Path], tmp_path: Path):
    mapping, cases, var = clinic
    (tmp_path / "mine.txt").write_text("mine")
    done = train(
        "export", str(mapping), "--from", str(cases), "--out", str(tmp_path), "--var", str(var)
    )
    is_one_line(done, "there already")
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_a_disk_that_takes_no_more_leaves_nothing_behind(
    clinic: tuple[Path, Path, Path], exported: tuple[Path, Path, dict[str, Any]], tmp_path: Path
):
    """No file may grow beyond 16 KiB: the sheet is cut off in the middle."""
    mapping, cases, var = clinic
    assert (exported[0] / "rows.csv").stat().st_size > 16 * 1024
    command = [
        script("risk-train"), "export", str(mapping), "--from", str(cases),
        "--out", str(tmp_path / "e"), "--var", str(var),
    ]  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 16; exec "$@"', "-", *command],
        env=environment(Path("unused"), COLUMNS="200"), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    is_one_line(done, "cannot be written")
    assert list(tmp_path.iterdir()) == []


def test_an_identifier_in_the_source_stops_the_write_and_is_not_repeated(
    clinic: tuple[Path, Path, Path], tmp_path: Path
):
    mapping, cases, var = clinic
    for name, old, new in (
        ("title.toml", "A made-up clinic", f"Patients such as {NUMBER}"),
        ("licence.toml", 'licence = "none"', 'licence = "anna.andersson@clinic.se"'),
    ):
        text = mapping.read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")
        done = train(
            "export", str(tmp_path / name), "--from", str(cases), "--out", str(tmp_path / "e"),
            "--var", str(var),
        )  # fmt: skip
        is_one_line(done, "nothing was written")
        assert NUMBER not in done.stderr
        assert "anna" not in done.stderr
    assert {entry.name for entry in tmp_path.iterdir()} == {"title.toml", "licence.toml"}


def test_a_personal_number_in_a_column_of_numbers_is_dropped(
    clinic: tuple[Path, Path, Path], tmp_path: Path
):
    """It is implausible as a Charlson index, and four digits of it are all that `take` would keep."""
    mapping, cases, var = clinic
    lines = cases.read_text().splitlines()
    cells = lines[5].split(",")
    lines[5] = ",".join([*cells[:5], NUMBER, cells[6]])
    (tmp_path / "cases.csv").write_text("\n".join(lines) + "\n")
    done = train(
        "export", str(mapping), "--from", str(tmp_path / "cases.csv"),
        "--out", str(tmp_path / "e"), "--var", str(var), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for file in (tmp_path / "e").iterdir():
        assert NUMBER not in file.read_text()
        assert NUMBER[2:] not in file.read_text()
    hits = json.loads(done.stdout)["rule_hits"]
    assert hits["set_aside.implausible_value.charlson_index"] is None  # one: withheld


# ---------------------------------------------------------------- the real cohort


@pytest.mark.filterwarnings("ignore:In a future version, the keys of `groups`")
def test_the_export_of_support_is_what_pycanon_says(trained: Path, tmp_path: Path):
    out = tmp_path / "support"
    done = train(
        "export", "support2", "--out", str(out), "--from",
        str(trained / "cohorts" / "support2.csv"), "--var", str(tmp_path / "var"), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    frame = pd.read_csv(out / "rows.csv", dtype=str, keep_default_na=False)
    names = [item["feature"] for item in said["quasi_identifiers"]]
    assert names == ["age", "sex", "race_us", "education_years", "income_band_us"]
    assert said["k"]["achieved"] == k_anonymity(frame, names) >= 5
    sensitive = ["death_in_hospital", "death_60d", "death_180d"]
    assert list(said["l"]["achieved"]) == sensitive
    for outcome in sensitive:
        known = frame[frame[outcome] != ""]
        assert said["l"]["achieved"][outcome] == l_diversity(known, names, [outcome]) >= 2
    assert said["rows"]["in"] == 9105
    assert len(frame) == said["rows"]["out"] >= 0.95 * 9105
    assert pd.to_numeric(frame["age"]).max() <= 90
    verdicts = {item["name"]: item["verdict"] for item in said["attacks"]}
    assert verdicts.pop("knowing the record") == "ALLOWED"
    assert set(verdicts.values()) == {"BLOCKED"}
