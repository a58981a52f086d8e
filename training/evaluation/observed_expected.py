"""Observed over expected events, with the exact Poisson interval."""

from __future__ import annotations

from scipy.special import chdtri

LEVEL = 0.95


def observed_expected_ratio(observed: int, expected: float) -> dict[str, float]:
    """Observed events over the sum of predicted risks, with its 95% interval.

    The observed count is taken as Poisson: chi2(0.025, 2 O) / (2 E) and chi2(0.975, 2 O + 2) /
    (2 E). For common events that is wider than it need be, since a patient has at most one event.

    Parameters
    ----------
    observed : int
        Events, O.
    expected : float
        Sum of the predicted probabilities, E; above 0.

    Returns
    -------
    dict
        `value`, `lower`, `upper`; 1 means as many events as predicted, above 1 more.

    Raises
    ------
    ValueError
        When nothing was expected.

    Examples
    --------
    >>> ratio = observed_expected_ratio(24, 18.5)
    >>> [round(ratio[key], 3) for key in ("value", "lower", "upper")]
    [1.297, 0.831, 1.93]

    References
    ----------
    Garwood F. Fiducial limits for the Poisson distribution. Biometrika 1936;28:437-442.
    """
    if expected <= 0:
        raise ValueError("observed over expected needs expected events above 0; found none")
    tail = (1 - LEVEL) / 2
    # chdtri inverts the upper tail, hence 1 - tail for the lower bound.
    lower = float(chdtri(2 * observed, 1 - tail)) / 2 if observed else 0.0
    upper = float(chdtri(2 * observed + 2, tail)) / 2
    return {"value": observed / expected, "lower": lower / expected, "upper": upper / expected}
