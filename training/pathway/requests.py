"""One episode as the service would be asked: its visits in time order as assessment requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from models.vocabulary import Feature, Vocabulary, load_vocabulary
from training.pathway.parameters import Parameters
from training.pathway.simulate import Visits, simulate_episodes
from training.pathway.visits import months_later


def episode_visits(
    parameters: Parameters,
    seed: int,
    first: int,
    count: int,
    vocabulary: Vocabulary | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the visits of some episodes, episode by episode in order of time.

    Yields
    ------
    dict
        `episode`, `visit`, `branch_point`, `hours` since the episode began, `request` (body of an
        assessment request), `labels` and `truth` by outcome, None where there is none.
    """
    words = vocabulary or load_vocabulary()
    lines = [
        line
        for visits in simulate_episodes(parameters, seed, first, count, words).values()
        for line in _lines(visits, words)
    ]
    yield from sorted(lines, key=lambda line: (line["episode"], line["visit"]))


def _lines(visits: Visits, words: Vocabulary) -> Iterator[dict[str, Any]]:
    keys, columns = visits.keys, visits.columns
    outcomes = words.branch_points[visits.branch_point].outcomes
    for at in range(len(visits)):
        hours = float(keys["hours"][at])
        index_time = _begin(int(keys["month"][at]), hours) + timedelta(hours=hours)
        measurements: dict[str, Any] = {}
        for name in columns:
            value = columns[name][at]
            if ":" in name or np.isnan(value):
                continue
            shown: Any = _plain(words.features[name], float(value))
            age = columns.get(f"age_hours:{name}")
            if age is not None and not np.isnan(age[at]):
                taken = index_time - timedelta(hours=float(age[at]))
                shown = {"value": shown, "time": taken.isoformat().replace("+00:00", "Z")}
            measurements[name] = shown
        yield {
            "episode": int(keys["episode"][at]),
            "visit": int(keys["visit"][at]),
            "branch_point": visits.branch_point,
            "hours": hours,
            "request": {
                "episode": f"simulated-{int(keys['episode'][at])}",
                "index_time": index_time.isoformat().replace("+00:00", "Z"),
                "measurements": measurements,
            },
            "labels": {
                name: _label(words, name, float(columns[f"label:{name}"][at])) for name in outcomes
            },
            "truth": {name: _or_none(float(columns[f"truth:{name}"][at])) for name in outcomes},
        }


def _begin(month: int, hours: float) -> datetime:
    """When the episode began: at eight on the first day of its month."""
    months = month // 100 * 12 + month % 100 - 1 - int(months_later(np.array([hours]))[0])
    return datetime(months // 12, months % 12 + 1, 1, 8, tzinfo=UTC)


def _plain(feature: Feature, value: float) -> float | str | bool:
    if feature.kind == "number":
        return int(value) if value.is_integer() else value
    return feature.show(value)


def _label(words: Vocabulary, name: str, value: float) -> bool | float | None:
    if np.isnan(value):
        return None
    return bool(value) if words.outcomes[name].kind == "binary" else value


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
