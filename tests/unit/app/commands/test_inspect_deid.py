"""`risk-serve inspect-deid`: a table for people, JSON for scripts, exit code 2 for a hole."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from app.commands.inspect_deid import inspect_deid
from app.errors import AppError

COMMAND = typer.Typer()
COMMAND.command()(inspect_deid)
PERSON = "195009072553"
REQUEST = {
    "subject": PERSON, "unit": "ward-31", "index_time": "2026-11-21T08:15:00Z",
    "measurements": {"age": 97, "sex": "male", "[red]": 1},
}  # fmt: skip


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    file = tmp_path / "request.json"
    file.write_text(json.dumps(REQUEST), encoding="utf-8")

    def run_with(*given, sent=None):
        source = str(file) if sent is None else "-"
        arguments = [
            source,
            "--branch-point",
            "trauma-alert",
            "--var",
            str(tmp_path / "var"),
            *given,
        ]
        return CliRunner().invoke(COMMAND, arguments, input=sent)

    return run_with


def test_a_person_reads_every_field_its_rule_and_the_verdict(run):
    done = run("--attacks")
    assert done.exit_code == 0, done.output
    for words in ("/measurements/age", "90.0", "number_coarsened", "/measurements/2", "unknown name",
                  "refused with 422", "Policy 2, sha256:", " 0 ALLOWED",
                  "unit_undeclared: Not one of the declared care units"):  # fmt: skip
        assert words in done.output
    assert PERSON not in done.output
    assert "[red]" not in done.output


def test_a_script_reads_json(run):
    report = json.loads(run("--json", "--no-attacks", "--care-unit", "ward-31").stdout)
    assert not report["accepted"]
    assert "attacks" not in report
    (unit,) = [field for field in report["fields"] if field["pointer"] == "/unit"]
    assert unit["leaves"] == "ward-31"


def test_standard_input_is_read_and_need_not_be_json(run):
    done = run("--no-attacks", "--json", sent=b'{"subject": "195009072553"')
    assert json.loads(done.stdout)["status"] == 400
    assert PERSON not in done.output


def test_an_attack_that_comes_through_is_named_and_ends_with_two(run):
    done = run("--care-unit", PERSON)
    assert done.exit_code == 2
    assert "ALLOWED  unit  twelve digits" in done.output
    assert " 1 ALLOWED" in done.output


def test_the_installations_own_key_makes_the_pseudonym_when_it_is_there(run, tmp_path):
    from monitoring.keyring import load_keyring

    def subject():
        report = json.loads(run("--json", "--no-attacks").stdout)
        return next(f["leaves"] for f in report["fields"] if f["pointer"] == "/subject")

    assert subject() != subject()  # without keys: thrown away each time
    load_keyring(tmp_path / "var" / "keys.toml", create=True)
    assert subject() == subject()


@pytest.mark.parametrize(
    ("given", "words"), [(("--branch-point", "nowhere"), "no such branch point; declared are: ")]
)
def test_what_cannot_be_done_is_said_in_one_line(run, given, words):
    done = run(*given)
    assert isinstance(done.exception, AppError)
    assert words in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path):
    done = CliRunner().invoke(
        COMMAND, [str(tmp_path / "none.json"), "--branch-point", "icu-review"]
    )
    assert isinstance(done.exception, AppError)
    assert "cannot be read: No such file or directory" in str(done.exception)
