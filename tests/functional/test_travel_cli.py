"""`risk-train pack`, `inspect-pack` and `unpack` from outside: Halland packs, Karolinska registers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from models.bundle import write_bundle
from models.registry import CHAMPION, Registry, Run
from monitoring.keyring import EXPORT, Key
from tests.lib.risk_models import bundle_files, fitted
from tests.lib.service import run_command
from training.signing import sign
from training.travel.archive import read_archive, write_archive

NAME = "icu-review.death_180d"
CARD = {"name": NAME, "cohort": {"title": "Made-up rows", "citation": "none", "licence": "CC0-1.0"}}


@pytest.fixture(scope="module")
def halland(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("halland")
    write_bundle(folder / "bundle", bundle_files(fitted(), card_json=CARD))
    registry = Registry.at(folder / "var")
    run = Run({}, {}, {"source": "made-up"}, {}, {"age": "double"})
    registry.set_alias(NAME, CHAMPION, registry.publish(NAME, folder / "bundle", run).version)
    return folder / "var"


@pytest.fixture(scope="module")
def packed(halland: Path) -> Path:
    file = halland.parent / "model.riskpack"
    run_command("risk-train", "pack", NAME, "--out", str(file), "--packed-by", "Halland",
                "--licence", "CC-BY-4.0", var=halland)  # fmt: skip
    return file


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = [line for line in done.stderr.splitlines() if line.startswith("risk-train: ")]
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in line


def test_a_model_travels_and_is_registered_by_who_trusts_its_maker(
    halland: Path, packed: Path, tmp_path: Path
):
    karolinska = tmp_path / "var"
    printed = run_command("risk-train", "exporter", "--json", var=halland)
    signer = json.loads(printed.stdout)["fingerprint"]

    stranger = run_command("risk-train", "unpack", str(packed), var=karolinska, check=False)
    refused(stranger, signer, "trusted-model-makers")
    assert not (karolinska / "mlflow.db").exists()
    looked = run_command("risk-train", "inspect-pack", str(packed), "--json", var=karolinska)
    told = json.loads(looked.stdout)
    assert (told["signer"], told["trusted"]) == (signer, False)
    assert told["licence"] == {"model": "CC-BY-4.0", "training_data": "CC0-1.0"}
    assert not (karolinska / "mlflow.db").exists()

    trusted = karolinska / "trusted-model-makers"
    trusted.mkdir(parents=True)
    line = run_command("risk-train", "exporter", var=halland).stdout
    (trusted / "halland.pub").write_text(line, encoding="utf-8")
    arrived = run_command(
        "risk-train", "unpack", str(packed), "--promote", "no", "--json", var=karolinska
    )
    assert json.loads(arrived.stdout) == {
        "name": NAME, "version": "1", "digest": told["origin"]["digest"], "was_there": False,
        "signer": signer,
    }  # fmt: skip
    registry = Registry.at(karolinska)
    assert [version.version for version in registry.versions(NAME)] == ["1"]
    assert registry.aliases([NAME], CHAMPION) == {}


def test_inspecting_prints_a_table_and_whether_the_model_proves_itself(halland: Path, packed: Path):
    table = run_command("risk-train", "inspect-pack", str(packed), var=halland).stdout
    for word in (NAME, "Halland", "CC-BY-4.0", "CC0-1.0", "trusted here", "bundle/card.json"):
        assert word in table
    done = run_command("risk-train", "inspect-pack", str(packed), "--json", var=halland)
    assert json.loads(done.stdout)["proves_itself"] == "yes"


def test_a_changed_pack_is_refused_by_the_name_of_the_file(
    halland: Path, packed: Path, tmp_path: Path
):
    changed = packed.read_bytes().replace(b"Made-up rows", b"Real patient", 2)
    file = tmp_path / "changed.riskpack"
    file.write_bytes(changed)
    for command in ("unpack", "inspect-pack"):
        done = run_command("risk-train", command, str(file), var=halland, check=False)
        refused(done, "changed.riskpack", "pack.json was changed")


def test_what_cannot_be_packed_is_refused_in_one_line(halland: Path, packed: Path, tmp_path: Path):
    for arguments, word in (
        ((NAME, "--out", str(packed)), "is there already"),
        ((NAME, "--out", str(tmp_path / "model.zip")), "must end in .riskpack"),
        ((f"{NAME}@challenger", "--out", str(tmp_path / "a.riskpack")), "has no challenger"),
        ((NAME, "--out", str(tmp_path / "no" / "a.riskpack")), "cannot be written"),
    ):
        done = run_command("risk-train", "pack", *arguments, var=halland, check=False)
        refused(done, word)
    assert list(tmp_path.iterdir()) == []


def test_a_strangers_words_are_shown_and_not_obeyed(packed: Path, tmp_path: Path):
    """Markup and terminal orders in a manifest that anybody can sign, and in the name of a file."""
    files = read_archive(packed.read_bytes())
    manifest = json.loads(files.pop("pack.json"))
    for part in ("signature", "signed_by", "format"):
        del manifest[part]
    manifest["packed_by"] = "[/bold]Halland[link=file:///x]\x1b[2J"
    key = Key(EXPORT, 1, bytes(range(32)))
    file = tmp_path / "evil.riskpack"
    file.write_bytes(write_archive({"pack.json": sign(manifest, key), **files}))
    shown = run_command("risk-train", "inspect-pack", str(file), var=tmp_path)
    assert "[/bold]Halland[link=" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "NO" in shown.stdout
    file.write_bytes(write_archive({"abcdefghi.json": b""}).replace(b"abcdefghi", b"[/bold]\x1b["))
    done = run_command("risk-train", "inspect-pack", str(file), var=tmp_path, check=False)
    refused(done, "[/bold]")
    assert "\x1b" not in done.stderr


def test_a_card_is_printed_in_the_form_that_is_asked_for(halland: Path):
    page = run_command("risk-train", "card", NAME, "--html", var=halland).stdout
    assert page.startswith("<!doctype html>")
    assert "Made-up rows" in page
    plain = run_command("risk-train", "card", f"{NAME}/1", var=halland)
    assert plain.stdout.startswith("# ")
    assert "of 31 source attributes" in plain.stderr
    both = run_command("risk-train", "card", NAME, "--html", "--xml", var=halland, check=False)
    refused(both, "one of --html, --json and --xml")


def test_unpack_promotes_nothing(halland: Path, packed: Path):
    done = run_command(
        "risk-train", "unpack", str(packed), "--promote", "yes", var=halland, check=False
    )
    refused(done, "risk-train promote")
