"""Real promtool computes every recording rule; numpy computes it from the same series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitoring.rules import recordings
from tests.lib import rule_oracle
from tests.lib.promtool import (
    Series,
    check_rules,
    counts_both_ends,
    evaluation_order,
    holds,
    inputs,
    needed,
    run_tests,
)
from tests.lib.scraped_hospital import HOURS, STEP_S, hospital

RULES = Path("monitoring/rules/recording.yml").absolute()
GROUPS = recordings()
NAMES = [rule.record for group in GROUPS for rule in group.rules]
HOUR_S = 3600
TILES = {*rule_oracle.PER_REQUEST, *rule_oracle.PER_LEDGER}
FEW = (("lungs", "1"), ("quiet", "1"))
BUDGET = {"5m": 5, "30m": 30, "2h": 120, "6h": 360, "3d": 4320}


@pytest.fixture(scope="module")
def promtool() -> str:
    return needed("promtool")


def document(interval: str, scraped_every: str, series: list[Series], tests: list) -> dict:
    """One test of promtool."""
    return {
        "rule_files": [str(RULES)],
        "evaluation_interval": interval,
        "group_eval_order": evaluation_order(group.name for group in GROUPS),
        "tests": [
            {"interval": scraped_every, "input_series": inputs(series), "promql_expr_test": tests}
        ],
    }


def windowed(values: dict[str, rule_oracle.Values], window: str) -> dict[str, rule_oracle.Values]:
    return {f"{name}:{window}": found for name, found in values.items()}


def test_promtool_takes_the_rules(promtool: str):
    assert f"SUCCESS: {len(NAMES)} rules found" in check_rules(promtool, RULES)


@pytest.mark.parametrize("at_h", [24, HOURS])
def test_an_hour_and_a_day_of_three_replicas(promtool: str, tmp_path: Path, at_h: int):
    """At 24 h all is well; in the last hour two counters were reset and one replica is gone."""
    series = hospital()
    both_ends = counts_both_ends(promtool)
    fitted = rule_oracle.references(series)
    hours = [
        rule_oracle.hour(series, (at_h - back) * HOUR_S, both_ends=both_ends) for back in range(24)
    ]
    expected = {
        **fitted,
        **windowed(rule_oracle.rules(hours[0], fitted), "1h"),
        **windowed(rule_oracle.rules(rule_oracle.summed(hours), fitted), "1d"),
    }
    wanted = {n for n in NAMES if n.count(":") == 1 or n.endswith((":1h", ":1d"))}
    assert expected.keys() == wanted
    tests = [holds(name, f"{at_h}h", found) for name, found in expected.items()]
    run_tests(promtool, tmp_path, document("1h", f"{STEP_S}s", series, tests))


def test_the_three_replicas_hold_what_they_are_there_for():
    """Few counts, an empty bin, a reset, a second version and a lost replica: else nothing is shown."""
    series = hospital()
    fitted = rule_oracle.references(series)
    last = rule_oracle.hour(series, HOURS * HOUR_S, both_ends=True)
    found = rule_oracle.rules(last, fitted)
    judged = {(dict(own)["model"], dict(own)["version"]) for own in found["risk:feature_psi"]}
    seen = {(dict(o)["model"], dict(o)["version"]) for o in found["risk:feature_missing_ratio"]}
    assert judged == {("lungs", "1")}
    assert seen == {("lungs", "1"), ("lungs", "2")}
    assert 0.0 in found["risk:feature_observations"].values()
    assert min(fitted["risk:feature_reference_share"].values()) < 0.005
    assert {dict(o)["branch_point"] for o in found["risk:assessment_latency_p95"]} == {"icu-review"}
    assert [dict(own)["model"] for own in found["risk:observed_expected_ratio"]] == ["lungs"] * 2
    fell = [s for s in series if (np.diff(s.values[~np.isnan(s.values)]) < 0).any()]
    assert {one.labels["instance"] for one in fell} == {"a", "c"}


@pytest.mark.parametrize(("window", "hours"), [("7d", 168), ("30d", 720)])
def test_a_week_and_a_month_are_the_sum_of_their_hours(
    promtool: str, tmp_path: Path, window: str, hours: int
):
    """The hours of 31 days are given; a month of scrapes would test the same rules for minutes.

    promtool reads 10,000 samples in a query, hence only a few series.
    """
    series = hospital()
    fitted = rule_oracle.references(series)
    one = rule_oracle.hour(series, 24 * HOUR_S, both_ends=counts_both_ends(promtool))
    chance = np.random.default_rng(7)
    length = 31 * 24 + 1
    tiles = [
        Series(f"{name}:1h", dict(own), value * chance.uniform(0, 2, length), HOUR_S)
        for name, values in one.items()
        if not name.endswith("duration_bucket")
        for own, value in values.items()
        if not dict(own).keys() & {"model", "feature"} or _few(dict(own))
    ]
    tiles += _buckets(chance, length)
    at = length - 1
    counted: dict[str, rule_oracle.Values] = {name: {} for name in TILES}
    for tile in tiles:
        own = rule_oracle.key(tile.labels, tile.labels)
        counted[tile.name.removesuffix(":1h")][own] = float(tile.values[at - hours + 1 :].sum())
    expected = windowed(rule_oracle.rules(counted, fitted), window)
    assert expected.keys() == {name for name in NAMES if name.endswith(f":{window}")}
    constant = [
        Series(s.name, s.labels, np.full(length, np.nanmax(s.values)), HOUR_S)
        for s in series
        if "_reference_" in s.name
    ]
    tests = [holds(name, "31d", found) for name, found in expected.items()]
    run_tests(promtool, tmp_path, document("31d", "1h", [*tiles, *constant], tests))


def _few(labels: dict[str, str]) -> bool:
    return (labels.get("model"), labels.get("version")) in FEW and labels.get("feature") != "ward"


def _buckets(chance: np.random.Generator, length: int) -> list[Series]:
    """A histogram's buckets hold each other."""
    found, below = [], np.zeros(length)
    for bound, most in (("0.1", 60), ("0.25", 30), ("0.5", 9), ("+Inf", 1)):
        below = below + chance.uniform(0, most, length)
        labels = {"branch_point": "icu-review", "le": bound}
        found.append(Series("risk:assessment_duration_bucket:1h", labels, below, HOUR_S))
    return found


