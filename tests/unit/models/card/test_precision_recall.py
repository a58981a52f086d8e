"""Every point of the curve is one of scikit-learn's, and nothing is stored for it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from models.card.precision_recall import precision_recall
from tests.lib.properties import LAW
from training.evaluation.roc_curve import roc_curve


@LAW
@given(st.integers(0, 10**6), st.integers(20, 600), st.integers(1, 3))
def test_every_point_is_one_of_scikit_learns(seed: int, n: int, digits: int):
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(n), digits)
    y = (rng.random(n) < p).astype(float)
    y[:2] = (0.0, 1.0)
    precision, recall, _ = precision_recall_curve(y, p)
    theirs = {(round(r, 9), round(s, 9)) for r, s in zip(recall, precision, strict=True)}
    ours = precision_recall({"roc": roc_curve(y, p), "prevalence": y.mean()})
    assert ours
    assert {(round(r, 9), round(s, 9)) for r, s in ours} <= theirs


def test_without_a_roc_curve_there_is_none():
    assert precision_recall({"prevalence": 0.2}) == []
    assert precision_recall({"roc": {"false_positive_rate": [0, 1], "sensitivity": [0, 1]}}) == []
