"""What sentences say, from one side of a limit to the other."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.report import sentences
from monitoring.report.judged import by_drift
from tests.lib.monitoring_report import asked, chart, feature, figures, group


def model(*psi: float | None) -> dict[str, Any]:
    """Of 300 assessments in five bins, chance alone gives an index of 4/300 = 0.0133."""
    return asked([feature(f"f{i}", one, 0, 60, 240, 0, 0) for i, one in enumerate(psi)])


@pytest.mark.parametrize(
    ("psi", "said"),
    [
        ((0.26, 0.02), "In 0 of 2 inputs patients differ clearly from those the model was fitted "
                       "on, and in 1 somewhat."),
        ((0.27, 0.12), "In 1 of 2 inputs patients differ clearly from those the model was fitted "
                       "on, and in 1 somewhat."),
        ((0.11, 0.02), "In all 2 inputs patients are like those the model was fitted on."),
        ((0.4, None), "In 1 of 1 inputs patients differ clearly from those the model was fitted on."),
    ],
)  # fmt: skip
def test_inputs_differ_beyond_what_chance_gives(psi: tuple[float | None, ...], said: str) -> None:
    assert sentences.of_features(model(*psi)) == said


def test_of_few_nothing_is_said() -> None:
    assert sentences.of_features(model(None)).startswith("Nothing can be said of the inputs yet")
    few = asked([], prediction_psi=None)
    assert sentences.of_predictions(few).startswith("Nothing can be said of the predictions yet")


def test_the_worst_inputs_come_first_beyond_chance() -> None:
    """More bins are more chance: 0.5 in five bins is more than 0.5 in thirty."""
    wide = feature("wide", 0.5, 0, *[10] * 27, 0, 0)
    given = asked([feature("none", None, 0, 60, 240, 0, 0), wide,
                   feature("narrow", 0.5, 0, 60, 240, 0, 0)])  # fmt: skip
    assert [one["feature"] for one in by_drift(given)] == ["narrow", "wide", "none"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lower": 1.01, "upper": 1.5}, "more than chance explains: the model says too little"),
        ({"lower": 0.5, "upper": 0.99}, "fewer than chance explains: the model says too much"),
        ({"lower": 1.0, "upper": 1.0}, "chance can explain the difference"),
    ],
)
def test_a_ratio_is_read_by_its_interval(changed: dict[str, float], said: str) -> None:
    assert sentences.of_outcomes(figures(100, 20, 16.0, **changed)).endswith(f"{said}.")


def test_no_outcome_is_told_from_a_withheld_one() -> None:
    assert "No outcome" in sentences.of_outcomes(figures(0, 0, 1.0))
    withheld = dict.fromkeys(figures(9, 3, 1.0))
    assert sentences.of_outcomes(withheld) == sentences.NOT_TOLD
    assert sentences.of_calibration(withheld) == sentences.NOT_TOLD


@pytest.mark.parametrize(
    ("slope", "said"),
    [(0.79, "too high and low ones too low"), (0.81, "as far as they should"),
     (1.19, "as far as they should"), (1.21, "too near to the average"), (None, "too few events")],
)  # fmt: skip
def test_a_slope_is_read_as_how_extreme_risks_are(slope: float | None, said: str) -> None:
    assert said in sentences.of_calibration(figures(100, 20, 16.0, slope=slope))


def test_units_outside_are_named_with_their_limits() -> None:
    """Of 16 expected, 32 events are four standard deviations too many, 6 two and a half too few."""
    units = [group("unit", "a", 90, 32, 16.0), group("unit", "b", 90, 16, 16.0),
             group("unit", "c", 90, 6, 16.0)]  # fmt: skip
    said = sentences.of_units(units)
    assert said.startswith("Outside of what chance gives: 2 of 3 units, a (more events than")
    assert "a (more events than predicted, beyond the 99.8 % limits)" in said
    assert "c (fewer events than predicted, beyond the 95 % limits)" in said


def test_charts_that_signalled_are_named_with_the_direction() -> None:
    charts = [chart("a", (2.5, 0, -1, "worse"), (0, 1.5, 1, "better")), chart("b", (0, 0, 0, None))]
    assert sentences.of_charts(charts) == (
        "Signals since the ledger began: a (more events than predicted and fewer events than "
        "predicted)."
    )
    assert "No unit's chart has signalled" in sentences.of_charts(charts[1:])


def test_reasons_name_what_weighs_most_and_what_did() -> None:
    features = [
        feature("a", 0.0, 0, 1, 1, 0, 0, mean_absolute_contribution=0.9),
        feature("b", 0.0, 0, 1, 1, 0, 0, mean_absolute_contribution_fitted=0.8),
    ]
    said = sentences.of_reasons(asked(features, explanation_drift=0.21), {"a": "Age", "b": "BMI"})
    assert "has changed much: 21 %" in said
    assert "Age weighs most; BMI did when the model was fitted." in said
    same = sentences.of_reasons(asked(features[:1], explanation_drift=0.2))
    assert "has changed little: 20 %" in same
    assert "a weighs most; as it did when" in same
