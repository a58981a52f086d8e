"""Identifiers planted in every field and every disguise are BLOCKED; a broken guard is noticed."""

from __future__ import annotations

from collections import Counter
from importlib import import_module

import pytest

import models.vocabulary.measurement as measurement_module
from app.deid import Pseudonymiser
from app.deid.attacks import ALLOWED, BLOCKED, run_attacks, summarise
from app.deid.disguises import disguises
from models.vocabulary import load_vocabulary
from tests.lib.deid import keyring, surroundings

WORDS = load_vocabulary()
PERSON = "195009072553"


@pytest.mark.parametrize("point", WORDS.branch_points)
def test_every_attack_is_blocked_at_every_branch_point(point):
    tried = run_attacks(WORDS.branch_points[point], WORDS, **surroundings())
    assert [attack for attack in tried if attack["verdict"] != BLOCKED] == []
    fields = {attack["field"] for attack in tried}
    for name in WORDS.branch_points[point].features:
        for part in (", bare", ".value", ".unit", ".time", ", nested key"):
            assert f"measurements.{name}{part}" in fields
    assert {"subject", "episode", "unit", "index_time", "outcomes", "include", "unknown field",
            "duplicate field", "malformed JSON", "name of a measurement"} <= fields  # fmt: skip
    assert {d.encoding for d in disguises()} <= {attack["encoding"] for attack in tried}


def allowed(**changed):
    point = WORDS.branch_points["discharge"]
    tried = run_attacks(point, WORDS, **surroundings(**changed))
    return [(a["field"], a["encoding"]) for a in tried if a["verdict"] == ALLOWED]


def test_a_care_unit_named_like_a_patient_is_noticed():
    assert ("unit", "twelve digits") in allowed(care_units=(PERSON,))


class Unkeyed(Pseudonymiser):
    """A guard that forgot its work."""

    def newest(self, kind: str, tenant: str, value: str) -> str:
        return value


def test_a_pseudonymiser_that_does_nothing_is_noticed_in_every_disguise():
    found = Counter(field for field, _ in allowed(pseudonymiser=Unkeyed(keyring(b"x"))))
    texts = [disguise for disguise in disguises() if isinstance(disguise.sent, str)]
    assert found["subject"] == found["episode"] == len(texts)


def test_numbers_that_are_not_rounded_are_noticed(monkeypatch):
    monkeypatch.setattr(measurement_module, "coarsen", lambda feature, number: number)
    encodings = {encoding for _, encoding in allowed()}
    assert "split over two numbers, 5 and 5 digits" in encodings
    assert "JSON number, twelve digits" in encodings


def test_minutes_that_are_not_rounded_are_noticed(monkeypatch):
    # The package offers a function of the module's own name.
    monkeypatch.setattr(import_module("app.deid.scrub"), "MINUTES_EXACT_BELOW", 10**9)
    assert "split over value and time" in {encoding for _, encoding in allowed()}


def test_progress_is_told_after_every_attack():
    told: list[tuple[int, int]] = []
    point = WORDS.branch_points["trauma-alert"]
    tried = run_attacks(
        point, WORDS, **surroundings(), progress=lambda done, of: told.append((done, of))
    )
    assert told == [(done, len(tried)) for done in range(1, len(tried) + 1)]


def test_a_summary_counts_and_names_what_was_allowed():
    hole = {"field": "unit", "encoding": "reversed", "verdict": ALLOWED}
    tried = [{"field": "unit", "encoding": "plain", "verdict": BLOCKED}, hole]
    assert summarise(tried) == {
        "tried": 2, "blocked": 1, "allowed": 1, "fields": 1, "encodings": 2, "holes": [hole],
    }  # fmt: skip
