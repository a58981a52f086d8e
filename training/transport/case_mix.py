"""Who the new patients are, beside those that the model was fitted on.

The model carries no patient, only its reference profile: shares of patients in bins. So the
differences are those that shares in bins can show.

- A number: the chance that a patient here has a higher value than one of the reference (ties count
  half), brought to standard deviations as if both were normal: `sqrt(2) * inverse normal(chance)`.
- A flag: the difference of the shares over the pooled standard deviation.
- A category: the same for many shares at once, a distance without a sign.
- Missing: as a flag. A value that is coded elsewhere and not here shows as this.

0.1 is the customary limit of what can be neglected.

References
----------
Bross IDJ. How to use ridit analysis. Biometrics 1958;14:18-38.
Yang D, Dalton JE. A unified approach to measuring the effect size between two groups using SAS. SAS
Global Forum 2012, paper 335.
Austin PC. Balance diagnostics for comparing the distribution of baseline covariates between treatment
groups in propensity-score matched samples. Stat Med 2009;28:3083-3107 (0.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature
from training.evaluation.disclosure import is_small

Floats = NDArray[np.float64]

NEGLIGIBLE = 0.1
# A chance of 0 or 1 would be infinitely many standard deviations, and none a spread of 0.
FARTHEST = 0.001


def case_mix(
    X: Floats, features: Sequence[Feature], reference: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every input here beside the reference profile, the largest difference first.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
        Encoded inputs, NaN where missing.
    features : sequence of Feature
        Dictionary rows in the same order.
    reference : mapping
        From `monitoring.reference.reference_profile`.

    Returns
    -------
    list of dict
        `feature`, `label`, `unit`, `kind`, `difference` (None when nobody here or there has it),
        `missing` and `missing_reference` (shares; None where fewer than five patients would show),
        `missing_difference`, `differs`.
    """
    lines = [
        _line(X[:, i], feature, reference["features"][feature.name], int(reference["rows"]))
        for i, feature in enumerate(features)
    ]
    return sorted(lines, key=lambda line: -_size(line))


def _size(line: Mapping[str, Any]) -> float:
    return float(max(abs(line["difference"] or 0.0), abs(line["missing_difference"])))


def _line(
    column: Floats, feature: Feature, reference: Mapping[str, Any], rows: int
) -> dict[str, Any]:
    here, there = counts_here(column, reference), np.array(reference["counts"], dtype=float)
    missing = int(np.isnan(column).sum())
    hidden = missing > 0 and is_small(missing)
    # What is hidden counts as none: the difference would give the count away.
    share = 0.0 if hidden else missing / max(len(column), 1)
    share_there = reference["missing"] / max(rows, 1)
    difference = None
    if here.sum() and there.sum():
        if feature.kind == "number":
            difference = shift_of_number(here, there)
        elif feature.kind == "flag":
            difference = difference_of_shares(here[1] / here.sum(), there[1] / there.sum())
        else:
            difference = distance_of_categories(here / here.sum(), there / there.sum())
    lost = difference_of_shares(share, share_there)
    return {
        "feature": feature.name,
        "label": feature.label_en,
        "unit": feature.unit,
        "kind": feature.kind,
        "difference": difference,
        "missing": None if hidden else share,
        "missing_reference": share_there,
        "missing_difference": lost,
        "differs": abs(difference or 0.0) >= NEGLIGIBLE or abs(lost) >= NEGLIGIBLE,
    }


def counts_here(column: Floats, reference: Mapping[str, Any]) -> Floats:
    """Patients in the bins of a reference, shape (n_bins,).

    Examples
    --------
    >>> counts_here(np.array([1.0, 2.0, 5.0, np.nan]), {"edges": [2.0]}).tolist()
    [2.0, 1.0]
    """
    present = column[~np.isnan(column)]
    if "edges" in reference:
        bins = np.searchsorted(np.array(reference["edges"]), present, side="left")
        return np.bincount(bins, minlength=len(reference["edges"]) + 1).astype(float)
    levels = present.astype(np.intp)
    return np.bincount(levels, minlength=len(reference["values"])).astype(float)


def shift_of_number(here: Floats, there: Floats) -> float:
    """Difference of two numbers in standard deviations, from counts in the same ordered bins.

    Examples
    --------
    Half in each of two bins there, all in the upper one here: a chance of 3/4, sqrt(2) x 0.6745.

    >>> round(shift_of_number(np.array([0.0, 8.0]), np.array([5.0, 5.0])), 4)
    0.9539
    """
    p, q = here / here.sum(), there / there.sum()
    higher = float(p @ (np.cumsum(q) - q / 2))
    inside = min(max(higher, FARTHEST), 1 - FARTHEST)
    return sqrt(2) * NormalDist().inv_cdf(inside)


def difference_of_shares(here: float, there: float) -> float:
    """Standardised difference of two shares.

    Examples
    --------
    60% against 40%: 0.2 over the root of 0.24.

    >>> round(difference_of_shares(0.6, 0.4), 4)
    0.4082
    """
    spread = (here * (1 - here) + there * (1 - there)) / 2
    return (here - there) / sqrt(max(spread, FARTHEST))


def distance_of_categories(here: Floats, there: Floats) -> float:
    """Standardised distance of two distributions over categories, never below 0.

    Examples
    --------
    Two categories: the size of the difference of one share.

    >>> round(distance_of_categories(np.array([0.6, 0.4]), np.array([0.4, 0.6])), 4)
    0.4082
    """
    difference = (here - there)[1:]
    spread = (_multinomial(here) + _multinomial(there))[1:, 1:] / 2
    squared = float(difference @ np.linalg.pinv(spread, hermitian=True) @ difference)
    return sqrt(max(squared, 0.0))


def _multinomial(p: Floats) -> Floats:
    return np.asarray(np.diag(p) - np.outer(p, p))


def spread_of_predictions(here: Sequence[float], there: Sequence[float]) -> dict[str, Any]:
    """Mean and standard deviation of the linear predictor here and in the model's own evaluation.

    Parameters
    ----------
    here, there : sequence of float
        Mean prediction in each tenth of the patients, as log-odds or in the outcome's unit. A mean
        that moves says that these patients are at another risk; a standard deviation that shrinks,
        that they are more alike, and that discrimination must fall however good the model is.

    References
    ----------
    Debray TPA et al. A new framework to enhance the interpretation of external validation studies of
    clinical prediction models. J Clin Epidemiol 2015;68:279-289.

    Examples
    --------
    >>> spread_of_predictions([0.0, 2.0], [0.0, 4.0])["ratio"]
    0.5
    """
    own, original = np.array(here), np.array(there)
    deviation = float(original.std())
    return {
        "mean": float(own.mean()),
        "mean_original": float(original.mean()),
        "deviation": float(own.std()),
        "deviation_original": deviation,
        "ratio": float(own.std()) / deviation if deviation else None,
    }
