"""Patients in the spelling of the Surgery Timing file, and the doors of an export."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from models.vocabulary import Measurement, Vocabulary, take
from monitoring.keyring import EXPORT, Key, load_keyring
from training.export import Export, ExportRow, Origin, Rules, export_rows, load_rules, write_export

ORIGIN = Origin(
    name="clinic", title="A made-up clinic", citation="none", licence="none",
    training_data="synthetic", branch_point="surgery-decision", divisible_by=4,
    groups={"sex": (), "age": (45.0, 65.0)},
)  # fmt: skip
FEATURES = ("age", "sex", "procedure_group", "asa_band", "bmi", "charlson_index", "cancer")
OUTCOMES = ("any_complication", "death_30d")
PROCEDURES = ("colorectal_resection", "arthroplasty_knee", "spinal_fusion")


@pytest.fixture(scope="session")
def rules(vocabulary: Vocabulary) -> Rules:
    return load_rules(vocabulary)


@pytest.fixture(scope="session")
def patient(vocabulary: Vocabulary) -> Callable[..., ExportRow]:
    def make(held_out: bool = False, protected: bool = False, **sent: object) -> ExportRow:
        labels = {name: sent.pop(name, 0.0) for name in OUTCOMES}
        taken = tuple(
            Measurement(vocabulary.features[name], take(vocabulary.features[name], value))
            for name, value in sent.items()
        )
        return ExportRow(taken, labels, held_out, protected)

    return make


@pytest.fixture(scope="session")
def patients(patient: Callable[..., ExportRow]) -> list[ExportRow]:
    """600 patients; every fifth is held out."""
    draw = random.Random(3)  # noqa: S311 - synthetic patients, no secret
    return [
        patient(
            held_out=i % 5 == 0,
            age=round(draw.uniform(20, 99), 1),
            sex=draw.choice(("female", "male")),
            procedure_group=draw.choice(PROCEDURES),
            asa_band=draw.choice(("I-II", "III")),
            bmi=round(draw.uniform(18, 40), 1),
            charlson_index=float(draw.randrange(6)),
            cancer=draw.random() < 0.2,
            any_complication=float(draw.random() < 0.4),
            death_30d=float(draw.random() < 0.02),
        )
        for i in range(600)
    ]


@pytest.fixture(scope="session")
def export(vocabulary: Vocabulary, rules: Rules) -> Callable[..., Export]:
    def make(rows: list[ExportRow], **changed: object) -> Export:
        arguments = {
            "origin": ORIGIN, "features": FEATURES, "outcomes": OUTCOMES,
            "vocabulary": vocabulary, "rules": rules,
        }  # fmt: skip
        return export_rows(rows, **(arguments | changed))  # type: ignore[arg-type]

    return make


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return load_keyring(tmp_path / "var" / "keys.toml", create=True).newest(EXPORT)


@pytest.fixture
def folder(
    tmp_path: Path, key: Key, rules: Rules, export: Callable[..., Export],
    patients: list[ExportRow],
) -> Path:  # fmt: skip
    """A whole export on disk."""
    written = tmp_path / "export"
    write_export(export(patients), written, rules=rules, key=key, made_on=date(2026, 11, 21))
    return written
