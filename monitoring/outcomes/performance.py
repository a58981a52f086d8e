"""How the models did in a time window: what people without Prometheus read, from the same entries.

Nothing is left out for being small: these figures stay in the hospital. Rows of fewer than five
patients are marked, so that whoever carries a figure out knows which must not go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine

from models.vocabulary import Vocabulary
from monitoring.outcomes.charts import DIRECTIONS, Point, UnitChart
from monitoring.outcomes.figures import Figures, figures
from monitoring.outcomes.followed import Followed, Progress, follow
from monitoring.outcomes.record import Entries

ACCEPTED, OVERRIDDEN = "accepted", "overridden"


@dataclass(frozen=True, slots=True)
class OfModel:
    """Figures of one version of a model.

    Attributes
    ----------
    matured : int
        Predictions whose horizon has passed in the window, reported or not.
    coverage : float or None
        Counted over matured; over 1 where reports of earlier predictions came in late.
    """

    model: str
    version: str
    matured: int
    coverage: float | None
    figures: Figures


@dataclass(frozen=True, slots=True)
class OfGroup:
    """Figures of one unit, or of one subgroup, at a branch point, all models of it together."""

    branch_point: str
    outcome: str
    group: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Delays:
    """How long after the end of the horizon, or the observation if later, reports came."""

    branch_point: str
    outcome: str
    reports: int
    mean_s: float
    median_s: float


@dataclass(frozen=True, slots=True)
class OfChart:
    """The control charts of a unit: where they stand, and the patients that the window counted.

    Attributes
    ----------
    patients : int
        Since the ledger began.
    limits : mapping
        By direction; empty while too few patients are known.
    signals : mapping
        By direction, since the ledger began.
    points : tuple of Point
        At most the newest 200.
    """

    branch_point: str
    outcome: str
    unit: str
    patients: int
    vlad: float
    limits: Mapping[str, float]
    signals: Mapping[str, int]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Cards:
    """What became of cards of which a client told."""

    branch_point: str
    accepted: int
    overridden: int
    override_ratio: float


@dataclass(frozen=True, slots=True)
class Performance:
    """All figures of the window (since_us, until_us]."""

    ledger: str
    since_us: int
    until_us: int
    models: tuple[OfModel, ...]
    units: tuple[OfGroup, ...]
    subgroups: tuple[OfGroup, ...]
    delays: tuple[Delays, ...]
    charts: tuple[OfChart, ...]
    cards: tuple[Cards, ...]

    def as_document(self) -> dict[str, Any]:
        """As JSON holds it: times in RFC 3339, a point of a chart as an object, groups by their kind."""
        document = asdict(self)
        for part, kind in (("units", "unit"), ("subgroups", "subgroup")):
            for row in document[part]:
                row[kind] = row.pop("group")
        document["since"] = _rfc3339(document.pop("since_us"))
        document["until"] = _rfc3339(document.pop("until_us"))
        for told, chart in zip(document["charts"], self.charts, strict=True):
            told["points"] = [
                {"at": _rfc3339(point.at_us), **dict(list(point._asdict().items())[1:])}
                for point in chart.points
            ]
        return document


def performance(known: Followed, since_us: int, until_us: int) -> Performance:
    """Work out the figures of a window from what was read of a ledger.

    Parameters
    ----------
    known : Followed
        Read to its end; it keeps a year.
    since_us, until_us : int
        What was counted after the first time, up to and with the second; microseconds since 1970.
    """
    window = known.record.window(since_us, until_us)
    matured = known.record.matured(since_us, until_us)
    by_model, nothing = window.by_model(), window.entries.at(np.zeros(0, dtype=np.int64))
    models = []
    for name, version in sorted(by_model.keys() | {model for model, n in matured.items() if n}):
        found = figures(by_model.get((name, version), nothing))
        due = matured.get((name, version), 0)
        models.append(OfModel(name, version, due, found.n / due if due else None, found))
    return Performance(
        known.label or "",
        since_us,
        until_us,
        tuple(models),
        _groups(window.by_unit()),
        _groups(window.by_subgroup()),
        tuple(
            _delays(*place, entries)
            for place, entries in sorted(window.by_place().items())
            if not np.isnan(entries.delay_s).all()
        ),
        tuple(
            _chart(*key, unit, since_us, until_us)
            for key, unit in sorted(known.charts.units.items())
        ),
        _cards(known.record.judged(since_us, until_us)),
    )


def read_performance(
    engine: Engine,
    vocabulary: Vocabulary,
    since_us: int,
    until_us: int,
    now_us: int,
    *,
    progress: Progress = lambda _: None,
) -> Performance:
    """The same from a ledger that nobody follows: reads it from its first row on.

    Parameters
    ----------
    progress : callable
        Told the number of the last row that was read.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        When the database does not answer.
    AnotherLedger
        When months are retired while it is read.
    """
    known = Followed(vocabulary)
    follow(known, engine, now_us, progress)
    return performance(known, since_us, until_us)


def _groups(found: Mapping[tuple[str, str, str], Entries]) -> tuple[OfGroup, ...]:
    return tuple(OfGroup(*key, figures(entries)) for key, entries in sorted(found.items()))


def _delays(branch_point: str, outcome: str, entries: Entries) -> Delays:
    delays = entries.delay_s[~np.isnan(entries.delay_s)]
    return Delays(
        branch_point, outcome, len(delays), float(delays.mean()), float(np.median(delays))
    )


def _chart(
    branch_point: str, outcome: str, name: str, unit: UnitChart, since_us: int, until_us: int
) -> OfChart:
    return OfChart(
        branch_point,
        outcome,
        name,
        unit.patients,
        unit.vlad,
        {one: unit.charts[one].limit for one in DIRECTIONS if one in unit.charts},
        dict(unit.signals),
        tuple(point for point in unit.points if since_us < point.at_us <= until_us),
    )


def _cards(judged: Mapping[tuple[str, str], int]) -> tuple[Cards, ...]:
    found = []
    for point in sorted({point for point, _ in judged}):
        accepted, overridden = (judged.get((point, v), 0) for v in (ACCEPTED, OVERRIDDEN))
        if accepted + overridden:
            ratio = overridden / (accepted + overridden)
            found.append(Cards(point, accepted, overridden, ratio))
    return tuple(found)


def _rfc3339(at_us: int) -> str:
    moment = datetime.fromtimestamp(at_us / 1e6, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
