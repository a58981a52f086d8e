"""What a missing value is expected to tell: against brute force where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from models.risk.abstention import fit_familiarity
from models.risk.additive import RAMP, AdditiveModel, Basis
from models.risk.assessment import Answered
from models.risk.calibration import LinearCalibration
from models.risk.intervals import ConformalInterval, GroupInterval
from models.risk.measure_next import information, worth_of_missing
from models.risk.reading import Input, Reading
from models.risk.risk_model import RiskModel
from models.risk.trees import TreeEnsemble
from tests.lib.properties import LAW
from tests.lib.risk_models import FEATURES, REQUIRED, fitted

NAMES = ("age", "albumin", "creatinine", "lactate", "urea")
# Truth: log-odds per standard deviation, and how the five go together.
WEIGHTS = np.array([0.7, -0.9, 0.5, 1.1, 0.0])
CORRELATION = np.eye(5)
CORRELATION[2, 4] = CORRELATION[4, 2] = 0.6
CORRELATION[1, 3] = CORRELATION[3, 1] = -0.3
BASE = -1.0
FAR = 6.0


@cache
def linear_model() -> RiskModel:
    """The truth itself as a model: one ramp over six standard deviations either side, per input."""
    rng = np.random.default_rng(5)
    X = rng.multivariate_normal(np.zeros(5), CORRELATION, 20_000)
    basis = Basis(
        feature=np.arange(5), kind=np.full(5, RAMP), start=np.full(5, -FAR),
        stop=np.full(5, FAR), mean=np.full(5, 0.5),
    )  # fmt: skip
    additive = AdditiveModel(basis, WEIGHTS * 2 * FAR, np.zeros((5, 5)), BASE, np.zeros((5, 5)))
    return RiskModel(
        name="icu-review.death_180d", branch_point="icu-review", outcome="death_180d",
        kind="binary", training_data="synthetic",
        inputs=tuple(Input(name, "number") for name in NAMES), required=(), additive=additive,
        trees=TreeEnsemble([], 5), additive_weight=1.0, trees_weight=0.0,
        calibration=LinearCalibration(0.0, 1.0), interval=GroupInterval(1.0),
        familiarity=replace(fit_familiarity(X, range(5), ()), limit=np.inf), cohort_value=0.3,
    )  # fmt: skip


def brute_force(known: dict[int, float], wanted: int, n: int = 400) -> float:
    """Mutual information of one missing value and the outcome, by quadrature over the known truth.

    The other missing inputs stand at their mean, as a model that has not got them counts them.
    """
    at, own = list(known), np.array(list(known.values()))
    weights = (
        np.linalg.solve(CORRELATION[np.ix_(at, at)], CORRELATION[at, wanted]) if at else np.zeros(0)
    )
    mean = float(weights @ own)
    deviation = np.sqrt(1.0 - float(weights @ CORRELATION[at, wanted]))
    z = np.linspace(-6, 6, n)
    density = np.exp(-(z**2) / 2)
    density /= density.sum()
    p = expit(BASE + float(WEIGHTS[at] @ own) + WEIGHTS[wanted] * (mean + deviation * z))

    def entropy(q: np.ndarray) -> np.ndarray:
        return -(q * np.log2(q) + (1 - q) * np.log2(1 - q))

    return float(entropy(np.array(density @ p)) - density @ entropy(p))


@LAW
@given(st.dictionaries(st.integers(0, 4), st.floats(-2, 2), max_size=4))
def test_it_is_what_brute_force_finds_on_a_known_truth(known):
    model, patient = linear_model(), Reading({NAMES[i]: v for i, v in known.items()})
    answer = model.assess(patient)
    assert isinstance(answer, Answered)
    found = {name: worth.bits for name, worth in worth_of_missing(model, patient, answer).items()}
    missing = [i for i in range(5) if i not in known]
    for i in missing:
        # Correlations are learnt shrunk by a twentieth: at most 11 % over a grid of all known values.
        assert found.get(NAMES[i], 0.0) == pytest.approx(brute_force(known, i), rel=0.12, abs=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_missing_value_may_lie_beyond_the_outermost_quantiles():
    """Known values say 1.2 deviations above the mean; values that ended at 2.58 lost a fifth of it."""
    known = {0: -1.0, 1: 2.0, 3: -2.0, 4: 2.0}
    model, patient = linear_model(), Reading({NAMES[i]: v for i, v in known.items()})
    found = worth_of_missing(model, patient, model.assess(patient))["creatinine"]
    assert found.bits == pytest.approx(brute_force(known, 2), rel=0.1)


def test_what_the_known_values_tell_already_is_not_news():
    """Urea follows creatinine in this truth and has no weight of its own; albumin half tells lactate."""
    model = linear_model()

    def worth(name: str, **known: float) -> float:
        patient = Reading(known)
        found = worth_of_missing(model, patient, model.assess(patient))
        return found[name].bits if name in found else 0.0

    assert worth("urea") == 0.0
    assert worth("lactate", albumin=0.0) < worth("lactate")
    assert worth("lactate", urea=0.0) == pytest.approx(worth("lactate"), rel=0.02)


def test_its_ends_are_the_answers_at_the_values_that_one_patient_in_a_hundred_has():
    """Lactate of nobody's other values: mean 0, deviation 1; the outermost quadrature node kept is 2.08."""
    model, patient = linear_model(), Reading({})
    answer = model.assess(patient)
    found = worth_of_missing(model, patient, answer)["lactate"]
    weight = WEIGHTS[NAMES.index("lactate")]
    ends = sorted(expit(answer.score + weight * sign * 2.0768) for sign in (-1, 1))
    assert (found.lowest, found.highest) == pytest.approx(ends, rel=0.05)


