"""A site version: the right method, a slope of one, exact reasons, and where it comes from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bundle import prove, read_bundle
from tests.lib.transported import BINARY, ELSEWHERE, NUMERIC, at_home, elsewhere, position
from training.errors import CohortTooSmall, NotTransportable
from training.judge import answers
from training.transport import recalibrate
from training.transport.updating import apply_update, divide, fit_update, parts_of


def groups_of(model, vocabulary):
    return {name: vocabulary.features[name].group for name in model.features}


@pytest.mark.parametrize("which", ["additive", "with_trees", "both", "numeric"])
@pytest.mark.parametrize("method", ["original", "intercept", "intercept-slope", "refit"])
def test_the_updated_model_says_what_the_update_says_and_its_reasons_add_up(
    which, method, vocabulary, request
):
    model = request.getfixturevalue("with_trees" if which == "both" else which).model
    if which == "both":
        model = replace(model, additive_weight=0.5, trees_weight=0.5)
    cohort = elsewhere(vocabulary, lambda log_odds: 0.5 + 0.7 * log_odds)
    found = answers(model, cohort, ~cohort.held_out)
    division = divide(model, groups_of(model, vocabulary), 10_000)
    assert len(division.names) > 1
    parts = parts_of(model, division, found.X)
    assert parts.score == pytest.approx(found.score, abs=1e-9)
    update = fit_update(found.y, parts, method, model.kind)
    updated = apply_update(model, division, update)
    score, contributions = updated.explain(found.X)
    assert score == pytest.approx(update.score(parts), abs=1e-9)
    assert updated.base_value + contributions.sum(axis=1) == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize(
    ("truth", "method"),
    [
        (lambda log_odds: log_odds, "original"),
        (lambda log_odds: log_odds + 0.8, "intercept"),
        (lambda log_odds: 0.3 + 0.5 * log_odds, "intercept-slope"),
    ],
)
def test_a_known_shift_is_found_and_put_right(truth, method, additive, vocabulary, tmp_path):
    made_there = recalibrate(additive, elsewhere(vocabulary, truth), vocabulary, tmp_path, seed=1)
    report = made_there.report
    assert report["method"] == method
    assert 0.8 <= report["after"]["calibration"]["slope"] <= 1.2  # of 1,000 held-out patients
    ratio = report["after"]["calibration"]["observed_expected"]
    assert ratio["lower"] <= 1 <= ratio["upper"]


def test_an_input_that_is_coded_otherwise_calls_for_a_refit(additive, vocabulary, tmp_path):
    """Nobody's diabetes is recorded as it is: what is recorded is a coin's."""

    def coin(X):
        X = X.copy()
        X[:, position("diabetes")] = np.random.default_rng(4).random(len(X)) < 0.5
        return X

    cohort = elsewhere(vocabulary, change=coin)
    report = recalibrate(additive, cohort, vocabulary, tmp_path, seed=1).report
    assert report["method"] == "refit"
    assert report["update"]["weights"]["comorbidity"] < 0.5
    assert 0.85 <= report["after"]["calibration"]["slope"] <= 1.15
    assert report["after"]["auroc"]["value"] > report["before"]["auroc"]["value"]


def test_a_site_version_is_a_whole_bundle_with_its_lineage(with_trees, vocabulary, tmp_path):
    cohort = elsewhere(vocabulary, lambda log_odds: log_odds + 0.8)
    site = recalibrate(with_trees, cohort, vocabulary, tmp_path, method="intercept", seed=1)
    bundle = read_bundle(site.bundle)
    model = prove(bundle, with_trees.model.name, vocabulary)
    assert bundle.files["trees.txt"] == with_trees.bundle.files["trees.txt"]
    tags = site.run.tags
    assert tags["recalibrated_from_version"] == "1"
    assert tags["recalibrated_from_digest"] == with_trees.bundle.digest
    assert tags["recalibrated_on"] == ELSEWHERE
    assert tags["recalibration_method"] == "intercept"
    assert tags["recalibration_closed_test"] == site.report["closed_test"]["method"]
    assert 0 <= float(tags["closed_test_p_original"]) < 0.05
    assert tags["recalibrated_on_rows"] == str(site.report["cohort"]["rows_fitting"])
    card = bundle.document("card.json")
    assert card["cohort"]["title"] == "made"
    assert card["sites"][0]["title"] == ELSEWHERE
    assert bundle.document("evaluation.json") == site.report["after"]
    assert ELSEWHERE in bundle.files["card.md"].decode()
    assert model.cohort_value == pytest.approx(cohort.labels[BINARY].mean(), abs=0.02)


def test_strangers_are_judged_by_the_new_patients_when_there_are_enough(
    additive, vocabulary, tmp_path
):
    """Everybody here is twenty years older: the old rule would turn many of them away."""

    def older(X):
        X = X.copy()
        X[:, position("age")] = X[:, position("age")] + 20
        return X

    large = recalibrate(
        additive, elsewhere(vocabulary, change=older), vocabulary, tmp_path / "large", seed=1
    ).report
    small = recalibrate(
        additive,
        elsewhere(vocabulary, change=older, n=2000),
        vocabulary,
        tmp_path / "small",
        seed=1,
    ).report
    assert large["familiarity"] == "of this cohort"
    assert small["familiarity"] == "of the original model"
    assert large["after"]["abstained"]["share"] < 0.01


def test_a_number_is_recalibrated_in_its_own_unit(numeric, vocabulary, tmp_path):
    """Everybody stays three days longer."""
    cohort = elsewhere(vocabulary)
    labels = {**cohort.labels, NUMERIC: cohort.labels[NUMERIC] + 3}
    report = recalibrate(
        numeric, replace(cohort, labels=labels), vocabulary, tmp_path, seed=1
    ).report
    assert report["method"] == "intercept"
    assert report["update"]["base"] - numeric.model.base_value == pytest.approx(3, abs=0.15)


def test_what_the_model_knows_by_heart_is_refused(additive, vocabulary, tmp_path):
    with pytest.raises(NotTransportable, match="by heart"):
        recalibrate(additive, at_home(vocabulary), vocabulary, tmp_path, seed=1)


def test_a_cohort_that_is_ordered_the_wrong_way_is_refused(additive, vocabulary, tmp_path):
    cohort = elsewhere(vocabulary, lambda log_odds: -log_odds)
    with pytest.raises(NotTransportable, match="wrong way"):
        recalibrate(additive, cohort, vocabulary, tmp_path, method="intercept-slope", seed=1)


def test_too_few_events_are_refused(additive, vocabulary, tmp_path):
    with pytest.raises(CohortTooSmall, match="events"):
        recalibrate(additive, elsewhere(vocabulary, n=40), vocabulary, tmp_path, seed=1)


def test_without_a_required_input_or_the_outcome_nothing_is_done(additive, vocabulary, tmp_path):
    cohort = elsewhere(vocabulary)
    without = replace(cohort, labels={NUMERIC: cohort.labels[NUMERIC]})
    with pytest.raises(NotTransportable, match=BINARY):
        recalibrate(additive, without, vocabulary, tmp_path, seed=1)
    without = replace(cohort, features=("age_was", *cohort.features[1:]))
    with pytest.raises(NotTransportable, match="age"):
        recalibrate(additive, without, vocabulary, tmp_path, seed=1)
