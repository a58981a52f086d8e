"""How far a new version's fitting patients are from the champion's: PSI per input they share.

Both profiles are counts in bins, and each has bins of its own. The bins of the champion are used for
both. How many of the new cohort lie below one of its edges is read from the new profile's counts: on
a straight line between two of its edges, and beyond its outermost edges, where nothing is known but a
tenth of the patients, as whatever is nearest to the champion's share. A shift far out in a tail can
therefore go unseen; one that is seen is there.

`PSI = sum((p - q) ln(p / q))` over the bins, one of them for missing values, with half a patient
added to every bin so that an empty one is not infinite. Counts under five are published as 0, so the
total is that of the published counts. Below 200 patients on either side chance alone reaches 0.1,
and no figure is given.

References
----------
Yurdakul B, Naranjo J. Statistical properties of the population stability index. J Risk Model Valid
2020;14(4). (Expectation under no shift: about (bins - 1) (1/n + 1/m).)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_PATIENTS = 200
HALF_A_PATIENT = 0.5


def cohort_shift(new: Mapping[str, Any], champion: Mapping[str, Any]) -> dict[str, Any]:
    """The largest population stability index over the inputs that both models have.

    Parameters
    ----------
    new, champion : mapping
        `reference.json` of the two bundles (`monitoring.reference`).

    Returns
    -------
    dict
        `value`, `where` (the input), `inputs` (how many were compared); `value` is None when none
        could be.
    """
    found = {
        name: psi
        for name, own in new["features"].items()
        if (psi := feature_psi(own, champion["features"].get(name))) is not None
    }
    if not found:
        return {"value": None, "where": "no input in common with 200 patients each", "inputs": 0}
    where = max(found, key=found.__getitem__)
    return {"value": found[where], "where": where, "inputs": len(found)}


def feature_psi(new: Mapping[str, Any], champion: Mapping[str, Any] | None) -> float | None:
    """Population stability index of one input; None when it cannot be compared.

    Examples
    --------
    Half true becomes three quarters true, and as many are missing: with 1,000 patients each
    (0.75 - 0.5) ln 1.5 + (0.25 - 0.5) ln 0.5 = 0.2747; missing adds nothing.

    >>> flag = {"values": ["false", "true"], "missing": 0}
    >>> round(feature_psi(flag | {"counts": [250, 750]}, flag | {"counts": [500, 500]}), 2)
    0.27
    >>> feature_psi(flag | {"counts": [25, 75]}, flag | {"counts": [50, 50]}) is None
    True
    """
    if champion is None or ("edges" in new) != ("edges" in champion):
        return None
    if "edges" in new:
        after, before = _in_bins_of(champion, new), np.array(champion["counts"], dtype=float)
    else:
        levels = sorted({*new["values"], *champion["values"]})
        after, before = _by_level(new, levels), _by_level(champion, levels)
    after, before = np.append(after, new["missing"]), np.append(before, champion["missing"])
    if min(after.sum(), before.sum()) < FEWEST_PATIENTS:
        return None
    p, q = _shares(after), _shares(before)
    return float(((p - q) * np.log(p / q)).sum())


def _shares(counts: Floats) -> Floats:
    return np.asarray((counts + HALF_A_PATIENT) / (counts.sum() + HALF_A_PATIENT * len(counts)))


def _by_level(profile: Mapping[str, Any], levels: Sequence[str]) -> Floats:
    counts = dict(zip(profile["values"], profile["counts"], strict=True))
    return np.array([counts.get(level, 0) for level in levels], dtype=float)


def _in_bins_of(champion: Mapping[str, Any], new: Mapping[str, Any]) -> Floats:
    """Counts of the new profile, put into the champion's bins."""
    wanted, known = (np.array(own["edges"], dtype=np.float64) for own in (champion, new))
    counts = np.array(new["counts"], dtype=float)
    total, its_total = counts.sum(), sum(champion["counts"])
    if not len(wanted) or not total or not its_total:
        return np.asarray(np.full(len(wanted) + 1, total / (len(wanted) + 1)))
    its_below = np.cumsum(champion["counts"])[:-1] / its_total
    if not len(known):
        return np.asarray(_between(its_below) * total)
    below = np.cumsum(counts)[:-1] / total
    share = np.interp(wanted, known, below)
    first, last = wanted < known[0], wanted > known[-1]
    share[first] = np.clip(its_below[first], 0.0, below[0])
    share[last] = np.clip(its_below[last], below[-1], 1.0)
    return np.asarray(_between(share) * total)


def _between(below: Floats) -> Floats:
    """Shares of the bins from the shares below their edges."""
    return np.asarray(np.diff(np.concatenate([[0.0], below, [1.0]])), dtype=np.float64)