def test_the_windows_of_the_error_budget(promtool: str, tmp_path: Path):
    """A server error in every twentieth answer, until a restart ten minutes before the end."""
    minutes = np.arange(4320 + 1)
    series = [
        Series("risk_responses_total", {"code": code, "instance": instance}, per_minute * since, 60)
        for code, per_minute in (("2xx", 19.0), ("5xx", 1.0), ("3xx", 0.0), ("4xx", 0.0))
        for instance, since in (
            ("a", np.where(minutes < 4311, minutes, minutes - 4311)),
            ("b", minutes),
        )
    ]
    names = [f"risk:error_ratio:{window}" for window in BUDGET]
    assert set(names) == {n for n in NAMES if n.split(":")[-1] in BUDGET}
    # Both codes lose the same part of their growth at the restart: the share stays 1 in 20.
    tests = [holds(name, "3d", {(): 0.05}) for name in names]
    run_tests(promtool, tmp_path, document("3d", "1m", series, tests))


def test_no_answers_give_no_error_ratio_and_one_bad_answer_gives_one(promtool: str, tmp_path: Path):
    idle = [Series("risk_responses_total", {"code": c}, np.zeros(61), 60) for c in ("2xx", "5xx")]
    tests = [holds(f"risk:error_ratio:{w}", "1h", {}) for w in ("1h", "1d", *BUDGET)]
    run_tests(promtool, tmp_path, document("1h", "1m", idle, tests))
    bad = Series("risk_responses_total", {"code": "5xx"}, np.array([0.0] * 30 + [1.0] * 31), 60)
    tests = [holds("risk:error_ratio:1h", "1h", {(): 1.0})]
    run_tests(promtool, tmp_path, document("1h", "1m", [idle[0], bad], tests))


def test_every_recording_rule_has_a_case():
    """The tests above ask for every rule of their windows; together that is every rule."""
    windows = {"1h", "1d", "7d", "30d", *BUDGET}
    assert {n for n in NAMES if n.count(":") == 2 and n.split(":")[2] not in windows} == set()
    assert len(set(NAMES)) == len(NAMES)


def test_no_rule_is_evaluated_less_often_than_a_query_looks_back():
    """Else a recorded series comes and goes in every graph and alert."""
    seconds = {"1m": 60, "2m": 120, "4m": 240}
    assert all(seconds[group.interval] < 300 for group in GROUPS)
