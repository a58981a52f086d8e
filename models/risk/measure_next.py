"""What to measure next: how much a missing value is expected to tell about this patient's outcome.

Method
------
For every missing input the values that it may have are weighed: a number by its distribution given
the numbers that are known (Gaussian copula of the fitting patients), a category or a flag by its
shares among the fitting patients. The model's score is worked out for each of them, the other
missing inputs staying missing.

A binary outcome's uncertainty is the entropy of its probability. What a measurement is expected to
take off it is the mutual information of value and outcome as the model sees them,

    I = H(mean of p) - mean of H(p),    H(p) = -p log2 p - (1 - p) log2(1 - p),

in bits: 0 when no value would change the probability, 1 when it would settle an even chance. For a
numeric outcome the same of a normal distribution whose standard deviation s its interval shows:
I = log2(1 + variance of the score / s^2) / 2.

When it misleads
----------------
It says what would inform the model, not what would help the patient, and it does not know what a
measurement costs. What two missing inputs tell together is not the sum of what each tells. An input
that stands for a decision ("lactate was taken") tells less once it is measured for everybody. And of
inputs that are always taken together the model knows no patient who has one alone: its answer may move
because the one is there, whatever its value, which is no information and is not counted here.

How well it holds where the truth is known: `tests/unit/training/test_measure_next_on_truth.py`.

References
----------
Lindley DV. On a measure of the information provided by an experiment. Ann Math Stat 1956;27:986.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.risk.additive import LEVEL, RAMP, Basis
from models.risk.assessment import Answered
from models.risk.calibration import probability
from models.risk.intervals import ConformalInterval, normal_quantile
from models.risk.reading import Reading
from models.risk.risk_model import RiskModel

Floats = NDArray[np.float64]
# Gauss-Hermite quadrature: so few values stand for a normal distribution, tails included.
_NODES, _WEIGHTS = np.polynomial.hermite.hermgauss(9)
DEVIATIONS, WEIGHTS = np.sqrt(2.0) * _NODES, _WEIGHTS / np.sqrt(np.pi)
LEAST = 1e-9
SELDOM = 0.01
"""A value that fewer fitting patients have than one in a hundred is no end of a range."""
Likely = Mapping[int, tuple[Floats, Floats]]
"""Position of a missing input to its possible values and their weights, which add up to 1."""


class Worth(NamedTuple):
    """What measuring a missing input could do to an answer.

    Attributes
    ----------
    bits : float
        Expected information about the outcome.
    lowest, highest : float
        The ends of what the answer would be (a probability, or a number in the outcome's unit), over the
        values that at least one patient in a hundred has.
    """

    bits: float
    lowest: float
    highest: float


def worth_of_missing(model: RiskModel, patient: Reading, answer: Answered) -> dict[str, Worth]:
    """What every missing input is expected to tell about the model's outcome, and how far it could move it.

    Parameters
    ----------
    patient : Reading
    answer : Answered
        What the model says of this patient now.

    Returns
    -------
    dict
        Input to its worth, most bits first; inputs that would tell nothing are left out.
    """
    likely = _likely(model, patient)
    if not likely:
        return {}
    at = np.repeat(list(likely), [len(values) for values, _ in likely.values()])
    values = np.concatenate([values for values, _ in likely.values()])
    scores = answer.score + _change_of_score(model, patient, at, values)
    is_number = isinstance(model.interval, ConformalInterval)
    answers = (
        np.clip(scores, model.minimum, model.maximum)
        if is_number and (model.minimum is not None or model.maximum is not None)
        else scores
        if is_number
        else probability(scores)
    )
    found: dict[str, Worth] = {}
    first = 0
    for i, (_, weights) in likely.items():
        own = answers[first : first + len(weights)]
        first += len(weights)
        bits = (
            _information_of_number(own, weights, answer.upper - answer.lower, model.interval.level)
            if is_number
            else information(own, weights)
        )
        if bits > LEAST:
            usual = own[weights >= SELDOM]
            found[model.features[i]] = Worth(bits, float(usual.min()), float(usual.max()))
    return dict(sorted(found.items(), key=lambda item: (-item[1].bits, item[0])))


def information(chances: Floats, weights: Floats) -> float:
    """Mutual information, in bits, of an event and what its probability depends on.

    Parameters
    ----------
    chances : ndarray, shape (k,)
        The event's probability for each value that something may have.
    weights : ndarray, shape (k,)
        How likely each value is; they add up to 1.

    Examples
    --------
    A test that settles an even chance is worth one bit, one that changes nothing is worth none:

    >>> information(np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    1.0
    >>> information(np.array([0.3, 0.3]), np.array([0.5, 0.5]))
    0.0
    """
    mean = float(weights @ chances)
    return max(0.0, float(_entropy(np.array(mean)) - weights @ _entropy(chances)))


def _entropy(p: Floats) -> Floats:
    inside = np.clip(p, 1e-300, 1.0)
    outside = np.clip(1.0 - p, 1e-300, 1.0)
    return np.asarray(-(p * np.log2(inside) + (1.0 - p) * np.log2(outside)))


def _information_of_number(scores: Floats, weights: Floats, width: float, level: float) -> float:
    mean = float(weights @ scores)
    variance = float(weights @ (scores - mean) ** 2)
    deviation = width / (2 * normal_quantile(level))
    return 0.5 * float(np.log2(1.0 + variance / deviation**2)) if deviation > 0 else 0.0


def _likely(model: RiskModel, patient: Reading) -> Likely:
    """The values that missing inputs may have, with weights."""
    x = patient.row(model.reader.order).x
    familiarity, basis = model.familiarity, model.additive.basis
    numbers = patient.once(familiarity, "likely", lambda: familiarity.likely(x, DEVIATIONS))
    found = {i: (values, WEIGHTS) for i, values in numbers.items()}
    shares = patient.once(
        basis,
        "shares",
        lambda: {int(i): _shares(basis, int(i)) for i in np.flatnonzero(np.isnan(x))},
    )
    found |= {i: own for i, own in shares.items() if own is not None and i not in found}
    return found


def _shares(basis: Basis, i: int) -> tuple[Floats, Floats] | None:
    """Levels of an input and how often the fitting patients had each, read off the columns' means.

    A level's mean is its share. A ramp from one of few values to the next rises for all who have at
    least the next, so that neighbouring means differ by the share of the value between them.
    """
    levels = np.flatnonzero((basis.feature == i) & (basis.kind == LEVEL))
    if levels.size:
        values, weights = basis.start[levels], basis.mean[levels]
        rest = 1.0 - float(weights.sum())
        if rest > LEAST and 0.0 not in values:  # the first level may have no column of its own
            values, weights = np.append(values, 0.0), np.append(weights, rest)
        return values, weights / weights.sum()
    ramps = np.flatnonzero((basis.feature == i) & (basis.kind == RAMP))
    if not ramps.size:
        return None
    values = np.append(basis.start[ramps], basis.stop[ramps[-1]])
    at_least = np.concatenate(([1.0], basis.mean[ramps], [0.0]))
    weights = np.maximum(-np.diff(at_least), 0.0)
    return values, weights / weights.sum()


def _change_of_score(
    model: RiskModel, patient: Reading, at: NDArray[np.intp], values: Floats
) -> Floats:
    """How the calibrated score would move, were the input `at[k]` measured as `values[k]`."""
    vector, additive = patient.vector(model.reader), model.additive
    raw = np.zeros(len(values))
    if model.additive_weight:
        basis = additive.basis
        now = patient.once(basis, "columns", lambda: basis.columns(vector.x))
        which, columns = np.nonzero(basis.feature[None, :] == at[:, None])
        moved = additive.coefficients[columns] * (
            basis.measured(columns, values[which]) - now[columns]
        )
        raw += model.additive_weight * np.bincount(which, moved, minlength=len(values))
    if model.trees_weight:
        recoded = values.copy()
        for i, codes in model.reader.coded:
            own = at == i
            recoded[own] = codes[values[own].astype(np.intp)]
        raw += model.trees_weight * model.trees.change_of_score(vector.for_trees, at, recoded)
    return model.calibration.slope * raw
