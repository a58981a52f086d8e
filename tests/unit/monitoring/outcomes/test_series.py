"""What Prometheus is shown: every series of the catalogue, valid text, and nothing born non-zero."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.vocabulary import Vocabulary
from monitoring.outcomes import Count, Followed, Series
from monitoring.outcomes.joiner import Page
from tests.lib.counts import count

MODEL = ("icu-review.death_60d", "1")
OF_MODEL = {"ledger": "0123456789ab", "model": MODEL[0], "version": MODEL[1]}
OF_PLACE = {"ledger": "0123456789ab", "branch_point": "icu-review", "outcome": "death_60d"}
BIN = "05: 0.2 to 0.3"


@pytest.fixture
def known(vocabulary: Vocabulary) -> Followed:
    followed = Followed(vocabulary)
    followed.label = "0123456789ab"
    return followed


def take(known: Followed, *counts: Count, matured: Any = ()) -> None:
    known.take(Page(counts, tuple(matured), (), len(counts), read_to_the_end=True))


def shown(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(text: bytes, name: str, **labels: str) -> float | None:
    return shown(text).get((name, frozenset(labels.items())))


def test_a_counted_outcome_by_hand(known: Followed) -> None:
    take(known, count(), matured=[(1, (MODEL,)), (2, (MODEL,))])
    take(known, count(counted_at_us=9, y=False, was=True, delay_us=None))
    text = Series(90.0).text(known, (), {MODEL: {"7d": (0.5, None)}}, 1000.0, 1001.0)
    for name, labels, expected in (
        ("risk_outcomes_total", {"bin": BIN, "observed": "true"}, 1),
        ("risk_outcomes_total", {"bin": BIN, "observed": "false"}, 1),
        ("risk_outcomes_withdrawn_total", {"bin": BIN, "observed": "true"}, 1),
        ("risk_outcomes_withdrawn_total", {"bin": BIN, "observed": "false"}, 0),
        ("risk_outcomes_expected_total", {"bin": BIN}, 0.25),
        ("risk_outcomes_expected_total", {"bin": "00: up to 0.01"}, 0),
        ("risk_outcomes_squared_error_total", {}, 0.625),
        ("risk_outcomes_squared_error_withdrawn_total", {}, 0.5625),
        ("risk_outcomes_expected_variance_total", {}, 0.1875),
        ("risk_outcomes_matured_total", {}, 2),
        ("risk_outcomes_waiting", {}, 0),
        ("risk_calibration_slope", {"window": "7d"}, 0.5),
        ("risk_auroc", {"window": "7d"}, None),
    ):
        assert value(text, name, **OF_MODEL, **labels) == expected, name
    for name, labels, expected in (
        ("risk_outcome_delay_seconds_total", {}, 3),
        ("risk_outcome_delay_reports_total", {}, 1),
        ("risk_unit_outcomes_total", {"unit": "ward-1", "observed": "false"}, 1),
        ("risk_unit_outcomes_withdrawn_total", {"unit": "ward-1", "observed": "true"}, 1),
        ("risk_unit_outcomes_expected_total", {"unit": "ward-1"}, 0.25),
        ("risk_subgroup_outcomes_total", {"subgroup": "age: 65-79", "observed": "true"}, 1),
        ("risk_subgroup_outcomes_expected_total", {"subgroup": "sex: female"}, 0.25),
        ("risk_vlad", {"unit": "ward-1"}, -0.75),
        ("risk_cusum_signals_total", {"unit": "ward-1", "direction": "worse"}, 0),
        ("risk_cusum", {"unit": "ward-1", "direction": "worse"}, None),
    ):
        assert value(text, name, **OF_PLACE, **labels) == expected, name
    read = "risk_outcomes_read_timestamp_seconds"
    assert value(text, read, ledger="0123456789ab") == 1000.0


def test_promtool_finds_nothing_to_say(known: Followed) -> None:
    many = [count(counted_at_us=i, seq=i, y=i % 3 == 0, unit='ward "5"\\\n') for i in range(1, 40)]
    take(known, *many, matured=[(1, (MODEL,))])
    text = Series(90.0).text(known, [MODEL], {MODEL: {"7d": (1.0, 0.75)}}, 1000.0, 1001.0)
    assert value(text, "risk_cusum_limit", **OF_PLACE, unit='ward "5"\\\n', direction="worse")
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    said = subprocess.run(
        [promtool, "check", "metrics"], input=text, check=True, capture_output=True
    )
    assert said.stdout + said.stderr == b""


def test_a_served_model_is_there_at_0_before_anything_is_known(known: Followed) -> None:
    take(known)
    found = shown(Series(90.0).text(known, [MODEL], {}, 1000.0, 1001.0))
    of_model = {name for name, labels in found if dict(labels).get("model") == MODEL[0]}
    assert "risk_outcomes_total" in of_model
    assert "risk_outcomes_matured_total" in of_model
    assert sum(name == "risk_outcomes_total" for name, _ in found) == 13 * 2
    assert {v for (name, _), v in found.items() if name in of_model} == {0.0}


def test_a_series_that_is_new_while_running_begins_at_0(known: Followed) -> None:
    """What the start found has its value at once; a unit, subgroup and version of later wait."""
    take(known, count())
    series = Series(90.0)

    def told(now_s: float, name: str, **labels: str) -> float | None:
        return value(series.text(known, (), {}, now_s, now_s), name, **labels)

    assert told(1000.0, "risk_unit_outcomes_expected_total", **OF_PLACE, unit="ward-1") == 0.25
    new = count(counted_at_us=5, seq=5, version="2", unit="ward-2", subgroups=("sex: male",))
    take(known, new, count(counted_at_us=6, seq=6))
    of_version = {**OF_MODEL, "version": "2"}
    born = [
        ("risk_unit_outcomes_expected_total", {**OF_PLACE, "unit": "ward-2"}),
        ("risk_subgroup_outcomes_expected_total", {**OF_PLACE, "subgroup": "sex: male"}),
        ("risk_outcomes_expected_total", {**of_version, "bin": BIN}),
    ]
    for now_s, expected in ((1005.0, 0.0), (1094.9, 0.0), (1095.0, 0.25)):
        assert [told(now_s, name, **labels) for name, labels in born] == [expected] * 3
        known_one = told(now_s, "risk_outcomes_expected_total", **OF_MODEL, bin=BIN)
        assert known_one == 0.5
