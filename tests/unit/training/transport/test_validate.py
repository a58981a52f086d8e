"""The validation report finds what was changed between two hospitals: case mix, risk, coding."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.lib.transported import BINARY, at_home, elsewhere, position
from training.errors import CohortTooSmall, NotTransportable
from training.signal import subsample
from training.transport import validate, validation_page, validation_tables
from training.transport.membership import membership_auroc


@pytest.fixture(scope="module")
def same(additive, vocabulary):
    return validate(additive, elsewhere(vocabulary), vocabulary, seed=1)


def line_of(report, name):
    return next(line for line in report["case_mix"] if line["feature"] == name)


def test_nothing_is_found_where_nothing_was_changed(same):
    assert [line["feature"] for line in same["case_mix"] if line["differs"]] == []
    for figure in ("observed_expected", "slope"):
        found = same["calibration"][figure]
        assert found["lower"] <= 1 <= found["upper"]
    assert same["cohort"]["which"] == "all labelled rows"
    assert "in silence" in same["sentences"][1]
    assert len(same["sentences"]) == 2


def test_another_case_mix_is_found_and_is_not_taken_for_another_risk(additive, vocabulary):
    """Those over 65 are twice as often here: half a standard deviation, and the model still holds."""
    cohort = elsewhere(vocabulary, n=8000)
    old = cohort.X[:, position("age")] > 65
    kept = np.flatnonzero(old | (np.random.default_rng(2).random(len(old)) < 0.5))
    chosen = replace(
        cohort,
        X=cohort.X[kept],
        labels={name: y[kept] for name, y in cohort.labels.items()},
        held_out=cohort.held_out[kept],
        patients=np.arange(len(kept)),
        hospitals=None,
    )
    report = validate(
        additive, chosen, vocabulary, seed=1, development=subsample(at_home(vocabulary), 5000, 1)
    )
    assert report["case_mix"][0]["feature"] == "age"
    assert 0.2 < report["case_mix"][0]["difference"] < 0.5
    assert sum(line["differs"] for line in report["case_mix"]) == 1
    ratio = report["calibration"]["observed_expected"]
    assert ratio["lower"] <= 1 <= ratio["upper"]
    assert report["relatedness"]["membership_auroc"] > 0.55
    assert report["predictions"]["mean"] > report["predictions"]["mean_original"]


def test_another_baseline_risk_is_found(additive, vocabulary):
    cohort = elsewhere(vocabulary, lambda log_odds: log_odds + 0.6)
    report = validate(additive, cohort, vocabulary, seed=1)
    level = report["calibration"]["in_the_large"]
    assert level["lower"] <= 0.6 <= level["upper"]
    assert report["calibration"]["observed_expected"]["lower"] > 1.1
    assert not any(line["differs"] for line in report["case_mix"])
    assert "more had it than predicted" in report["sentences"][0]
    assert "recalibrate" in report["sentences"][1]


def test_another_coding_is_found_with_what_it_costs(same, additive, vocabulary):
    """Half of the diabetes is not coded, and albumin is hardly ever measured."""

    def coded(X):
        X, random = X.copy(), np.random.default_rng(6)
        at = position("diabetes")
        X[:, at] = X[:, at] * (random.random(len(X)) < 0.5)
        X[random.random(len(X)) < 0.8, position("albumin")] = np.nan
        return X

    report = validate(additive, elsewhere(vocabulary, change=coded), vocabulary, seed=1)
    # 30 % against 15 %: 0.15 over the root of (0.21 + 0.1275) / 2.
    assert line_of(report, "diabetes")["difference"] == pytest.approx(-0.365, abs=0.05)
    # 30 % missing there; here also 80 % of the rest: 86 %.
    albumin = line_of(report, "albumin")
    assert albumin["missing"] == pytest.approx(0.86, abs=0.02)
    assert albumin["missing_difference"] > 1
    assert report["evaluation"]["auroc"]["upper"] < same["evaluation"]["auroc"]["value"]
    assert report["calibration"]["observed_expected"]["lower"] > 1


def test_of_the_cohort_it_was_fitted_on_only_the_held_out_rows_are_asked(additive, vocabulary):
    own = subsample(at_home(vocabulary), 2000, 1)
    report = validate(additive, own, vocabulary, seed=1)
    assert report["evaluation"]["rows"] == pytest.approx(own.held_out.sum(), abs=9)
    report = validate(additive, own, vocabulary, seed=1, other_patients=True)
    assert report["evaluation"]["rows"] == pytest.approx(2000, abs=9)


def test_few_events_settle_nothing(additive, vocabulary):
    report = validate(additive, elsewhere(vocabulary, n=160), vocabulary, seed=1)
    assert not report["sample_size"]["enough"]
    assert "settles nothing" in report["sentences"][1]


def test_a_count_under_five_stands_nowhere(additive, vocabulary):
    """Three rows lack creatinine: neither their number nor their share is told."""

    def three(X):
        X = X.copy()
        X[:3, position("creatinine")] = np.nan
        return X

    line = line_of(
        validate(additive, elsewhere(vocabulary, change=three), vocabulary, seed=1), "creatinine"
    )
    assert line["missing"] is None
    assert line["missing_difference"] == 0


def test_figures_of_four_events_are_not_shown(additive, vocabulary):
    cohort = elsewhere(vocabulary, n=200)
    y = np.zeros(200)
    y[:4] = 1
    with pytest.raises(CohortTooSmall, match="nothing of them can be shown"):
        validate(additive, replace(cohort, labels={BINARY: y}), vocabulary, seed=1)


def test_a_number_is_judged_in_its_own_unit(numeric, vocabulary):
    report = validate(numeric, elsewhere(vocabulary), vocabulary, seed=1)
    assert report["sample_size"] is None
    assert report["calibration"]["slope"]["value"] == pytest.approx(1, abs=0.05)


def test_the_report_is_json_a_page_of_its_own_and_tables(same):
    assert json.loads(json.dumps(same)) == same
    page = validation_page(same)
    assert same["sentences"][0].split("(")[0] in page
    assert page.count("<svg") == 4
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert next(validation_tables(same)).title.startswith("icu-review.death_60d")


def test_a_cohort_without_the_outcome_is_refused(additive, vocabulary):
    cohort = elsewhere(vocabulary)
    with pytest.raises(NotTransportable, match="has no"):
        validate(additive, replace(cohort, labels={}), vocabulary, seed=1)


def test_the_same_patients_cannot_be_told_apart_and_others_can(vocabulary):
    features = [vocabulary.features[name] for name in ("age", "diabetes")]
    random = np.random.default_rng(1)

    def drawn(age):
        n = 2000
        X = np.column_stack([random.normal(age, 10, n), random.random(n) < 0.3])
        return X, (random.random(n) < 0.2).astype(float)

    assert membership_auroc(drawn(60), drawn(60), features, 1) == pytest.approx(0.5, abs=0.03)
    # One standard deviation apart: Phi(1 / sqrt(2)) = 0.760.
    assert membership_auroc(drawn(70), drawn(60), features, 1) == pytest.approx(0.76, abs=0.02)
