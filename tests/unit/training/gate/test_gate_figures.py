"""The figures that the gate adds to an evaluation, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

from models.risk.calibration import probability
from models.vocabulary import Vocabulary
from tests.lib.gated import cohort, flattened, good
from training.evaluation.decision_gain import decision_gain
from training.evaluation.net_benefit import net_benefit
from training.evaluation.resampling import Resampling
from training.gate.beside_champion import beside_champion, predictions
from training.gate.cohort_shift import cohort_shift, feature_psi
from training.gate.subgroups import NONE_LARGE, worst_subgroup

# ---------------------------------------------------------------- thresholds and net benefit


@pytest.mark.parametrize(
    ("point", "outcome", "thresholds"),
    [
        # icu-review.toml: the talk about goals of care begins at "high", from 0.60.
        ("icu-review", "death_180d", (0.6,)),
        # Kidney protection at "elevated", from 0.25; the capacity is counted from there as well.
        ("icu-review", "acute_kidney_injury", (0.25,)),
        # No action: where the band of the declared capacity begins.
        ("icu-review", "delirium", (0.35,)),
        ("icu-review", "length_of_stay_days", ()),
    ],
)
def test_thresholds_are_where_somebody_would_act(
    vocabulary: Vocabulary, point: str, outcome: str, thresholds: tuple[float, ...]
):
    assert vocabulary.branch_points[point].decision_thresholds(outcome) == thresholds


def test_every_binary_outcome_of_every_branch_point_has_a_threshold(vocabulary: Vocabulary):
    for point in vocabulary.branch_points.values():
        for outcome, bands in point.outcomes.items():
            thresholds = point.decision_thresholds(outcome)
            assert bool(thresholds) is (bands is not None), (point.id, outcome)
            assert all(0 < threshold < 1 for threshold in thresholds)


def test_the_gain_is_over_the_better_of_treating_all_and_none():
    """Against the net benefit of the evaluation, which is held against dcurves."""
    rng = np.random.default_rng(4)
    p = rng.uniform(size=400)
    y = (rng.uniform(size=400) < p).astype(float)
    one = Resampling(np.random.default_rng(1), 20)
    found = decision_gain(y, p, (0.1, 0.7), one)["thresholds"]
    limits = np.array([0.1, 0.7])
    model, everybody = (net_benefit(y, q, limits) for q in (p, np.ones(400)))
    assert everybody[0] > 0 > everybody[1]  # all is the rival at 0.1, none at 0.7
    assert found["0.1"]["value"] == pytest.approx(model[0] - everybody[0])
    assert found["0.7"]["value"] == pytest.approx(model[1])


def test_a_model_that_is_worse_than_treating_nobody_is_shown_to_be():
    """Everybody is flagged at a half, and one in ten has the event: 0.1 - 0.9 = -0.8 per patient."""
    y = np.repeat([1.0, 0.0], [20, 180])
    found = decision_gain(y, np.full(200, 0.6), (0.5,), Resampling(np.random.default_rng(1), 50))
    assert found["worst"]["value"] == pytest.approx(-0.8)
    assert found["worst"]["upper"] < 0


# ---------------------------------------------------------------- subgroups


def group(n: int | None, events: int | None, lower: float, upper: float, area: float = 0.8):
    ratio = {"value": None, "lower": None, "upper": None}
    if n is not None:
        ratio = {"value": 1.0, "lower": lower, "upper": upper}
    return {
        "suppressed": False, "n": n, "events": events, "observed_expected": ratio,
        "auroc": {"value": area, "lower": area - 0.1, "upper": area},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "off", "where"),
    [
        ([group(200, 50, 0.9, 1.1)], 1.0, "g: 0"),
        ([group(200, 50, 0.9, 1.1), group(200, 50, 1.2, 1.9)], 1.2, "g: 1"),
        # Half as many events as predicted at most: wrong by two at least.
        ([group(200, 50, 0.2, 0.5), group(200, 50, 1.2, 1.9)], 2.0, "g: 0"),
        # Nineteen events are not judged, nor nineteen non-events, nor withheld counts.
        ([group(200, 19, 2.0, 4.0)], 1.0, NONE_LARGE),
        ([group(69, 50, 2.0, 4.0)], 1.0, NONE_LARGE),
        ([group(None, None, 2.0, 4.0)], 1.0, NONE_LARGE),
        ([{"suppressed": True, "n": None}], 1.0, NONE_LARGE),
    ],
)
def test_the_worst_calibrated_group_has_the_benefit_of_the_doubt(groups, off, where):
    table = {"g": {str(i): one for i, one in enumerate(groups)}}
    found = worst_subgroup({"kind": "binary", "subgroups": table})
    assert found is not None
    assert found["miscalibration"] == {"value": pytest.approx(off), "where": where}


def test_a_group_whose_counts_are_withheld_is_still_asked_for_its_discrimination():
    """Its counts hide a smaller group; that it is told apart at all is for it to know."""
    table = {"age": {"80 and over": group(None, None, 1, 1, area=0.55)}}
    found = worst_subgroup({"kind": "binary", "subgroups": table})
    assert found is not None
    assert found["discrimination"] == {"value": 0.55, "where": "age: 80 and over"}


def test_means_of_numbers_are_compared_in_groups_of_a_hundred():
    def one(n: int, observed: float, predicted: float) -> dict[str, object]:
        means = {"mean_observed": observed, "mean_predicted": predicted}
        return {"suppressed": False, "n": n, **means}

    table = {"sex": {"female": one(100, 6.0, 12.0), "male": one(99, 50.0, 5.0)}}
    found = worst_subgroup({"kind": "numeric", "subgroups": table})
    assert found == {"miscalibration": {"value": 2.0, "where": "sex: female"}}


@pytest.mark.parametrize("evaluation", [{}, {"subgroups": None}, {"kind": "binary"}])
def test_an_evaluation_without_subgroups_gives_no_figure(evaluation):
    assert worst_subgroup(evaluation) is None


# ---------------------------------------------------------------- drift of the fitting cohort


def number(edges: list[float], counts: list[int], missing: int = 0):
    return {"edges": edges, "counts": counts, "missing": missing}


def psi(new: list[float], old: list[float]) -> float:
    """By the formula, half a patient in every bin."""
    k = len(new)
    p = [(n + 0.5) / (sum(new) + 0.5 * k) for n in new]
    q = [(n + 0.5) / (sum(old) + 0.5 * k) for n in old]
    return sum((a - b) * log(a / b) for a, b in zip(p, q, strict=True))


OLD = number([10, 20], [300, 400, 300])


@pytest.mark.parametrize(
    ("new", "in_its_bins"),
    [
        (number([10, 20], [300, 400, 300]), [300, 400, 300, 0]),
        (number([10, 20], [100, 400, 500]), [100, 400, 500, 0]),
        # 10 lies half-way between 5 and 15: 200 + 600 / 2 below it; 20 is beyond all that is known, of
        # which 800 lie below 15: more than the champion's 700.
        (number([5, 15], [200, 600, 200]), [500, 300, 200, 0]),
        # Beyond both ends nothing is known but the sides: as near to the champion as can be.
        (number([21, 30], [900, 50, 50]), [300, 400, 300, 0]),
        (number([0, 5], [10, 40, 950]), [300, 400, 300, 0]),
        # An empty bin is not infinite, and what is missing is a bin of its own.
        (number([10, 20], [0, 500, 500]), [0, 500, 500, 0]),
        (number([10, 20], [300, 400, 300], missing=1000), [300, 400, 300, 1000]),
    ],
)
def test_counts_of_other_bins_are_put_into_the_champions(new, in_its_bins):
    assert feature_psi(new, OLD) == pytest.approx(psi(in_its_bins, [300, 400, 300, 0]))


def test_a_category_that_one_cohort_never_had_is_a_bin_of_both():
    new = {"values": ["a", "c"], "counts": [500, 500], "missing": 0}
    old = {"values": ["a", "b"], "counts": [500, 500], "missing": 0}
    assert feature_psi(new, old) == pytest.approx(psi([500, 0, 500, 0], [500, 500, 0, 0]))


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (OLD, None),
        (OLD, number([10, 20], [50, 99, 50])),
        (number([10, 20], [50, 99, 50]), OLD),
        (OLD, {"values": ["a"], "counts": [1000], "missing": 0}),
    ],
)
def test_what_cannot_be_compared_gives_no_index(new, old):
    assert feature_psi(new, old) is None


def test_the_input_that_moved_most_is_named():
    new = {"features": {"age": number([10, 20], [280, 420, 300]), "lactate": OLD, "ph": OLD}}
    old = {"features": {"age": OLD, "lactate": number([10, 20], [600, 200, 200])}}
    found = cohort_shift(new, old)
    assert (found["where"], found["inputs"]) == ("lactate", 2)
    assert found["value"] == pytest.approx(psi([300, 400, 300, 0], [600, 200, 200, 0]))
    assert cohort_shift(new, {"features": {}})["value"] is None


# ---------------------------------------------------------------- paired with the champion


def test_a_model_beside_itself_loses_and_gains_nothing():
    found = beside_champion(good().model, good().model, cohort(), (0.6,))
    for figure in ("log_loss", "brier", "auroc", "net_benefit"):
        assert [found[figure][end] for end in ("value", "lower", "upper")] == [0, 0, 0]
    assert found["answered"] == 0


def test_the_difference_is_that_of_both_on_the_rows_that_both_answer():
    rows = cohort()
    every = np.arange(len(rows.X))
    ours, answered = predictions(flattened(good()).model, rows, every)
    theirs, _ = predictions(good().model, rows, every)
    y = rows.labels["death_180d"][answered]
    brier = ((ours[answered] - y) ** 2).mean() - ((theirs[answered] - y) ** 2).mean()
    found = beside_champion(flattened(good()).model, good().model, rows, (0.6,))
    assert found["rows"] == answered.sum()
    assert found["events"] == y.sum()
    assert found["brier"]["value"] == pytest.approx(brier)
    assert 0 < found["brier"]["lower"] < brier < found["brier"]["upper"]
    # Flattening keeps the order, so it costs nothing of the AUROC.
    assert found["auroc"] == {"value": 0, "lower": 0, "upper": 0}


def test_only_held_out_rows_with_a_label_are_asked():
    rows = cohort()
    held_out, labels = rows.held_out.copy(), rows.labels["death_180d"].copy()
    held_out[:500], labels[500:900] = False, np.nan
    fewer = replace(rows, held_out=held_out, labels={"death_180d": labels})
    assert beside_champion(good().model, good().model, fewer, (0.6,))["rows"] <= 1100


def test_a_version_that_answers_fewer_is_found_out():
    """It asks for albumin, which three rows of ten lack, where the champion answers all the same."""
    model = good().model
    strict = replace(model, required=(*model.required, "albumin"))
    found = beside_champion(strict, model, cohort(), (0.6,))
    assert found["answered"] == pytest.approx(-0.3, abs=0.03)


def test_an_input_that_the_cohort_lacks_is_missing_and_not_guessed():
    rows = cohort()
    kept = [i for i, name in enumerate(rows.features) if name != "age"]
    without = replace(rows, features=tuple(rows.features[i] for i in kept), X=rows.X[:, kept])
    found = beside_champion(good().model, good().model, without, (0.6,))
    assert found == {"where": "fewer than 20 held-out rows that both answer"}


def test_predictions_are_those_that_the_service_would_give():
    model, rows = good().model, cohort()
    p, answered = predictions(model, rows, np.arange(50))
    for i in np.flatnonzero(answered):
        values = {n: float(x) for n, x in zip(rows.features, rows.X[i], strict=True) if x == x}
        assert model.assess(values).prediction == pytest.approx(p[i], abs=1e-9)
    assert probability(0.0) == 0.5
