"""What the command says when there is nothing to report: what was found, expected, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from models.bundle import write_bundle
from monitoring.cli import app
from monitoring.keyring import Keyring
from monitoring.ledger import LedgerError
from monitoring.report import NoModels, cached_profiles
from tests.lib.ledger import NOW_US, assessment, keyring_at, written
from tests.lib.risk_models import BRANCH_POINT, bundle_files, fit_model

NAME, OTHER = "icu-review.death_180d", "icu-review.death_60d"
Report = Callable[..., Result]


@cache
def files(note: str = "") -> dict[str, bytes]:
    return bundle_files(fit_model("death_180d", n=600), card_json={"note": note})


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return keyring_at(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def var(tmp_path: Path, keyring: Keyring) -> Path:
    """A bundle, and a ledger with one answer of a version that is not at hand."""
    write_bundle(_folder(tmp_path, NAME, "1"), files())
    answer = {
        "branch_point": BRANCH_POINT, "warnings": [],
        "outcomes": [{
            "outcome": "death_180d", "kind": "binary", "status": "answered", "probability": 0.5,
            "model": {"name": NAME, "version": "9", "digest": "sha256:09"}, "attributions": [],
        }],
    }  # fmt: skip
    entry = assessment(
        NOW_US, inputs='{"age": {"value": 71.0}}', answer=orjson.dumps(answer),
        models=json.dumps({NAME: "sha256:09"}),
    )  # fmt: skip
    written(f"sqlite:///{tmp_path / 'ledger.db'}", keyring, [entry])
    return tmp_path


def _folder(var: Path, name: str, version: str) -> Path:
    parent = var / "model-cache" / name
    parent.mkdir(parents=True, exist_ok=True)
    return parent / version


def report(var: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["report", "--var", str(var), *arguments], env={"RISK_DATABASE_URL": None}
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--window", "2d"], "found the window `2d`, expected one of 1h, 1d, 7d, 30d, 365d"),
        (["--since", "yesterday"], "found --since `yesterday`, expected a day as YYYY-MM-DD"),
        (["--since", "2020-01-01", "--until", "2020-01-31"],
         "nothing from 2020-01-01 00:00 UTC to 2020-02-01 00:00 UTC: the ledger holds assessments "
         "from 2026-11-21 22:26 UTC to 2026-11-21 22:26 UTC; choose --window"),
        (["--since", "2026-11-21", "--model", OTHER],
         f"found no model `{OTHER}`, expected one of {NAME}"),
        (["--content", "nowhere"], "a site's content must be a folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_told(var: Path, arguments: list[str], said: str) -> None:
    done = report(var, *arguments)
    assert isinstance(done.exception, LedgerError)
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)
    assert done.stdout == ""


def test_a_ledger_that_holds_nothing(tmp_path: Path, keyring: Keyring) -> None:
    write_bundle(_folder(tmp_path, NAME, "1"), files())
    written(f"sqlite:///{tmp_path / 'ledger.db'}", keyring, [])
    said = str(report(tmp_path).exception)
    assert "the ledger holds no assessment; is --database the service's?" in said


def test_without_models_the_folder_is_asked_for(var: Path, tmp_path: Path) -> None:
    ledger = f"sqlite:///{var / 'ledger.db'}"
    nowhere = tmp_path / "other"
    said = str(report(nowhere, "--database", ledger).exception)
    assert said.startswith(f"no model-cache in {nowhere}, expected the bundles of the models")
    _folder(nowhere, NAME, "1").mkdir()
    said = str(report(nowhere, "--database", ledger).exception)
    assert said.startswith(
        f"no usable bundle in {nowhere / 'model-cache'}, {NAME}/1: manifest.json"
    )


def test_answers_of_a_version_whose_bundle_is_gone_are_named(var: Path) -> None:
    done = report(var, "--since", "2026-11-21", "--model", NAME)
    assert done.exit_code == 0
    said = f"{NAME}: answers of a version whose bundle is not at hand are left out"
    assert said in " ".join(done.stdout.split())


def test_a_spoiled_bundle_is_named_and_the_others_are_used(var: Path) -> None:
    write_bundle(_folder(var, NAME, "2"), files("another"))
    (_folder(var, NAME, "2") / "card.md").write_text("changed")
    write_bundle(_folder(var, OTHER, "1"), files("of another name"))
    done = report(var, "--since", "2026-11-21")
    assert done.exit_code == 0
    assert f"left out {NAME}/2: card.md" in done.stderr
    assert f"left out {OTHER}/1: it holds {NAME}" in done.stderr


def test_of_versions_with_one_digest_the_newest_is_told(tmp_path: Path) -> None:
    for version in ("9", "10", ".partial-x"):
        write_bundle(_folder(tmp_path, NAME, version), files())
    (profile,) = cached_profiles(tmp_path).profiles
    assert (profile.name, profile.version) == (NAME, "10")
    with pytest.raises(NoModels, match="expected the bundles"):
        cached_profiles(tmp_path / "none")


def test_the_page_is_written_beside_the_figures(var: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = report(var, "--since", "2026-11-21", "--html", str(page), "--json", "--for-outside")
    told = json.loads(done.stdout)
    assert told["for_outside"] is True
    assert told["drift"]["assessments"] is None  # one: too few to be told
    assert "For readers outside the hospital" in page.read_text(encoding="utf-8")
    gone = report(var, "--html", str(tmp_path / "no" / "page.html")).exception
    assert str(gone) == f"no folder {tmp_path / 'no'} for --html page.html: make it first"
