"""What was asked since a moment, by branch point and for one tenant, on both databases."""

from __future__ import annotations

from pathlib import Path

from monitoring.ledger.tables import ASSESSMENTS
from monitoring.ledger.traffic import Traffic, read_traffic, statement
from tests.lib.ledger import MONTH_US, NOW_US, ask, assessment, keyring_at, reading, written

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US
MODELS = '{"icu-review.death_180d":"sha256:1"}'
FIRST_OF_MONTH_US = 1_793_491_200_000_000  # 2026-11-01


def test_the_day_is_counted_by_branch_point_for_one_tenant(database_url: str, tmp_path: Path):
    rows = [
        assessment(NOW_US - HOUR_US, models=MODELS),
        assessment(NOW_US - 2 * HOUR_US, models="{}"),
        assessment(NOW_US - DAY_US, models=MODELS),
        assessment(NOW_US - DAY_US - 1, models=MODELS),
        assessment(NOW_US - MONTH_US, models=MODELS),
        assessment(NOW_US - HOUR_US, models=MODELS, tenant="south"),
        assessment(NOW_US - HOUR_US, models=MODELS, branch_point="discharge"),
    ]
    written(database_url, keyring_at(tmp_path), rows)
    engine = reading(database_url)
    with engine.connect() as connection:
        found = read_traffic(connection, "north", NOW_US - DAY_US)
        assert found == {"icu-review": Traffic(3, 1), "discharge": Traffic(1, 0)}
        assert read_traffic(connection, "west", NOW_US - DAY_US) == {}
    engine.dispose()


def test_a_day_may_lie_in_two_months(database_url: str, tmp_path: Path):
    around = [assessment(FIRST_OF_MONTH_US + hours * HOUR_US, models=MODELS) for hours in (-3, 3)]
    written(database_url, keyring_at(tmp_path), around)
    engine = reading(database_url)
    until_us = FIRST_OF_MONTH_US + 4 * HOUR_US
    with engine.connect() as connection:
        found = read_traffic(connection, "north", until_us - DAY_US)
    assert found == {"icu-review": Traffic(2, 0)}
    engine.dispose()


def test_the_window_is_found_by_the_index(tmp_path: Path):
    """Not by a walk through the month: answers are large."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    written(url, keyring_at(tmp_path), [assessment()])
    engine = reading(url)
    asked = statement("north", NOW_US).compile(engine, compile_kwargs={"literal_binds": True})
    engine.dispose()
    plan = ask(url, f"EXPLAIN QUERY PLAN {asked}")
    assert any(f"ix_{ASSESSMENTS.name}_assessment_id" in str(step) for step in plan), plan
