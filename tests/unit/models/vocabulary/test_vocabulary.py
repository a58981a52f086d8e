"""A site's own folder: it adds features, outcomes and branch points without code, and redefines none."""

from __future__ import annotations

import pytest

from models.errors import ContentInvalid
from models.vocabulary import load_vocabulary, take

FEATURE = """
[[feature]]
name = "grip_strength"
label_en = "Grip strength"
label_sv = "Greppstyrka"
group = "function"
kind = "number"
unit = "kg"
plausible = [0.0, 120.0]
earliest = "preoperative-clinic"
direction = "decreases_risk"
source = "example"
"""
OUTCOME = """
[[outcome]]
name = "fall_30d"
label_en = "Fall within 30 days"
label_sv = "Fall inom 30 dagar"
kind = "binary"
horizon_days = 30
family = "complication"
definition = "A fall in hospital or at home within 30 days."
competing = "death before a fall counts as no event"
directions_apply = true
label_source = "Nursing record"
source = "example"
"""
POINT = """
id = "falls-clinic"
stage = 3
title_en = "Falls clinic"
title_sv = "Fallmottagning"
question_en = "Who falls?"
question_sv = "Vem faller?"
hook = "patient-view"
intended_purpose = "It is decision support only."
who = "Geriatrician"
regulatory_note = "Proposal"
switchable = true
required = ["age", "grip_strength"]
optional = ["sex"]
action = []

[[outcome]]
name = "fall_30d"
bands = [{ name = "low", below = 0.1 }, { name = "high" }]
band_source = "example"
band_capacity = { start = "high", patients_per_100 = 10, source = "example" }

[[outcome]]
name = "death_30d"
bands = [{ name = "low", below = 0.1 }, { name = "high" }]
band_source = "example"
band_capacity = { start = "high", patients_per_100 = 10, source = "example" }
"""


@pytest.fixture
def site(tmp_path):
    def write(features="", outcomes="", **points):
        if features:
            (tmp_path / "features.toml").write_text(features, encoding="utf-8")
        if outcomes:
            (tmp_path / "outcomes.toml").write_text(outcomes, encoding="utf-8")
        for name, text in points.items():
            folder = tmp_path / "branch_points"
            folder.mkdir(exist_ok=True)
            (folder / f"{name.replace('_', '-')}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_a_site_adds_a_feature_an_outcome_and_a_branch_point_by_adding_files(site):
    vocabulary = load_vocabulary(site(FEATURE, OUTCOME, falls_clinic=POINT))
    assert "falls-clinic.fall_30d" in vocabulary.model_names()
    assert vocabulary.branch_points["falls-clinic"].required == ("age", "grip_strength")
    assert take(vocabulary.features["grip_strength"], 31.5) == 31.5
    assert vocabulary.can_be_known("grip_strength", "falls-clinic")
    assert not vocabulary.can_be_known("grip_strength", "surgery-decision")


def test_a_site_keeps_everything_of_the_product(site):
    product, own = load_vocabulary(), load_vocabulary(site(FEATURE, OUTCOME, falls_clinic=POINT))
    assert set(own.features) - set(product.features) == {"grip_strength"}
    assert set(own.outcomes) - set(product.outcomes) == {"fall_30d"}
    assert set(own.branch_points) - set(product.branch_points) == {"falls-clinic"}


def test_an_empty_folder_changes_nothing(site):
    assert load_vocabulary(site()).model_names() == load_vocabulary().model_names()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"features": FEATURE.replace("grip_strength", "age")},
            "features.toml: feature `age`: the product declares it already",
        ),
        (
            {"outcomes": OUTCOME.replace("fall_30d", "sepsis")},
            "outcomes.toml: outcome `sepsis`: the product declares it already",
        ),
        (
            {
                "features": FEATURE,
                "outcomes": OUTCOME,
                "discharge": POINT.replace("falls-clinic", "discharge"),
            },
            "branch_points: branch point `discharge`: the product declares it already",
        ),
        (
            {"features": FEATURE.replace('unit = "kg"', 'unit = "kg"\nloinc = ["8867-4"]')},
            "features.toml: feature `grip_strength`: loinc 8867-4 already stands at `heart_rate`",
        ),
        (
            {"features": FEATURE.replace("preoperative-clinic", "falls-clinic")},
            "`earliest` is `falls-clinic`, which is no branch point",
        ),
        (
            {"outcomes": OUTCOME, "falls_clinic": POINT},
            "falls-clinic.toml: file: feature `grip_strength` is not in the dictionary",
        ),
        (
            {"features": FEATURE, "falls_clinic": POINT},
            "falls-clinic.toml: outcome `fall_30d`: is not declared in outcomes.toml",
        ),
        (
            {
                "features": FEATURE,
                "outcomes": OUTCOME,
                "falls_clinic": POINT.replace("stage = 3", "stage = 1"),
            },
            "falls-clinic.toml: feature `grip_strength`: cannot be known before",
        ),
        ({"features": "x = "}, "features.toml: file: is not TOML"),
    ],
)
def test_a_site_cannot_redefine_or_contradict_the_product(site, content, message):
    with pytest.raises(ContentInvalid) as refused:
        load_vocabulary(site(**content))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_site_may_band_a_feature_of_the_product(site):
    banded = """
[[feature]]
name = "age_band"
label_en = "Age, banded"
label_sv = "Ålder, grupperad"
group = "demographics"
kind = "category"
categories = ["under_65", "65_and_over"]
ordered = true
derived_from = { feature = "age", bands = [[0, 64.999, "under_65"], [65, 120, "65_and_over"]] }
earliest = "surgery-decision"
source = "example"
"""
    features = load_vocabulary(site(banded)).features
    assert features["age_band"].derived_from.category(70) == "65_and_over"


def test_a_site_may_let_a_feature_be_known_at_its_own_branch_point(site):
    late = FEATURE.replace("preoperative-clinic", "falls-clinic")
    vocabulary = load_vocabulary(site(late, OUTCOME, falls_clinic=POINT))
    assert vocabulary.can_be_known("grip_strength", "falls-clinic")


def test_what_is_loaded_cannot_be_changed():
    vocabulary = load_vocabulary()
    with pytest.raises(TypeError):
        vocabulary.features["new"] = vocabulary.features["age"]
    with pytest.raises(AttributeError):
        vocabulary.features = {}
