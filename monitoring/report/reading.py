"""One document of a window: drift and performance, as the service answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, func, select

from models.vocabulary import Vocabulary
from monitoring.counting.profile import ModelProfile
from monitoring.drift_process import drift_document
from monitoring.ledger.identifiers import month_of
from monitoring.ledger.reading import snapshot
from monitoring.ledger.tables import ASSESSMENTS, HEAD
from monitoring.outcomes import read_performance
from monitoring.report.window import Window, moment_of

Document = dict[str, Any]
Progress = Callable[[int, int], None]
BY_PLACE = ("units", "subgroups", "delays", "charts")
"""Parts of the performance that name a branch point and an outcome."""


class NothingRecorded(Exception):
    """The window holds nothing."""


class UnknownModel(Exception):
    """No model of this name was asked, answered or is at hand."""


def read_report(
    engine: Engine,
    profiles: Sequence[ModelProfile],
    vocabulary: Vocabulary,
    window: Window,
    now_us: int,
    *,
    model: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Document:
    """Read a ledger twice: the assessments of the window, and all rows for what became of them.

    Parameters
    ----------
    profiles : sequence of ModelProfile
        What the models were fitted on.
    now_us : int
        What the clock says, microseconds since 1970: what matures later is not counted.
    model : str, optional
        Only this one, `branch point.outcome`.
    progress : callable
        Told how many rows are done, of about how many.

    Returns
    -------
    dict
        `window`; `drift`, as `drift_document` gives it; `performance`, as `Performance.as_document`.

    Raises
    ------
    NothingRecorded
        When nothing was asked, counted or judged in the window.
    UnknownModel
        When there is no model of this name.
    LedgerUnavailable, AnotherLedger, sqlalchemy.exc.SQLAlchemyError
        When the ledger cannot be read.
    """
    since_us, until_us = window.since_us, window.until_us
    with snapshot(engine) as connection:
        asked = _asked(connection, window)
        rows = connection.execute(select(func.max(HEAD.c.seq))).scalar() or 0
    total = asked + rows
    drift = drift_document(
        engine, list(profiles), vocabulary, since_us, until_us, lambda n: progress(n, total)
    )
    told = read_performance(
        engine, vocabulary, since_us, until_us, now_us,
        progress=lambda row: progress(asked + row, max(total, asked + row)),
    ).as_document()  # fmt: skip
    if not asked and not told["models"] and not told["cards"]:
        raise NothingRecorded(_nothing(engine, window))
    # As it is read from the service: lists for tuples.
    document = orjson.loads(
        orjson.dumps({"window": window.name, "drift": drift, "performance": told})
    )
    return document if model is None else _of(document, model, [one.name for one in profiles])


def names_of(document: Mapping[str, Any]) -> list[str]:
    """Models that the document tells something of, as `branch point.outcome`."""
    performance = document["performance"]
    found = {one["model"] for one in document["drift"]["models"]}
    found |= {one["model"] for one in performance["models"]}
    found |= {f"{one['branch_point']}.{one['outcome']}" for one in performance["units"]}
    return sorted(found)


def _asked(connection: Connection, window: Window) -> int:
    own = ASSESSMENTS.c
    counted = select(func.count()).where(
        own.month >= month_of(window.since_us),  # spares the partitions of other months
        own.month <= month_of(window.until_us),
        own.recorded_at_us > window.since_us,
        own.recorded_at_us <= window.until_us,
    )
    return int(connection.execute(counted).scalar() or 0)


def _nothing(engine: Engine, window: Window) -> str:
    own = ASSESSMENTS.c.recorded_at_us
    with snapshot(engine) as connection:
        first, last = connection.execute(select(func.min(own), func.max(own))).one()
    said = f"nothing from {moment_of(window.since_us)} to {moment_of(window.until_us)}"
    if first is None:
        return f"{said}: the ledger holds no assessment; is --database the service's?"
    return (
        f"{said}: the ledger holds assessments from {moment_of(first)} to {moment_of(last)}; choose "
        "--window, or --since and --until"
    )


def _of(document: Document, model: str, known: Sequence[str]) -> Document:
    names = sorted({*names_of(document), *known})
    if model not in names:
        raise UnknownModel(f"found no model `{model}`, expected one of {', '.join(names)}")
    drift, performance = document["drift"], document["performance"]
    point, _, outcome = model.partition(".")
    own = {
        part: [
            row
            for row in performance[part]
            if (row["branch_point"], row["outcome"]) == (point, outcome)
        ]
        for part in BY_PLACE
    }
    return {
        **document,
        "drift": {
            **drift,
            "models": [one for one in drift["models"] if one["model"] == model],
            "without_profile": [one for one in drift["without_profile"] if one["model"] == model],
        },
        "performance": {
            **performance,
            **own,
            "models": [one for one in performance["models"] if one["model"] == model],
            "cards": [one for one in performance["cards"] if one["branch_point"] == point],
        },
    }
