"""Prometheus's own `promtool`, and series as it is given them.

`increase` below says what Prometheus makes of a counter, from its documentation and in numpy, so that
expected numbers do not come from PromQL: the difference between the last and the first sample of the
window, plus the value before each reset, stretched from the time between these samples to the whole
window (by half a sampling interval at an end where more than 1.1 intervals are missing, and never back
beyond the moment at which the counter would have been 0).
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = Mapping[str, str]
GONE = math.nan
"""A sample that was not scraped: the series does not exist then."""
MISSING = "promtool is not installed: its tests are skipped. Install it (Debian: apt-get install prometheus)"


def needed(program: str) -> str:
    """The path of `promtool` or `prometheus`; without it a test is skipped, under `CI=true` it fails."""
    found = shutil.which(program)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return found


def counts_both_ends(promtool: str) -> bool:
    """Whether a window holds samples at both its ends, as in Prometheus 2, or at its end only."""
    told = subprocess.run([promtool, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d+)\.", told.stdout + told.stderr)
    assert found
    return int(found[1]) < 3


@dataclass(frozen=True, slots=True)
class Series:
    """One scraped series.

    Attributes
    ----------
    values : ndarray
        One sample per scrape from time 0 on, NaN where it did not exist.
    step_s : int
        Time between two scrapes.
    """

    name: str
    labels: Labels
    values: Floats
    step_s: int

    def increase(self, at_s: int, window_s: int, *, both_ends: bool) -> float | None:
        """What Prometheus gives for `increase(series[window])` at a time; None for nothing."""
        times = np.arange(len(self.values)) * self.step_s
        first = times >= at_s - window_s if both_ends else times > at_s - window_s
        chosen = first & (times <= at_s) & ~np.isnan(self.values)
        t, x = times[chosen], self.values[chosen]
        if len(x) < 2:
            return None
        steps = np.diff(x)
        grown = x[-1] - x[0] + x[:-1][steps < 0].sum()
        sampled = float(t[-1] - t[0])
        apart = sampled / (len(x) - 1)
        before, after = float(t[0] - (at_s - window_s)), float(at_s - t[-1])
        before = before if before < 1.1 * apart else apart / 2
        after = after if after < 1.1 * apart else apart / 2
        if grown > 0 and x[0] >= 0:
            before = min(before, sampled * x[0] / grown)
        return float(grown * (sampled + before + after) / sampled)

    def as_input(self) -> dict[str, str]:
        """As `promtool test rules` reads it; the first sample that is gone is a stale marker."""
        written, alive = [], False
        for value in self.values:
            if math.isnan(value):
                written.append("stale" if alive else "_")
            else:
                written.append(repr(float(value)))
            alive = not math.isnan(value)
        return {"series": named(self.name, self.labels), "values": " ".join(written)}


def named(name: str, labels: Labels) -> str:
    """A series as PromQL writes it."""
    inside = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"


def rounded(value: float, nearest: float) -> float:
    """As PromQL's `round(value, nearest)`, to the last bit."""
    inverse = 1.0 / nearest
    return math.floor(value * inverse + 0.5) / inverse


def precision(values: Iterable[float]) -> float:
    """To what to round: seven digits or more, and no value halfway, where its last bit would decide."""
    found = list(values)
    largest = max((abs(value) for value in found), default=1.0)
    scale = 10.0 ** max(0, math.ceil(math.log10(max(largest, 1.0))) - 3)
    for nearest in (1e-6 * scale, 7e-7 * scale, 3e-7 * scale):
        if all(abs(value / nearest % 1.0 - 0.5) > 1e-3 for value in found):
            return nearest
    raise AssertionError("no precision keeps all values off a half")


def holds(expr: str, at: str, expected: Mapping[tuple[tuple[str, str], ...], float]) -> Any:
    """A test of promtool: the expression gives these series with these values and no other.

    Rounded on both sides, because promtool compares bit by bit.
    """
    nearest = precision(expected.values())
    return {
        "expr": f"round({expr}, {nearest!r})",
        "eval_time": at,
        "exp_samples": [
            {"labels": named("", dict(labels)), "value": rounded(value, nearest)}
            for labels, value in expected.items()
        ],
    }


def run_tests(promtool: str, folder: Path, content: Mapping[str, Any]) -> None:
    """Run one file of tests of rules; promtool's own words are the failure."""
    file = folder / "rules.test.yml"
    file.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def check_rules(promtool: str, *files: Path) -> str:
    """What `promtool check rules` says of sound files."""
    done = subprocess.run(
        [promtool, "check", "rules", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout


def inputs(series: Sequence[Series]) -> list[dict[str, str]]:
    return [one.as_input() for one in series]


def evaluation_order(groups: Iterable[str]) -> list[str]:
    """References, then hours, then what is made of hours; promtool evaluates all at the same moment."""
    return sorted(groups, key=_turn)


def _turn(group: str) -> int:
    return 0 if group == "risk-references" else 1 if group.endswith("-1h") else 2
