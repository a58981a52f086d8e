"""Ledgers whose assessments models answered and whose outcomes were reported, for the tests of both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from models.vocabulary import Vocabulary
from monitoring.ledger import Assessment
from monitoring.ledger.matured import matured, tenants
from monitoring.ledger.reading import snapshot
from monitoring.outcomes.count import Count
from monitoring.outcomes.joiner import Joiner, Page
from tests.lib.ledger import assessment, reading

POINT = "icu-review"
HORIZONS = {"death_60d": 60, "death_180d": 180, "death_in_hospital": 90}
DAY_US = 24 * 3600 * 1_000_000


def answered(
    recorded_at_us: int,
    said: Mapping[str, float],
    *,
    silent: bool = False,
    version: str = "1",
    inputs: Mapping[str, Any] | None = None,
    days_ago: float = 0.0,
    **changes: Any,
) -> Assessment:
    """An assessment of which models gave these probabilities; a fallback and a number beside them."""
    digest = f"sha256:{version}"
    outcomes = [
        {
            "outcome": outcome, "kind": "binary", "status": "answered", "probability": p,
            "model": {"name": f"{POINT}.{outcome}", "version": version, "digest": digest},
        }
        for outcome, p in said.items()
    ]  # fmt: skip
    number = {
        "outcome": "length_of_stay_days", "kind": "numeric", "status": "answered", "value": 7.5,
        "model": {"name": f"{POINT}.length_of_stay_days", "version": version, "digest": digest},
    }  # fmt: skip
    fallback = {"outcome": "sepsis", "kind": "binary", "status": "fallback", "probability": 0.5}
    answer: dict[str, Any] = {"outcomes": [*outcomes, number, fallback]}
    if silent:
        answer = {"silent": True, **answer}
    names = [*said, "length_of_stay_days"]
    given = {
        "index_time_us": recorded_at_us - int(days_ago * DAY_US),
        "answer": json.dumps(answer).encode(),
        "models": json.dumps({f"{POINT}.{outcome}": digest for outcome in names}),
        "inputs": json.dumps(
            {name: {"value": value} for name, value in (inputs or {"age": 71.0}).items()}
        ),
    }
    return assessment(recorded_at_us, **(given | changes))


@contextmanager
def opened(url: str):
    engine = reading(url)
    try:
        yield engine
    finally:
        engine.dispose()


def read_to_the_end(joiner: Joiner, engine: Any, now_us: int, most: int = 5000) -> list[Page]:
    pages = []
    while not pages or not pages[-1].read_to_the_end:
        with snapshot(engine) as connection:
            pages.append(joiner.read(connection, now_us, most))
    return pages


def counted(pages: Iterable[Page]) -> list[Count]:
    return [count for page in pages for count in page.counts]


def standing(counts: Iterable[Count]) -> dict[tuple[str, str], bool]:
    """What is known of each assessment and outcome after these entries."""
    found: dict[tuple[str, str], bool] = {}
    for count in counts:
        key = count.assessment_id, count.outcome
        assert found.get(key) == count.was
        if count.y is None:
            del found[key]
        else:
            found[key] = count.y
    return found


def oracle(engine: Any, vocabulary: Vocabulary, said: set[tuple[str, str]], now_us: int):
    """What has matured of what models answered, and what is known of it, as `matured` says."""
    return {
        (row.assessment_id, outcome): row.value
        for outcome in HORIZONS
        for tenant in tenants(engine, POINT)
        for row in matured(
            engine, POINT, outcome, tenant,
            horizon_days=vocabulary.outcomes[outcome].matures_after_days,
            is_number=False, now_us=now_us,
        )
        if (row.assessment_id, outcome) in said
    }  # fmt: skip
