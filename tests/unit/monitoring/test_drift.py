"""Figures of a model from its counts, by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from monitoring.counting.profile import ModelProfile, model_profile
from monitoring.drift import FEWEST, as_document, missing_over_time, model_drift

COUNTS = {"edges": [50.0], "counts": [50, 50], "missing": 0}


def profile(kind: str = "binary", **reference: object) -> ModelProfile:
    told = {"features": {"age": COUNTS, "sbp": COUNTS},
            "prediction": {"edges": [0.5], "counts": [75, 25]}, **reference}  # fmt: skip
    return model_profile(
        told, ["age", "sbp"], {}, {}, name="a.b", version="1", digest="", kind=kind
    )


def counts(
    age: tuple[int, ...], sbp: tuple[int, ...], answered: int, reasons: tuple[float, float]
) -> np.ndarray:
    """Missing, up to 50, over 50, implausible, unseen; predictions all in the lower bin, all 0.2."""
    abstained = sum(age) - answered
    sums = (0.2 * answered, 0.16 * answered)
    return np.array([answered, abstained, *sums, answered, 0, *reasons, *age, *sbp], dtype=float)


def test_the_psi_is_the_sum_over_bins_of_smoothed_shares():
    """Half an observation in each of five bins, live of 200, then of 100."""
    vector = counts((40, 100, 60, 0, 0), (0, 100, 100, 0, 0), 200, (1.0, 1.0))
    age, sbp = model_drift(profile(), vector).features
    live = [40.5 / 202.5, 100.5 / 202.5, 60.5 / 202.5, 0.5 / 202.5, 0.5 / 202.5]
    then = [0.5 / 102.5, 50.5 / 102.5, 50.5 / 102.5, 0.5 / 102.5, 0.5 / 102.5]
    psi = sum((p - q) * log(p / q) for p, q in zip(live, then, strict=True))
    assert age.psi == pytest.approx(psi, rel=1e-12)
    assert (age.missing, age.implausible, age.unseen) == (0.2, 0.0, 0.0)
    assert sbp.psi is not None
    assert sbp.psi < 0.01


def test_of_too_few_nothing_is_told():
    few = counts((0, FEWEST - 1, 0, 0, 0), (49, 150, 0, 0, 0), 150, (1.0, 1.0))
    told = model_drift(profile(), few)
    assert [one.psi for one in told.features] == [None, None]
    assert told.psi is None
    assert told.features[1].missing == pytest.approx(49 / 199)
    told = model_drift(profile(), counts((49, 0, 0, 0, 0), (0, 49, 0, 0, 0), 0, (0.0, 0.0)))
    assert [one.missing for one in told.features] == [None, None]
    assert (told.mean, told.expected_brier, told.explanation) == (None, None, None)


def test_explanations_drift_by_the_shares_that_change_hands():
    """Three quarters of the reasons were age; now a quarter is: half of all has changed hands."""
    fitted = {"contributions": {"age": 0.6, "sbp": 0.2}}
    vector = counts((0, 200, 0, 0, 0), (0, 200, 0, 0, 0), 200, (20.0, 60.0))
    told = model_drift(profile(**fitted), vector)
    assert told.explanation == pytest.approx(0.5)
    assert [one.reason for one in told.features] == [0.1, 0.3]
    few = counts((0, 199, 0, 0, 0), (0, 199, 0, 0, 0), 199, (20.0, 60.0))
    assert model_drift(profile(**fitted), few).explanation is None
    assert (told.mean, told.expected_brier) == (pytest.approx(0.2), pytest.approx(0.16))
    assert model_drift(profile(), vector).explanation is None


def test_what_the_bundle_does_not_say_is_not_compared():
    own = model_profile({}, ["age"], {}, {}, name="a.b", version="1", digest="", kind="numeric")
    vector = np.array([300, 0, 9.0, 0, 300, 1.0, 0, 300, 0, 0], dtype=float)
    told = model_drift(own, vector)
    assert (told.psi, told.expected_brier, told.features[0].psi) == (None, None, None)
    document = as_document(told, own, vector[None, :])
    assert document["features"][0]["bins"][1] == {
        "bin": "any value", "count": 300, "fitted_ratio": None,
    }  # fmt: skip


def test_what_is_missing_is_told_part_by_part_of_the_window():
    """A ward stops measuring: of forty, then twenty patients; of nineteen nothing is said."""
    parts = [
        counts((10, 30, 0, 0, 0), (0, 40, 0, 0, 0), 40, (1.0, 1.0)),
        counts((20, 0, 0, 0, 0), (5, 15, 0, 0, 0), 20, (1.0, 1.0)),
        counts((19, 0, 0, 0, 0), (0, 19, 0, 0, 0), 19, (1.0, 1.0)),
    ]
    asked, missing = missing_over_time(profile(), np.stack(parts))
    assert asked == [40, 20, 19]
    assert missing == {"age": [0.25, 1.0, None], "sbp": [0.0, 0.25, None]}
