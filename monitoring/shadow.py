"""A challenger beside its champion: the same patients, what each said, and what became of them.

Paired: only assessments to which both gave a number count, so that neither is judged on easier
patients. Until outcomes arrive there is nothing but disagreement to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from monitoring.calibration_drift import auroc, brier
from monitoring.ledger.errors import LedgerUnavailable
from monitoring.ledger.matured import matured, tenants
from monitoring.ledger.tables import SHADOWS

Floats = NDArray[np.float64]
ANSWERED = "answered"
TRY_AGAIN_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a champion said of an outcome.

    Attributes
    ----------
    digest : str
        Of the model that answered.
    prediction : float
        Probability, or the outcome's unit.
    """

    digest: str
    prediction: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One assessment with both predictions.

    Attributes
    ----------
    champion : Said or None
        None when no model answered, but a published score or nobody.
    challenger : float or None
        None when it abstained.
    """

    assessment_id: str
    champion: Said | None
    challenger: float | None


def said_of(answer: str | bytes, outcome: str) -> Said | None:
    """What the model said of an outcome in a stored answer; None where none answered.

    Examples
    --------
    >>> told = '{"outcomes":[{"outcome":"sepsis","status":"answered","probability":0.25,'
    >>> told += '"model":{"digest":"sha256:00"}}]}'
    >>> said_of(told, "sepsis"), said_of(told, "stroke")
    (Said(digest='sha256:00', prediction=0.25), None)
    """
    for body in orjson.loads(answer)["outcomes"]:
        if body["outcome"] == outcome and body["status"] == ANSWERED:
            number = body["probability"] if "probability" in body else body["value"]
            return Said(body["model"]["digest"], float(number))
    return None


def pairs(
    engine: Engine, branch_point: str, outcome: str, digest: str, tenant: str | None = None
) -> list[Pair]:
    """Every assessment that a challenger was asked about, once, in the order it was recorded.

    Parameters
    ----------
    digest : str
        Of the challenger.
    tenant : str, optional
        Whose assessments; everybody's when left out.

    Raises
    ------
    LedgerUnavailable
        When the database does not answer.
    """
    try:
        with engine.connect() as connection:
            return _pairs(connection, branch_point, outcome, digest, tenant)
    except SQLAlchemyError:
        raise LedgerUnavailable("failing", TRY_AGAIN_AFTER_S) from None


def _pairs(
    connection: Connection, branch_point: str, outcome: str, digest: str, tenant: str | None
) -> list[Pair]:
    asked = [
        SHADOWS.c.branch_point == branch_point,
        SHADOWS.c.outcome == outcome,
        SHADOWS.c.digest == digest,
    ]
    if tenant is not None:
        asked.append(SHADOWS.c.tenant == tenant)
    rows = connection.execute(
        select(
            SHADOWS.c.assessment_id,
            SHADOWS.c.champion_digest,
            SHADOWS.c.champion_prediction,
            SHADOWS.c.prediction,
        )
        .where(*asked)
        .order_by(SHADOWS.c.assessment_seq, SHADOWS.c.seq)
    )
    return [
        Pair(assessment_id, None if champion is None else Said(champion, theirs), ours)
        for assessment_id, champion, theirs, ours in rows
    ]


def of_newest_champion(found: Sequence[Pair]) -> list[Pair]:
    """Those that the newest champion answered: an earlier one is no rival any more.

    Examples
    --------
    >>> old, new = Said("sha256:01", 0.1), Said("sha256:02", 0.2)
    >>> three = [Pair(f"a{i}", said, 0.3) for i, said in enumerate((old, new, None))]
    >>> [pair.assessment_id for pair in of_newest_champion(three)]
    ['a1']
    """
    newest = next((pair.champion.digest for pair in reversed(found) if pair.champion), None)
    return [pair for pair in found if pair.champion and pair.champion.digest == newest]


@dataclass(frozen=True, slots=True)
class Matched:
    """Pairs in which both gave a number and the outcome is known.

    Attributes
    ----------
    y, champion, challenger : ndarray, shape (n_pairs,)
        What happened, and both predictions.
    whose : tuple of str
        The patient's pseudonym, for resampling by patient.
    """

    y: Floats
    champion: Floats
    challenger: Floats
    whose: tuple[str, ...]


def matched(
    engine: Engine,
    branch_point: str,
    outcome: str,
    found: Sequence[Pair],
    *,
    horizon_days: float,
    is_number: bool,
    now_us: int,
    tenant: str | None = None,
) -> Matched:
    """Pairs whose horizon has passed and whose outcome was reported.

    Parameters
    ----------
    tenant : str, optional
        Whose assessments; everybody's when left out.

    Raises
    ------
    LedgerUnavailable
        When the database does not answer.
    """
    known = {
        row.assessment_id: row
        for whose in (tenants(engine, branch_point) if tenant is None else (tenant,))
        for row in matured(
            engine, branch_point, outcome, whose,
            horizon_days=horizon_days, is_number=is_number, now_us=now_us,
        )
        if row.value is not None
    }  # fmt: skip
    both = [
        (row, pair.champion.prediction, pair.challenger)
        for pair in found
        if pair.champion is not None
        and pair.challenger is not None
        and (row := known.get(pair.assessment_id)) is not None
    ]
    return Matched(
        np.array([row.value for row, _, _ in both], dtype=np.float64),
        np.array([said for _, said, _ in both], dtype=np.float64),
        np.array([said for _, _, said in both], dtype=np.float64),
        tuple(row.whose for row, _, _ in both),
    )


def figures(y: Floats, p: Floats, threshold: float | None) -> Mapping[str, float]:
    """What Prometheus is told of a model on the rows whose outcome is known.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        0 or 1.
    p : ndarray, shape (n_samples,)
        Predicted probability 0-1.
    threshold : float or None
        The branch point's, for net benefit.

    Returns
    -------
    mapping
        `auroc` (Mann-Whitney, ties one half; left out with one class only), `brier`, and
        `net_benefit` (Vickers and Elkin 2006) where there is a threshold; empty without rows.

    Examples
    --------
    Of four pairs of an event and a non-event three are in order; acting from 0.35 on finds both
    events and one other: 2/4 - 1/4 * 0.35/0.65.

    >>> told = figures(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]), 0.35)
    >>> {name: round(value, 4) for name, value in told.items()}
    {'auroc': 0.75, 'brier': 0.1581, 'net_benefit': 0.3654}
    """
    if not len(y):
        return {}
    ranked = auroc(y, p)
    found = {} if isnan(ranked) else {"auroc": ranked}
    found["brier"] = brier(y, p)
    if threshold is not None:
        events = y == 1
        flagged = p >= threshold
        odds = threshold / (1 - threshold)
        found["net_benefit"] = float(np.mean(flagged & events) - np.mean(flagged & ~events) * odds)
    return found
