"""Which reports carry going live: each refusal says what was found, expected and what to do."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from models.registry import Version
from training.errors import GoLiveRefused
from training.go_live import Evidence, hold_reports, read_report

POINT, DEATH, SEPSIS = "icu-review", "icu-review.death_180d", "icu-review.sepsis"
OUTCOMES = ["death_180d", "sepsis", "delirium"]
REPORT: dict[str, Any] = {
    "sentences": ["one", "two"],
    "model": {"name": DEATH, "version": "3", "digest": "sha256:d3", "training_data": "real"},
    "cohort": {"title": "Patients of North", "training_data": "real", "own": False},
    "case_mix": [],
    "evaluation": {"kind": "binary"},
    "calibration": {},
}


def champion(name: str, version: str = "3", training_data: str = "real") -> Version:
    return Version(name, version, f"sha256:d{version}", {"training_data": training_data})


def evidence(folder: Path, **changed: Any) -> Evidence:
    """A report with `part__key` changed."""
    document = deepcopy(REPORT)
    for name, value in changed.items():
        part, _, key = name.partition("__")
        document[part][key] = value
    file = folder / "report.json"
    file.write_text(json.dumps(document))
    return read_report(file)


def hold(reports: list[Evidence], *champions: Version, without: tuple[str, ...] = ()) -> None:
    hold_reports(POINT, OUTCOMES, champions, reports, without)


def test_a_report_of_every_champion_carries_it(tmp_path: Path):
    death = evidence(tmp_path)
    sepsis = evidence(tmp_path, model__name=SEPSIS, model__version="7", model__digest="sha256:d7")
    hold([death, sepsis], champion(DEATH), champion(SEPSIS, "7"))
    hold([death], champion(DEATH), champion(SEPSIS), without=("sepsis",))
    assert death.attached.cohort == "Patients of North"
    assert len(death.attached.sha256) == 64


def test_simulated_patients_may_carry_a_model_of_simulated_patients(tmp_path: Path):
    hold([evidence(tmp_path, cohort__training_data="synthetic")], champion(DEATH, "3", "synthetic"))


@pytest.mark.parametrize(
    ("changed", "champions", "without", "said"),
    [
        ({}, (), (), "no outcome of `icu-review` has a champion, so nothing can go live"),
        ({"model__name": "discharge.death_30d"}, (champion(DEATH),), (),
         "is about discharge.death_30d, not about a model of `icu-review`"),
        ({"model__name": SEPSIS}, (champion(DEATH),), (), "which has no champion; promote it first"),
        ({"model__version": "2"}, (champion(DEATH),), (),
         "version 2 (sha256:d3); champion is version 3 (sha256:d3): validate that one"),
        ({"model__digest": "sha256:other"}, (champion(DEATH),), (), "validate that one"),
        ({"cohort__training_data": "synthetic"}, (champion(DEATH),), (),
         "is of simulated patients, and icu-review.death_180d was fitted on real ones"),
        ({}, (champion(DEATH), champion(SEPSIS)), (),
         "no report for sepsis: `icu-review` has a champion of each; make one with `risk-train "
         "validate icu-review.sepsis --cohort FILE --out REPORT`"),
        ({}, (champion(DEATH),), ("stroke",), "`icu-review` has no such outcome; it has death_180d"),
        ({}, (champion(DEATH),), ("delirium",), "it has no champion, so it needs none"),
        ({}, (champion(DEATH),), ("death_180d",), "a report of it is given"),
    ],
)  # fmt: skip
def test_what_does_not_carry_it_is_refused(tmp_path: Path, changed, champions, without, said):
    with pytest.raises(GoLiveRefused) as refused:
        hold([evidence(tmp_path, **changed)], *champions, without=without)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_champion_that_does_not_say_what_it_was_fitted_on_counts_as_one_of_real_patients(
    tmp_path: Path,
):
    report = evidence(tmp_path, cohort__training_data="synthetic")
    with pytest.raises(GoLiveRefused, match="simulated patients prove nothing"):
        hold([report], Version(DEATH, "3", "sha256:d3", {}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no JSON"),
        ("[1", "is no JSON"),
        ("[]", "it lacks sentences, model, cohort, case_mix, evaluation, calibration"),
        ('{"method": "intercept", "evaluation": {}}', "it lacks sentences, model, cohort"),
        (json.dumps({**REPORT, "calibration": None}), "it lacks calibration"),
        (json.dumps({**REPORT, "model": {"name": DEATH}}), "it lacks model.version, model.digest"),
        (json.dumps({**REPORT, "cohort": {}}), "it lacks cohort.title, cohort.training_data"),
    ],
)
def test_what_is_no_validation_report_is_refused(tmp_path: Path, content: str, said: str):
    file = tmp_path / "some.json"
    file.write_text(content)
    with pytest.raises(GoLiveRefused) as refused:
        read_report(file)
    assert said in str(refused.value)
    assert "risk-train validate NAME" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(GoLiveRefused, match="cannot be read: No such file"):
        read_report(tmp_path / "none.json")
