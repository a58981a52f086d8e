"""What we declare is written for Swedish readers too; a site may leave its own in English."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.console.frame.words import load_texts, told_in
from app.console.inspector.view import attacks_view
from app.deid import POLICY, Pseudonymiser
from app.deid.attacks import run_attacks
from models.vocabulary import load_vocabulary
from monitoring.keyring import Key, Keyring
from training.promote import REAL_FIRST

VOCABULARY = load_vocabulary()
CATEGORIES = [one for one in VOCABULARY.features.values() if one.kind == "category"]
SWEDISH = load_texts()["sv"]
GATE = Path(__file__).parents[2] / "training" / "promotion.toml"


@pytest.mark.parametrize("feature", CATEGORIES, ids=lambda one: one.name)
def test_every_category_has_labels_that_tell_it_from_the_others(feature):
    for language in ("en", "sv"):
        labels = feature.category_labels[language]
        assert len(labels) == len(feature.categories)
        assert len(set(labels)) == len(labels)
        assert not any("_" in label for label in labels)


def test_a_category_is_written_as_a_clinician_writes_it():
    def label(feature, category):
        return VOCABULARY.features[feature].category_label(category, "sv")

    assert label("disease_group", "copd") == "KOL"
    assert label("ecg_finding", "atrial_fibrillation_60_90") == "förmaksflimmer, frekvens 60–90/min"
    assert label("complication_clavien_dindo", "IIIa") == "IIIa"
    assert label("asa_band", "IV-VI") == "IV-VI"


@pytest.mark.parametrize("outcome", VOCABULARY.outcomes.values(), ids=lambda one: one.name)
def test_every_outcome_is_defined_in_swedish(outcome):
    told = told_in("sv", outcome, "definition")
    assert told.language == "sv"
    assert told.text != outcome.definition
    assert len(told.text.split()) >= 15
    assert (outcome.competing_sv is None) == (outcome.competing is None)


@pytest.mark.parametrize("point", VOCABULARY.branch_points.values(), ids=lambda one: one.id)
def test_every_branch_point_says_in_swedish_what_it_is_for(point):
    for name in ("intended_purpose", "who", "regulatory_note"):
        told = told_in("sv", point, name)
        assert told.language == "sv"
        assert told.text != getattr(point, name)


def test_every_rule_of_the_gate_is_told_in_swedish():
    rules = tomllib.loads(GATE.read_text(encoding="utf-8"))["rule"]
    names = {REAL_FIRST, *(rule["name"] for rule in rules)}
    told = {key.removeprefix("models.rule_") for key in SWEDISH.texts if ".rule_" in key}
    assert told == names


def test_every_rule_of_the_policy_is_explained_in_swedish():
    for rule in POLICY.rules.values():
        assert rule.how_sv != rule.how_en


def test_every_place_that_the_attacks_try_is_told_in_swedish():
    whole = VOCABULARY.branch_points["icu-review"]
    point = replace(whole, required=("age",), optional=("sbp",), features=("age", "sbp"))
    verdicts = run_attacks(
        point, VOCABULARY, tenant="t", care_units=(), now=datetime(2026, 11, 21, 9, tzinfo=UTC),
        pseudonymiser=Pseudonymiser(Keyring({"pseudonym": (Key("pseudonym", 1, bytes(32)),)})),
    )  # fmt: skip
    places = [told for told, _, _ in attacks_view(verdicts, SWEDISH)["places"]]
    assert places
    assert {told.language for told in places} == {"sv"}
