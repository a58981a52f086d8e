import json

import numpy as np
import pytest

from models.risk.intervals import group_coverage
from training.evaluation import evaluate_binary, evaluate_numeric


def binary(n=600, **changes):
    rng = np.random.default_rng(1)
    p = rng.uniform(0.05, 0.95, n)
    y = (rng.uniform(size=n) < p).astype(float)
    score = np.where(rng.uniform(size=n) < 0.7, np.round(p, 1), np.nan)
    given = {
        "y": y,
        "p": p,
        "lower": p - 0.04,
        "upper": p + 0.04,
        "comparators": {"score": score},
        "groups": {"sex": rng.choice(["female", "male"], n).tolist()},
        "n_resamples": 40,
    } | changes
    return evaluate_binary(given.pop("y"), given.pop("p"), **given)


def numeric(n=300, **changes):
    rng = np.random.default_rng(1)
    value = rng.gamma(2, 5, n)
    given = {
        "y": value * rng.uniform(0.5, 1.5, n),
        "value": value,
        "lower": value * 0.5,
        "upper": value * 1.5,
        "groups": {"sex": rng.choice(["female", "male"], n).tolist()},
        "n_resamples": 40,
    } | changes
    return evaluate_numeric(given.pop("y"), given.pop("value"), **given)


@pytest.mark.parametrize("evaluation", [binary, numeric])
def test_an_evaluation_is_json_without_nan_and_the_same_again(evaluation):
    assert json.dumps(evaluation(), allow_nan=False) == json.dumps(evaluation(), allow_nan=False)


def test_another_seed_moves_the_bounds_and_not_the_values():
    first, second = binary(), binary(seed=7)
    assert first["auroc"]["value"] == second["auroc"]["value"]
    assert first["auroc"]["lower"] != second["auroc"]["lower"]


def test_bounds_enclose_the_value():
    evaluation = binary()
    for figure in ("auroc", "auprc", "brier", "log_loss"):
        estimate = evaluation[figure]
        assert estimate["lower"] < estimate["value"] < estimate["upper"]


def test_interval_coverage_is_that_of_groups_of_like_patients():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.05, 0.95, 600)
    y = (rng.uniform(size=600) < p).astype(float)
    interval = binary()["interval"]
    expected = group_coverage(y, np.log(p / (1 - p)), p - 0.04, p + 0.04)
    assert (interval["coverage"], interval["groups"]) == expected
    assert interval["level"] == 0.9
    assert interval["mean_width"] == pytest.approx(0.08)


def test_a_comparator_is_compared_on_the_rows_that_have_it():
    part = binary()["comparators"]["score"]
    assert 350 < part["rows"] < 500
    for figure in ("auroc", "auprc", "brier", "log_loss"):
        difference = part["model"][figure]["value"] - part["comparator"][figure]["value"]
        assert part["difference"][figure]["value"] == pytest.approx(difference)


def test_a_comparator_of_few_patients_is_withheld_everywhere():
    few = np.full(600, np.nan)
    few[:6] = 0.5
    evaluation = binary(comparators={"score": few})
    assert evaluation["comparators"]["score"] == {"suppressed": True, "rows": None}
    assert evaluation["net_benefit"]["comparators"] == {}


def test_sure_estimates_of_a_person_are_taken():
    rng = np.random.default_rng(2)
    evaluation = binary(comparators={"physician": rng.choice([0.0, 1.0], 600)})
    assert evaluation["comparators"]["physician"]["comparator"]["log_loss"]["value"] > 5


def test_rows_of_one_patient_are_resampled_together():
    evaluation = binary(patients=[str(i // 3) for i in range(600)])
    assert evaluation["bootstrap"]["unit"] == "patient"
    assert binary()["bootstrap"]["unit"] == "row"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.zeros(600)}, "found 600 rows with 0 events; expected both classes"),
        ({"y": np.ones(600)}, "found 600 rows with 600 events; expected both classes"),
        ({"y": np.full(600, 0.5)}, "found 600 rows that are neither 0 nor 1"),
        ({"p": np.full(600, 1.5)}, "found 600 rows outside 0 to 1"),
        ({"p": np.full(600, np.nan)}, "found 600 rows not finite"),
        ({"lower": np.ones(3)}, r"`lower` has shape \(3,\)"),
        ({"upper": np.zeros(600)}, "lower bound is above the upper"),
        ({"groups": {"sex": ["female"]}}, "group `sex` has 1 labels; expected 600"),
        ({"comparators": {"score": np.ones(2)}}, r"comparator `score` has shape \(2,\)"),
        ({"comparators": {"score": np.full(600, 2.0)}}, "outside 0 to 1"),
        ({"patients": ["a"]}, "`patients` has 1 entries"),
        ({"patients": [None] * 600}, "rows without a patient"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        binary(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.ones(300)}, "found 300 rows with one and the same outcome"),
        ({"y": np.ones(4)}, "found 4 rows; expected at least 10"),
        ({"value": np.full(300, np.inf)}, "found 300 rows not finite"),
    ],
)
def test_numbers_that_cannot_be_judged_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        numeric(**changes)


def test_coverage_of_numbers_counts_patients():
    """Bounds at half and one and a half times the prediction hold every observed value."""
    assert numeric()["interval"]["coverage"] == 1.0
    value = np.arange(1.0, 11.0)
    evaluation = evaluate_numeric(
        value + np.repeat([0.0, 5.0], [7, 3]),
        value,
        lower=value - 1,
        upper=value + 1,
        groups={},
        n_resamples=10,
    )
    assert evaluation["interval"] == {"level": 0.9, "coverage": 0.7, "mean_width": 2.0}


def test_perfect_predictions_leave_an_undefined_slope_null():
    y = np.repeat([0.0, 1.0], 50)
    evaluation = binary(y=y, p=y, lower=y, upper=y, comparators={}, groups={})
    assert evaluation["auroc"]["value"] == 1.0
    assert evaluation["calibration"]["slope"] is None
