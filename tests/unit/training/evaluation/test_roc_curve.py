"""The ROC curve tells how well events are told apart, and nothing of fewer than five patients."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve as sklearn_curve

from tests.lib.properties import LAW
from training.evaluation.roc_curve import MOST_STEPS, roc_curve


def cohort(seed: int, n: int, digits: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(n), digits)
    y = (rng.random(n) < p).astype(float)
    y[:2] = (0.0, 1.0)
    return y, p


@LAW
@given(st.integers(0, 10**6), st.integers(2, 600), st.integers(1, 6))
def test_every_step_holds_five_events_and_five_others_or_is_the_whole(
    seed: int, n: int, digits: int
):
    y, p = cohort(seed, n, digits)
    curve = roc_curve(y, p)
    for shares, total in (
        (curve["sensitivity"], y.sum()),
        (curve["false_positive_rate"], n - y.sum()),
    ):
        counts = np.diff(np.array(shares) * total)
        assert shares[0] == 0.0
        assert shares[-1] == 1.0
        assert len(shares) <= MOST_STEPS + 1
        assert len(shares) == 2 or counts.min() > 4.999


@LAW
@given(st.integers(0, 10**6), st.integers(2, 600), st.integers(1, 3))
def test_every_point_is_one_of_scikit_learns(seed: int, n: int, digits: int):
    y, p = cohort(seed, n, digits)
    wrong, right, _ = sklearn_curve(y, p, drop_intermediate=False)
    theirs = {(round(a, 9), round(b, 9)) for a, b in zip(wrong, right, strict=True)}
    curve = roc_curve(y, p)
    ours = zip(curve["false_positive_rate"], curve["sensitivity"], strict=True)
    assert {(round(a, 9), round(b, 9)) for a, b in ours} <= theirs