@LAW
@given(st.integers(0, 10_000))
def test_one_changed_input_moves_the_score_as_a_whole_new_assessment_would(seed):
    """The short cut through ramps and trees is held against scoring the changed patient anew."""
    from models.risk.measure_next import _change_of_score

    model, rng = fitted().model, np.random.default_rng(seed)
    row = fitted().X[rng.integers(len(fitted().X))]
    values = {n: float(v) for n, v in zip(FEATURES, row, strict=True) if not np.isnan(v)}
    patient = Reading(values)
    at = rng.integers(0, len(FEATURES), 12)
    donors = fitted().X[rng.integers(len(fitted().X), size=400)]
    new = np.array([next(v for v in rng.permutation(donors[:, i]) if v == v) for i in at])
    moved = _change_of_score(model, patient, at, new)
    score, _ = model.explain(np.array([model.vector(values)]))
    for i, value, change in zip(at, new, moved, strict=True):
        other, _ = model.explain(np.array([model.vector(values | {FEATURES[i]: float(value)})]))
        assert change == pytest.approx(float(other[0] - score[0]), abs=1e-9)


@LAW
@given(st.sets(st.sampled_from([n for n in FEATURES if n not in REQUIRED])), st.integers(0, 500))
def test_only_missing_inputs_are_ranked_each_with_at_most_one_bit(absent, seed):
    model = fitted().model
    row = np.where(np.isnan(fitted().X[seed]), np.nanmedian(fitted().X, axis=0), fitted().X[seed])
    values = {n: float(v) for n, v in zip(FEATURES, row, strict=True) if n not in absent}
    patient = Reading(values)
    answer = model.assess(patient)
    if isinstance(answer, Answered):
        found = worth_of_missing(model, patient, answer)
        assert set(found) <= absent
        assert all(0 < worth.bits <= 1 for worth in found.values())


def test_the_shares_of_a_category_are_those_of_the_fitting_patients():
    from models.risk.measure_next import _likely

    model, X = fitted().model, fitted().X
    required = {n: float(np.nanmedian(X[:, FEATURES.index(n)])) for n in REQUIRED}
    likely = _likely(model, Reading(required))
    for name in ("disease_class", "mechanical_ventilation"):
        i = FEATURES.index(name)
        own = X[~np.isnan(X[:, i]), i]
        values, weights = likely[i]
        for value, weight in zip(values, weights, strict=True):
            assert weight == pytest.approx(float(np.mean(own == value)), abs=0.02)
        assert weights.sum() == pytest.approx(1.0)


@LAW
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1)), min_size=1, max_size=6).map(np.array)
)
def test_information_is_never_negative_and_never_more_than_what_is_unknown(pairs):
    chances, weights = pairs[:, 0], pairs[:, 1] / pairs[:, 1].sum()
    mean = float(weights @ chances)
    most = 0.0 if mean in (0.0, 1.0) else -(mean * np.log2(mean) + (1 - mean) * np.log2(1 - mean))
    assert 0 <= information(chances, weights) <= most + 1e-9


def test_a_number_is_worth_half_the_logarithm_of_the_variance_ratio():
    """Score weights of the truth, interval of 1 d either side at 90 %: log2(1 + w^2 / 0.608^2) / 2."""
    edges, offset = np.zeros(0), np.array([1.0])
    model = replace(
        linear_model(), kind="numeric", interval=ConformalInterval(edges, -offset, offset, -99.0)
    )
    patient = Reading({})
    found = worth_of_missing(model, patient, model.assess(patient))
    assert found["lactate"].bits == pytest.approx(0.5 * np.log2(1 + 1.1**2 / 0.60796**2), rel=0.1)
