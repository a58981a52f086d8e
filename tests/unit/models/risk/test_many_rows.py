"""What is worked out for many rows at once is what each row would get alone."""

from __future__ import annotations

import numpy as np
import pytest

from models.risk.abstention import fit_familiarity
from models.risk.assessment import Answered
from models.risk.intervals import ConformalInterval
from tests.lib.risk_models import Fitted
from tests.lib.risk_models import fitted as fit_once


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit_once()


@pytest.fixture(scope="module")
def asked(fitted: Fitted) -> np.ndarray:
    """Fitting rows, strange ones, and rows that lack almost everything."""
    X = fitted.X[:300].copy()
    X[:40, :9] *= np.linspace(0.2, 3.0, 40)[:, None]
    X[40:60, 0] = np.nan
    X[60:80, 5:] = np.nan
    return X


def test_who_is_answered(fitted, asked):
    model = fitted.model
    values = [dict(zip(model.features, x.tolist(), strict=True)) for x in asked]
    alone = [
        isinstance(model.assess({k: v for k, v in row.items() if not np.isnan(v)}), Answered)
        for row in values
    ]
    assert 0 < sum(alone) < len(alone)
    assert model.answers(asked).tolist() == alone


def test_who_is_unfamiliar(fitted, asked):
    rule = fitted.model.familiarity
    assert rule.unfamiliar(asked).tolist() == [rule.is_unfamiliar(x) for x in asked]


def test_one_in_a_thousand_fitting_patients_is_beyond_the_limit():
    random = np.random.default_rng(5)
    X = random.normal(size=(20_000, 4)) @ random.normal(size=(4, 4))
    X[random.random(X.shape) < 0.2] = np.nan
    rule = fit_familiarity(X, range(4), [])
    assert rule.unfamiliar(X).sum() == 20


def test_bounds_do_not_cross_where_almost_everybody_has_the_largest_value():
    """Thirty days at home for nearly all: offsets can lie above a prediction, never the bounds."""
    interval = ConformalInterval(np.zeros(0), np.array([0.5]), np.array([0.9]), 0.0, 30.0)
    lower, upper = interval.bounds(np.array([29.0, 29.8, 30.0]))
    assert lower.tolist() == [29.5, 30.0, 30.0]
    assert upper.tolist() == [29.9, 30.0, 30.0]
