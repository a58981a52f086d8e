"""Drift of a model from its counts: the figures that Prometheus' rules give, worked out in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.counting.profile import (
    BINARY,
    IMPLAUSIBLE,
    MISSING,
    STATUSES,
    SUMS,
    UNSEEN,
    ModelProfile,
)
from monitoring.stability import jensen_shannon, psi, smoothed_shares

Floats = NDArray[np.float64]

FEWEST = 200
"""Assessments under which no distance is told: by chance alone the PSI of ten bins is 0.045 there."""
FEWEST_FOR_SHARES = 50
FEWEST_IN_SLICE = 20
"""In one part of a window: by chance alone a share moves by a tenth there."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One input of a model, in a window.

    Attributes
    ----------
    labels : tuple of str
        Its bins.
    counts : ndarray
        Assessments per bin.
    fitted : ndarray or None
        Shares when the model was fitted, half an observation added to every bin; None where the
        bundle does not say.
    psi, js : float or None
        None of fewer than 200 assessments, or without `fitted`.
    missing, implausible, unseen : float or None
        Shares; None of fewer than 50 assessments.
    reason : float or None
        Mean absolute contribution; None where nothing was answered.
    fitted_reason : float or None
        The same when it was fitted.
    """

    feature: str
    labels: tuple[str, ...]
    counts: Floats
    fitted: Floats | None
    psi: float | None
    js: float | None
    missing: float | None
    implausible: float | None
    unseen: float | None
    reason: float | None
    fitted_reason: float | None


@dataclass(frozen=True, slots=True)
class ModelDrift:
    """What a version of a model was asked and answered in a window.

    Attributes
    ----------
    answered, abstained : int
    mean : float or None
        Mean prediction.
    expected_brier : float or None
        Mean of p(1-p): the Brier score to be expected if the probabilities are right.
    labels, counts, fitted
        Of the predictions, as in `FeatureDrift`.
    psi : float or None
        Of the predictions; None of fewer than 200 answers.
    explanation : float or None
        Half the sum of the absolute differences of each feature's share of the reasons, now and when
        the model was fitted: 0 where the same features drive the risk, 1 where others do; None of fewer
        than 200 answers.
    """

    name: str
    version: str
    answered: int
    abstained: int
    mean: float | None
    expected_brier: float | None
    labels: tuple[str, ...]
    counts: Floats
    fitted: Floats | None
    psi: float | None
    explanation: float | None
    features: tuple[FeatureDrift, ...]


def model_drift(profile: ModelProfile, vector: Floats) -> ModelDrift:
    """The figures of one model.

    Parameters
    ----------
    vector : ndarray
        Its counts, as `ModelProfile` orders them.
    """
    answered, abstained, total, variance = vector[: len(STATUSES) + SUMS].tolist()
    at = len(STATUSES) + SUMS
    predictions = vector[at : at + len(profile.predictions.labels)]
    at += len(predictions)
    reasons = vector[at : at + len(profile.features)]
    at += len(reasons)
    fitted = _fitted(profile.predictions.counts)
    asked = answered + abstained
    features = []
    for i, feature in enumerate(profile.features):
        own = vector[at : at + len(feature.labels)]
        at += len(own)
        shares = dict(zip(feature.labels, (own / asked).tolist(), strict=True)) if asked else {}
        shown = shares if asked >= FEWEST_FOR_SHARES else {}
        reference = _fitted(feature.counts)
        far = None if reference is None or asked < FEWEST else (smoothed_shares(own), reference)
        features.append(
            FeatureDrift(
                feature.name,
                feature.labels,
                own,
                reference,
                None if far is None else float(psi(*far)),
                None if far is None else float(jensen_shannon(*far)),
                shown.get(MISSING),
                shown.get(IMPLAUSIBLE),
                shown.get(UNSEEN),
                float(reasons[i]) / answered if answered else None,
                None if profile.contributions is None else profile.contributions[i],
            )
        )
    return ModelDrift(
        profile.name,
        profile.version,
        int(answered),
        int(abstained),
        total / answered if answered else None,
        variance / answered if answered and profile.kind == BINARY else None,
        profile.predictions.labels,
        predictions,
        fitted,
        None
        if fitted is None or answered < FEWEST
        else float(psi(smoothed_shares(predictions), fitted)),
        None if answered < FEWEST else _explanation(reasons, profile.contributions),
        tuple(features),
    )


def _fitted(counts: Sequence[int] | None) -> Floats | None:
    return None if counts is None else smoothed_shares(counts)


def _explanation(reasons: Floats, fitted: Sequence[float] | None) -> float | None:
    """Total variation distance of the features' shares of all reasons."""
    if fitted is None or not reasons.sum() or not sum(fitted):
        return None
    then = np.array(fitted)
    return float(np.abs(reasons / reasons.sum() - then / then.sum()).sum() / 2)


def missing_over_time(
    profile: ModelProfile, slices: Floats
) -> tuple[list[int], dict[str, list[float | None]]]:
    """How many were asked about in each part of a window, and the share without a value, by feature.

    Parameters
    ----------
    slices : ndarray, shape (n_slices, n_counts)
        The model's counts in each, as `ModelProfile` orders them.

    Returns
    -------
    asked : list of int
    missing : dict
        None where fewer than 20 were asked about.
    """
    asked = slices[:, : len(STATUSES)].sum(axis=1)
    at = len(STATUSES) + SUMS + len(profile.predictions.labels) + len(profile.features)
    missing = {}
    for feature in profile.features:
        lacking = slices[:, at + feature.labels.index(MISSING)]
        missing[feature.name] = [
            float(without / n) if n >= FEWEST_IN_SLICE else None
            for without, n in zip(lacking, asked, strict=True)
        ]
        at += len(feature.labels)
    return [int(n) for n in asked], missing


def as_document(drift: ModelDrift, profile: ModelProfile, slices: Floats) -> dict[str, Any]:
    """The figures as JSON; counts by bin, shares when the model was fitted beside them."""
    asked, missing = missing_over_time(profile, slices)
    return {
        "model": drift.name,
        "version": drift.version,
        "answered": drift.answered,
        "abstained": drift.abstained,
        "asked_over_time": asked,
        "mean_prediction": drift.mean,
        "brier_score_expected": drift.expected_brier,
        "prediction_psi": drift.psi,
        "explanation_drift": drift.explanation,
        "predictions": _bins(drift.labels, drift.counts, drift.fitted),
        "features": [
            {
                "feature": one.feature,
                "psi": one.psi,
                "js": one.js,
                "missing_ratio": one.missing,
                "missing_over_time": missing[one.feature],
                "implausible_ratio": one.implausible,
                "unseen_ratio": one.unseen,
                "mean_absolute_contribution": one.reason,
                "mean_absolute_contribution_fitted": one.fitted_reason,
                "bins": _bins(one.labels, one.counts, one.fitted),
            }
            for one in drift.features
        ],
    }


def _bins(labels: Sequence[str], counts: Floats, fitted: Floats | None) -> list[dict[str, Any]]:
    shares = [None] * len(labels) if fitted is None else fitted.tolist()
    return [
        {"bin": label, "count": int(count), "fitted_ratio": share}
        for label, count, share in zip(labels, counts.tolist(), shares, strict=True)
    ]
