"""The invented patients: what their file may hold, and what the stand-in makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.examples.patients import ExamplePatient, load_patients
from app.examples.stand_in import DIGEST, stand_in
from models.errors import ContentInvalid
from models.risk.assessment import Abstained, Answered
from models.vocabulary import Vocabulary, load_vocabulary

ROW = """\
[[patient]]
branch_point = "discharge"
summary = "Somebody"
birth_date = "1944-11-30"
sex = "female"
outcomes = ["poor_recovery_90d"]
[patient.values]
cfs = 5
[[patient.illustration]]
outcome = "poor_recovery_90d"
base_value = -1.0
cohort = 0.3
reasons = { cfs = 0.5, age = 0.25, albumin = 0.0 }
"""


@pytest.fixture
def only(tmp_path: Path) -> ExamplePatient:
    file = tmp_path / "patients.toml"
    file.write_text(ROW, encoding="utf-8")
    return load_patients(file)["discharge"]


@pytest.mark.parametrize(
    ("written", "instead", "rule"),
    [
        ('sex = "female"', "", "`sex` is missing"),
        ('sex = "female"', 'sex = "female"\nname = "Anna"', "unknown key `name`"),
        ('birth_date = "1944-11-30"', 'birth_date = "12 May"', "`birth_date` must be written as"),
        ("cohort = 0.3", "", "`cohort` is missing"),
        ("cohort = 0.3", 'cohort = 0.3\nsource = "us"', "unknown key `source`"),
        (ROW, ROW + ROW, "its branch point has a patient already"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_by_name(
    tmp_path: Path, written: str, instead: str, rule: str
):
    file = tmp_path / "patients.toml"
    file.write_text(ROW.replace(written, instead), encoding="utf-8")
    with pytest.raises(ContentInvalid, match=rule):
        load_patients(file)


def test_the_age_is_in_completed_years_at_the_index_time(only: ExamplePatient):
    """Born 30 November 1944, asked on 21 November 2026: nine days before the 82nd birthday."""
    assert only.age == 81


def test_a_stand_in_says_what_the_file_says(only: ExamplePatient, vocabulary: Vocabulary):
    """-1 + 0.5 + 0.25 = -0.25 log-odds, a probability of 0.4378 (1 / (1 + e^0.25))."""
    point = vocabulary.branch_points["discharge"]
    model = stand_in(only, only.illustrations[0], point, vocabulary).model
    answer = model.assess({"age": 81.0, "cfs": 5.0})
    assert isinstance(answer, Answered)
    reasons = dict(zip(model.features, answer.contributions.tolist(), strict=True))
    assert reasons == {"cfs": 0.5, "age": 0.25, "albumin": 0.0}
    assert answer.score == pytest.approx(-0.25)
    assert answer.prediction == pytest.approx(0.4378, abs=5e-5)


def test_a_stand_in_abstains_without_what_the_branch_point_requires(
    only: ExamplePatient, vocabulary: Vocabulary
):
    point = vocabulary.branch_points["discharge"]
    model = stand_in(only, only.illustrations[0], point, vocabulary).model
    assert isinstance(model.assess({"cfs": 5.0}), Abstained)


def test_a_stand_in_cannot_be_taken_for_a_model():
    """No registered version is 0, and no file has this digest."""
    words = load_vocabulary()
    for patient in load_patients().values():
        point = words.branch_points[patient.branch_point]
        for shown in patient.illustrations:
            told = stand_in(patient, shown, point, words).reference
            assert (told["version"], told["digest"]) == ("0", DIGEST)
            assert told["training_data"] == "synthetic"
