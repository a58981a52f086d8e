"""Asking models together is asking each of them alone, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk.abstention import fit_familiarity
from models.risk.additive import AdditiveModel, Basis
from models.risk.assessment import Abstained, Answered
from models.risk.calibration import LinearCalibration
from models.risk.panel import Panel
from models.risk.risk_model import RiskModel
from models.risk.trees import TreeEnsemble
from tests.lib.properties import LAW
from tests.lib.risk_models import FEATURES, REQUIRED, fit_model, fitted, synthetic_rows, values_of


def models() -> list[RiskModel]:
    """Probabilities and a number; shared parts and own ones; with and without trees."""
    one, days = fitted().model, fitted("length_of_stay_days").model
    other = fit_model(seed=1).model  # the same inputs in the same order, all else its own
    additive_only = replace(one, additive_weight=1.0, trees_weight=0.0)
    trees_only = replace(other, additive_weight=0.0, trees_weight=1.0)
    turned = replace(one, calibration=LinearCalibration(0.1, 0.9), maximum=-0.5)
    return [one, days, other, additive_only, trees_only, turned]


def of_two_inputs() -> RiskModel:
    """The additive part of another model alone, with two of its inputs the other way round."""
    whole = fitted().model
    names = ("temperature", "age")
    position = [whole.features.index(name) for name in names]
    own = np.flatnonzero(np.isin(whole.additive.basis.feature, position))
    basis = Basis(
        *(
            getattr(whole.additive.basis, name)[own]
            for name in ("feature", "kind", "start", "stop", "mean")
        )
    )
    basis = replace(basis, feature=np.array([position.index(i) for i in basis.feature]))
    additive = AdditiveModel(
        basis, whole.additive.coefficients[own], whole.additive.covariance[np.ix_(own, own)],
        whole.additive.intercept, whole.additive.spread[np.ix_(position, position)],
    )  # fmt: skip
    return replace(
        whole,
        inputs=tuple(whole.inputs[i] for i in position),
        required=("age",),
        additive=additive,
        trees=TreeEnsemble([], len(names)),
        additive_weight=1.0,
        trees_weight=0.0,
        familiarity=fit_familiarity(fitted().X[:, position], (0, 1), (1,)),
    )


MODELS = [*models(), of_two_inputs()]
CHOSEN = st.lists(st.sampled_from(range(len(MODELS))), unique=True, max_size=len(MODELS))


def patient(seed: int) -> dict[str, float]:
    """Anybody, with anything missing, now and then unlike all others or of an unseen category."""
    rng = np.random.default_rng(seed)
    values = values_of(synthetic_rows(rng, 1)[0][0])
    kept = rng.random()
    values = {k: v for k, v in values.items() if k in REQUIRED or rng.random() < kept}
    if rng.random() < 0.2:
        values.pop(str(rng.choice(FEATURES)), None)
    if rng.random() < 0.2:
        values["albumin"] = 900.0
    return values


def same(a: Answered | Abstained, b: Answered | Abstained) -> bool:
    if isinstance(a, Abstained) or isinstance(b, Abstained):
        return a == b
    numbers = [(one.score, one.prediction, one.base_value, one.lower, one.upper) for one in (a, b)]
    return numbers[0] == numbers[1] and a.contributions.tobytes() == b.contributions.tobytes()


@LAW
@given(CHOSEN, st.integers(0, 2**32 - 1))
def test_together_is_alone_to_the_last_bit(chosen, seed):
    values = patient(seed)
    together = Panel([MODELS[i] for i in chosen]).assess(values)
    assert len(together) == len(chosen)
    for i, answer in zip(chosen, together, strict=True):
        assert same(answer, MODELS[i].assess(values)), i


def test_some_of_these_patients_are_answered_and_some_are_not():
    """Without this the law above could hold of abstentions alone."""
    answers = [answer for seed in range(60) for answer in Panel(MODELS).assess(patient(seed))]
    reasons = {answer.reason for answer in answers if isinstance(answer, Abstained)}
    assert reasons == {"missing_required", "out_of_distribution"}
    assert sum(isinstance(answer, Answered) for answer in answers) > len(answers) / 3


def test_a_panel_says_what_it_reads():
    assert Panel(MODELS).features == tuple(FEATURES)
    assert Panel([]).features == ()


def test_nobody_is_asked():
    assert Panel([]).assess({"age": 70.0}) == []


@pytest.mark.parametrize("model", MODELS)
def test_reasons_add_up_whoever_else_is_asked(model):
    values = values_of(np.nanmedian(fitted().X, axis=0))
    for answer in Panel([*MODELS, model]).assess(values):
        if isinstance(answer, Answered):
            total = answer.base_value + answer.contributions.sum()
            assert total == pytest.approx(answer.score, abs=1e-12)
