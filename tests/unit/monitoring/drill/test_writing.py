"""What is written for Prometheus, and the order in which rules are asked for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.drill.remote_write import bodies, snappy, time_series, varint
from monitoring.drill.rules import in_order, seconds, window_s
from monitoring.drill.scrapes import Scrapes
from monitoring.rules import Recording, alerts, recordings

RULES = [rule for group in recordings() for rule in group.rules if isinstance(rule, Recording)]


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at


def fields(data: bytes) -> list[tuple[int, object]]:
    """A protobuf message, read back by the description of its wire format."""
    found, at = [], 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 1:
            value, at = float(np.frombuffer(data[at : at + 8], "<f8")[0]), at + 8
        else:
            length, at = read_varint(data, at)
            value, at = data[at : at + length], at + length
        found.append((tag >> 3, value))
    return found


@given(number=st.integers(0, 1 << 60))
def test_a_varint_is_read_back(number: int):
    assert read_varint(varint(number), 0) == (number, len(varint(number)))


@given(
    samples=st.lists(
        st.tuples(st.integers(40_000_000, 4_000_000_000), st.floats(allow_nan=False)), max_size=30
    ),
    name=st.text(min_size=1, max_size=200),
)
def test_a_series_is_read_back(samples: list, name: str):
    at = np.array([t for t, _ in samples], dtype=np.int64)
    values = np.array([v for _, v in samples])
    ((number, series),) = fields(time_series([("__name__", name)], at, values))
    assert number == 1
    (_, label), *rest = fields(series)
    assert fields(label) == [(1, b"__name__"), (2, name.encode())]
    assert [fields(sample) for _, sample in rest] == [[(1, v), (2, t * 1000)] for t, v in samples]


@pytest.mark.parametrize("at_s", [0, 30_000_000, 5_000_000_000])
def test_a_time_that_does_not_fit_is_refused(at_s: int):
    with pytest.raises(ValueError, match="before February 1971 or after 2109"):
        time_series([], np.array([at_s]), np.array([1.0]))


@given(pieces=st.lists(st.binary(max_size=50), max_size=20), most=st.integers(1, 100))
def test_nothing_is_lost_between_requests(pieces: list[bytes], most: int):
    told = list(bodies(pieces, most))
    plain = b""
    for body in told:
        length, at = read_varint(body, 0)
        assert len(body[at:]) == (length + 5 if length else 0)
        plain += body[at + 5 :]
    assert plain == b"".join(pieces)
    assert snappy(b"") == b"\0"


def test_scrapes_keep_labels_as_they_were_meant():
    scrapes = Scrapes((("job", "risk"),))
    scrapes.add('# HELP x y\nx{bin="00: up to 4 \\"a\\\\b\\"",model="m"} 2.5\n', at_s=0, real_s=0)
    ((labels, _, values),) = scrapes.take()
    assert dict(labels) == {
        "__name__": "x",
        "bin": '00: up to 4 "a\\b"',
        "model": "m",
        "job": "risk",
    }
    assert values.tolist() == [2.5]
    assert list(scrapes.take()) == []


def test_a_gauge_that_appears_was_not_0_before():
    scrapes = Scrapes(())
    scrapes.add("a_total 1", at_s=0, real_s=0)
    scrapes.add("a_total 1\nrisk_auroc 0.7", at_s=3600, real_s=1)
    told = {dict(labels)["__name__"]: values.tolist() for labels, _, values in scrapes.take()}
    assert told == {"a_total": [1.0, 1.0], "risk_auroc": [0.7]}


def test_a_time_of_the_real_clock_keeps_its_age():
    scrapes = Scrapes(())
    scrapes.add("risk_outcomes_read_timestamp_seconds 1995", at_s=7200, real_s=2000)
    ((_, at, values),) = scrapes.take()
    assert at.tolist() == [7200]
    assert values.tolist() == [7195]


@given(rules=st.permutations(RULES))
def test_every_rule_comes_after_those_that_it_reads(rules: list[Recording]):
    order = [rule.record for rule in in_order(rules)]
    assert sorted(order) == sorted(rule.record for rule in RULES)
    place = {name: n for n, name in enumerate(order)}
    for rule in RULES:
        read = set(re.findall(r"risk:[a-z_:0-9]+", rule.expr)) - {rule.record}
        assert read <= place.keys()
        assert all(place[name] < place[rule.record] for name in read)


def test_windows_are_read_from_the_alerts():
    found = {
        (rule.name, dict(rule.labels).get("window")): window_s(rule.expr)
        for group in alerts()
        for rule in group.rules
    }
    assert found["RiskFeatureDrift", "1d"] == 86400
    assert found["RiskFeatureDrift", "30d"] == 30 * 86400
    assert found["RiskMissingSurge", "1h"] == 3600
    assert found["RiskCusumSignal", None] == 3600
    assert found["RiskMiscalibrated", "7d"] == 7 * 86400
    assert seconds("23h59m59s999ms") == 86399.999
