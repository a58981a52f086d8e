"""How far live shares have moved from the shares a model was fitted on.

Every distance takes two vectors of shares over the same bins, the last axis being the bins, so that
features with equally many bins are one call. Shares come from `smoothed_shares`: an empty bin would
make the population stability index and each Kullback-Leibler term infinite.

Which one to read
-----------------
The population stability index and the Jensen-Shannon divergence weigh every bin by how much its share
changed and do not know the order of the bins; Kolmogorov-Smirnov and Wasserstein need bins in
order, and only Wasserstein has the feature's unit. None of them says that predictions are worse.

All of them are above 0 for two samples of one distribution. For the population stability index
of n live patients against a large reference the mean is about (K - 1) / n for K bins: 0.045 with ten
bins and 200 patients, so do not read it of fewer.

References
----------
Lin J. Divergence measures based on the Shannon entropy. IEEE Trans Inf Theory 1991;37:145-151.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ADDED_PER_BIN = 0.5
# Far above what rounding does to a sum of shares, far below what counts or percentages add up to.
ROUNDING = 1e-6


def smoothed_shares(counts: ArrayLike) -> Floats:
    """Share of every bin after half a patient was added to each: (n + 0.5) / (N + 0.5 K).

    Parameters
    ----------
    counts : array_like, shape (..., n_bins)
        Patients per bin, exclusive; 0 or more.

    Returns
    -------
    ndarray, shape (..., n_bins)
        Above 0, with sum 1; all equal when nobody was counted.

    Raises
    ------
    ValueError
        When there is no bin, or a count is negative or not a number.

    Examples
    --------
    (1.5, 7.5) of 9:

    >>> smoothed_shares([1, 7]).round(4).tolist()
    [0.1667, 0.8333]
    """
    n = np.asarray(counts, dtype=np.float64)
    if n.ndim == 0 or n.shape[-1] == 0:
        raise ValueError("shares need at least one bin; found none")
    if not (np.isfinite(n) & (n >= 0)).all():
        raise ValueError("shares need counts of 0 or more; found another")
    added = n + ADDED_PER_BIN
    return np.asarray(added / added.sum(axis=-1, keepdims=True))


def psi(p: ArrayLike, q: ArrayLike) -> Floats:
    """Population stability index: the sum of (p - q) ln(p / q), symmetric in p and q.

    Read as: under 0.1 stable, to 0.25 moved, above it moved far.

    Parameters
    ----------
    p, q : array_like, shape (..., n_bins)
        Live and reference shares; the leading axes broadcast.

    Returns
    -------
    ndarray, shape (...)
        0 or more, in nats; infinite where a bin is empty on one side only.

    Raises
    ------
    ValueError
        When bins differ in number, or the shares of one distribution do not add up to 1.

    Examples
    --------
    (0.25 - 0.5) ln(1/2) + (0.75 - 0.5) ln(3/2) = 0.25 ln 3:

    >>> round(float(psi([0.25, 0.75], [0.5, 0.5])), 4)
    0.2747
    """
    live, reference = np.broadcast_arrays(*_distributions(p, q))
    terms = np.where((live == 0) == (reference == 0), 0.0, np.inf)
    both = (live > 0) & (reference > 0)
    # As one product no term can be negative, as the difference of two entropies it could.
    terms[both] = (live[both] - reference[both]) * np.log(live[both] / reference[both])
    return np.asarray(terms.sum(axis=-1))


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> Floats:
    """Jensen-Shannon divergence: the mean distance of both to the distribution halfway between.

    It is the divergence, not its square root (which is called the Jensen-Shannon distance). Finite
    for empty bins.

    Parameters
    ----------
    p, q : array_like, shape (..., n_bins)
        Live and reference shares; the leading axes broadcast.

    Returns
    -------
    ndarray, shape (...)
        0 to ln 2, in nats.

    Raises
    ------
    ValueError
        When bins differ in number, or the shares of one distribution do not add up to 1.

    Examples
    --------
    Nothing in common: ln 2.

    >>> round(float(jensen_shannon([1, 0], [0, 1])), 4)
    0.6931
    """
    live, reference = _distributions(p, q)
    middle = (live + reference) / 2
    both = _relative_entropy(live, middle) + _relative_entropy(reference, middle)
    # Of nearly equal shares the terms cancel, and rounding may leave a sum just under 0.
    return np.asarray(np.maximum(both.sum(axis=-1) / 2, 0.0))


def hellinger(p: ArrayLike, q: ArrayLike) -> Floats:
    """Hellinger distance: the length of sqrt(p) - sqrt(q), over the root of 2.

    Parameters
    ----------
    p, q : array_like, shape (..., n_bins)
        Live and reference shares; the leading axes broadcast.

    Returns
    -------
    ndarray, shape (...)
        0 to 1; 1 when no bin is filled on both sides.

    Raises
    ------
    ValueError
        When bins differ in number, or the shares of one distribution do not add up to 1.

    Examples
    --------
    The roots of 0.64 and 0.36 are 0.8 and 0.6, those of 1 and 0 are 1 and 0: sqrt(0.4 / 2).

    >>> round(float(hellinger([0.64, 0.36], [1, 0])), 4)
    0.4472
    """
    live, reference = _distributions(p, q)
    apart = np.sqrt(live) - np.sqrt(reference)
    return np.asarray(np.sqrt((apart * apart).sum(axis=-1) / 2))


def kolmogorov_smirnov(p: ArrayLike, q: ArrayLike) -> Floats:
    """Largest distance of the two distribution functions at the edges of the bins.

    Between the edges nothing is known: of single values it would be at least as large.

    Parameters
    ----------
    p, q : array_like, shape (..., n_bins)
        Live and reference shares of bins in ascending order. Bins without a place in it (missing,
        implausible) do not belong here.

    Returns
    -------
    ndarray, shape (...)
        0 to 1.

    Raises
    ------
    ValueError
        When bins differ in number, or the shares of one distribution do not add up to 1.

    Examples
    --------
    Up to the second bin 0.2 + 0.2 against 0.5 + 0.2:

    >>> round(float(kolmogorov_smirnov([0.2, 0.2, 0.6], [0.5, 0.2, 0.3])), 4)
    0.3
    """
    return np.asarray(np.abs(_ahead(p, q)).max(axis=-1))


def wasserstein(p: ArrayLike, q: ArrayLike, positions: ArrayLike) -> Floats:
    """Wasserstein distance: how far the mean patient has to be moved to turn one into the other.

    Everybody in a bin is taken to stand at its position, so a move inside a bin is not seen and the
    figure depends on where the outermost, open bins are put.

    Parameters
    ----------
    p, q : array_like, shape (..., n_bins)
        Live and reference shares of bins in ascending order.
    positions : array_like, shape (..., n_bins)
        Where each bin stands, ascending, in the feature's unit; one vector for all, or one each.

    Returns
    -------
    ndarray, shape (...)
        0 or more, in the unit of the positions.

    Raises
    ------
    ValueError
        When bins differ in number, positions do not ascend, or shares do not add up to 1.

    Examples
    --------
    A quarter of the patients moves from 40 to 60:

    >>> round(float(wasserstein([0.25, 0.75], [0.5, 0.5], [40, 60])), 4)
    5.0
    """
    ahead = _ahead(p, q)
    x = np.asarray(positions, dtype=np.float64)
    if x.ndim == 0 or x.shape[-1] != ahead.shape[-1]:
        raise ValueError("every bin needs one position")
    if not (np.isfinite(x).all() and (np.diff(x, axis=-1) >= 0).all()):
        raise ValueError("positions must ascend, bin by bin, and be finite")
    return np.asarray((np.abs(ahead[..., :-1]) * np.diff(x, axis=-1)).sum(axis=-1))


def _ahead(p: ArrayLike, q: ArrayLike) -> Floats:
    """By how much the first distribution function is above the second after each bin."""
    live, reference = _distributions(p, q)
    return np.asarray(np.cumsum(live - reference, axis=-1))


def _distributions(p: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats]:
    live, reference = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if live.ndim == 0 or reference.ndim == 0 or live.shape[-1] != reference.shape[-1]:
        raise ValueError("both distributions need the same bins")
    for shares in (live, reference):
        adds_up = np.abs(shares.sum(axis=-1) - 1) <= ROUNDING
        if not (adds_up.all() and (shares >= 0).all()):
            raise ValueError(
                "shares of 0 or more that add up to 1 are needed; of counts, take `smoothed_shares`"
            )
    return live, reference


def _relative_entropy(p: Floats, middle: Floats) -> Floats:
    """Terms p ln(p / middle), 0 where p is; where it is not the middle is not either."""
    p = np.broadcast_to(p, middle.shape)
    terms = np.zeros(middle.shape)
    present = p > 0
    terms[present] = p[present] * np.log(p[present] / middle[present])
    return terms
