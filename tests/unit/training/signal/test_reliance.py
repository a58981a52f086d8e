"""Shares of the reasons, and what is lost without a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk.calibration import probability
from models.risk.trees import TreeEnsemble
from tests.lib.properties import HEAVY_LAW
from tests.lib.risk_models import FEATURES, fitted
from training.evaluation.discrimination import auroc, log_loss
from training.signal.reliance import Judged, reliance

ROWS = 240


def judged(y: np.ndarray, kind: str = "binary") -> Judged:
    return Judged(y, np.arange(len(y)) // 2, kind, seed=3, n_resamples=40)


@HEAVY_LAW
@given(st.sets(st.sampled_from(FEATURES), max_size=4))
def test_shares_add_up_and_an_input_without_weight_loses_exactly_nothing(idle):
    """Some inputs' coefficients are made 0 and the trees, which may read them, left out."""
    own = fitted()
    gone = np.isin(own.model.additive.basis.feature, [FEATURES.index(name) for name in idle])
    additive = replace(
        own.model.additive, coefficients=np.where(gone, 0.0, own.model.additive.coefficients)
    )
    model = replace(
        own.model, additive=additive, trees=TreeEnsemble([], len(FEATURES)), trees_weight=0.0
    )
    found = reliance(model, own.X[:ROWS], judged(own.y[:ROWS]))
    assert list(found) == list(FEATURES)
    assert sum(one.share for one in found.values()) == pytest.approx(1.0)
    for name in idle:
        assert found[name].share == 0.0
        for change in found[name].lost.values():
            assert change == {"value": 0.0, "lower": 0.0, "upper": 0.0}


def test_what_is_lost_is_what_the_model_says_of_the_same_patients_without_the_value():
    own = fitted()
    X, y = own.X[:ROWS], own.y[:ROWS]
    found = reliance(own.model, X, judged(y))
    strongest = max(found, key=lambda name: found[name].share)
    lacking = X.copy()
    lacking[:, FEATURES.index(strongest)] = np.nan
    full, less = (probability(own.model.explain(rows)[0]) for rows in (X, lacking))
    change = found[strongest].lost
    assert change["log_loss"]["value"] == pytest.approx(log_loss(y, less) - log_loss(y, full))
    assert change["auroc"]["value"] == pytest.approx(auroc(y, less) - auroc(y, full))
    assert change["log_loss"]["lower"] <= change["log_loss"]["value"] <= change["log_loss"]["upper"]


def test_what_absence_says_is_the_part_of_the_rows_that_lack_it():
    own = fitted()
    X = own.X[:ROWS]
    found = reliance(own.model, X, judged(own.y[:ROWS]))
    size = np.abs(own.model.explain(X)[1])
    for i, name in enumerate(FEATURES):
        missing = np.isnan(X[:, i])
        assert found[name].from_absence == pytest.approx(size[missing, i].sum() / size[:, i].sum())


def test_a_number_loses_in_its_own_figures():
    own = fitted("length_of_stay_days")
    found = reliance(own.model, own.X[:ROWS], judged(own.y[:ROWS], "numeric"))
    assert {name for one in found.values() for name in one.lost} == {"mae", "r2"}
