"""The series of every model that is shown: what was counted of it beside what it was fitted on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.counting.frame import Frame
from monitoring.counting.profile import BINARY, STATUSES, ModelProfile
from monitoring.exposition import labelled
from monitoring.stability import smoothed_shares

Floats = NDArray[np.float64]

ASSESSMENTS = "risk_model_assessments_total"
SUM, VALUE_SUM = "risk_predicted_probability_sum_total", "risk_predicted_value_sum_total"
VARIANCE = "risk_predicted_variance_total"
PROBABILITIES, VALUES = "risk_predicted_probability_total", "risk_predicted_value_total"
REASONS, FEATURES = "risk_contribution_absolute_total", "risk_feature_observations_total"
PROBABILITIES_FITTED = "risk_predicted_probability_reference_ratio"
VALUES_FITTED = "risk_predicted_value_reference_ratio"
REASONS_FITTED = "risk_contribution_reference_mean"
FEATURES_FITTED = "risk_feature_reference_ratio"
UNUSED = ""
"""A number that a numeric model has no use for."""


class ModelSeries:
    """Text of all series of these models.

    Parameters
    ----------
    profiles : sequence of ModelProfile
        Each version of a model once.
    """

    def __init__(self, profiles: Sequence[ModelProfile]) -> None:
        self.profiles = tuple(profiles)
        self._frame = Frame()
        binary = [one for one in profiles if one.kind == BINARY]
        numeric = [one for one in profiles if one.kind != BINARY]
        rows: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        begins = 0
        for profile in profiles:
            for place, (family, labels) in enumerate(_series(profile)):
                rows[family].append(("", labels, begins + place))
            begins += profile.size
        for family in (ASSESSMENTS, PROBABILITIES, VALUES, FEATURES):
            self._frame.add(family, rows[family])
        for family in (SUM, VALUE_SUM, VARIANCE, REASONS):
            self._frame.add(family, rows[family], whole=False)
        self._frame.constant(PROBABILITIES_FITTED, [r for p in binary for r in _predictions(p)])
        self._frame.constant(VALUES_FITTED, [r for p in numeric for r in _predictions(p)])
        self._frame.constant(REASONS_FITTED, [r for p in profiles for r in _reasons(p)])
        self._frame.constant(FEATURES_FITTED, [r for p in profiles for r in _features(p)])

    def filled(self, counts: Sequence[Floats]) -> Iterator[bytes]:
        """The text, piece by piece.

        Parameters
        ----------
        counts : sequence of ndarray
            Of every model in the order given, as `ModelProfile` orders them.
        """
        return self._frame.filled(np.concatenate((np.zeros(0), *counts)))


def _series(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    """Family and labels of every number of a model's vector, in its order."""
    binary = profile.kind == BINARY
    for status in STATUSES:
        yield ASSESSMENTS, _labels(profile, status=status)
    yield SUM if binary else VALUE_SUM, _labels(profile)
    yield VARIANCE if binary else UNUSED, _labels(profile)
    for bin_ in profile.predictions.labels:
        yield PROBABILITIES if binary else VALUES, _labels(profile, bin=bin_)
    for feature in profile.features:
        yield REASONS, _labels(profile, feature=feature.name)
    for feature in profile.features:
        for bin_ in feature.labels:
            yield FEATURES, _labels(profile, feature=feature.name, bin=bin_)


def _predictions(profile: ModelProfile) -> list[tuple[str, float]]:
    told = profile.predictions
    if told.counts is None:
        return []
    shares = zip(told.labels, smoothed_shares(told.counts).tolist(), strict=True)
    return [(_labels(profile, bin=bin_), share) for bin_, share in shares]


def _reasons(profile: ModelProfile) -> list[tuple[str, float]]:
    if profile.contributions is None:
        return []
    means = zip(profile.features, profile.contributions, strict=True)
    return [(_labels(profile, feature=feature.name), mean) for feature, mean in means]


def _features(profile: ModelProfile) -> list[tuple[str, float]]:
    return [
        (_labels(profile, feature=feature.name, bin=bin_), share)
        for feature in profile.features
        if feature.counts is not None
        for bin_, share in zip(
            feature.labels, smoothed_shares(feature.counts).tolist(), strict=True
        )
    ]


def _labels(profile: ModelProfile, **further: str) -> str:
    return labelled({"model": profile.name, "version": profile.version, **further})
