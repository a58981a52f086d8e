"""How often the alerts about patients fire in years in which nothing happens.

    python -m tests.benchmarks.quiet_years [--var DIR] [--years 20] [--per-day 240] [--seed 2026]

Held-out patients are drawn again and again, hour by hour, and every risk is made true: outcomes are
drawn from what the models answered. Counts are those of the service (`PanelCounter`), windows and
conditions those of the rules, worked out in numpy at every whole hour; `for` means two looks in a row.
No service and no Prometheus take part: twenty years would take them days. What the rules give is held
to the same figures by the tests; the control charts of quiet years are the drill's (`--years`).

When it misleads: held-out patients differ a little from those of the fitting, as chance has it, and
such a difference lasts for all years. Alerts of subgroups, of coverage and of delays are not among these.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.schemas.assessment_request import parse_assessment_request
from app.serving.slot import ServedPanel, load_served_model
from models.bundle import read_bundle
from models.risk.assessment import Answered
from models.vocabulary import load_vocabulary, settle
from monitoring.counting.panel_counter import PanelCounter
from monitoring.counting.profile import BINARY, ModelProfile
from monitoring.reference import PREDICTION_EDGES
from monitoring.rules.thresholds import load_thresholds
from monitoring.stability import psi, smoothed_shares
from tests.benchmarks.patient import BRANCH_POINT, SOURCE
from tests.lib.service import run_command

Floats = NDArray[np.float64]
WINDOWS = {"1h": 1, "1d": 24, "7d": 168, "30d": 720}
LONGEST, YEAR_H, DAY_H = 720, 8760, 24
LOOKS = 2
"""In a row: what `for` of an hour or less comes to when one looks every hour."""
FEWEST_PSI, FEWEST_SHARE, FEWEST_OUTCOMES = "psi_minimum", "ratio_minimum", "outcomes_minimum"


@dataclass(frozen=True)
class Pool:
    """Patients to draw from: what each adds to the counts, and the risks that he was told.

    Attributes
    ----------
    adds : ndarray, shape (n_patients, size of the panel's block)
    risks : mapping of int to ndarray
        Of each binary model, by its place in the panel; 0 where it did not answer.
    """

    counter: PanelCounter
    adds: Floats
    risks: Mapping[int, Floats]


def pool(var: Path) -> Pool:
    """Every held-out patient, answered by every champion of the branch point."""
    vocabulary, cache = load_vocabulary(), var / "model-cache"
    point, models = vocabulary.branch_points[BRANCH_POINT], {}
    for row in json.loads((cache / "champions.json").read_bytes()):
        folder = cache / row["name"] / row["version"]
        bundle = read_bundle(folder, row["digest"])
        served = load_served_model(bundle, row["name"], row["version"], "champion", vocabulary)
        models[row["name"]] = served
    panel = ServedPanel(point, tuple(point.outcomes), models)
    (counter,) = panel.counters
    adds, risks = [], []
    done = run_command("risk-train", "rows", SOURCE, "--held-out", var=var)
    for line in done.stdout.splitlines():
        body = json.dumps(json.loads(line)["request"]).encode()
        asked = parse_assessment_request(body, point, vocabulary)
        values = settle(asked.measurements, point, vocabulary.features).values
        said = panel.assess(values)
        block = np.zeros(counter.size)
        counter.add(counter.tally(values, said), block, 0)
        adds.append(block)
        risks.append([one.prediction if isinstance(one, Answered) else 0.0 for one in said])
    told = np.array(risks)
    binary = [i for i, profile in enumerate(counter.profiles) if profile.kind == BINARY]
    return Pool(counter, np.array(adds), {i: told[:, i] for i in binary})


def hours(
    known: Pool, per_day: int, years: int, rng: np.random.Generator
) -> Iterator[tuple[Floats, dict[int, Floats]]]:
    """A year at a time, behind the last month of the year before: counts, and events of every bin.

    Yields
    ------
    counts : ndarray, shape (720 + 8760, size)
    outcomes : mapping of int to ndarray, shape (720 + 8760, 3, bins)
        Of each binary model: events, the sum of p and of p(1-p), by the bin of p.
    """
    n, size = known.adds.shape
    bins = len(PREDICTION_EDGES) + 1
    kept = np.zeros((LONGEST, size))
    kept_of = {i: np.zeros((LONGEST, 3, bins)) for i in known.risks}
    for year in range(years):
        length = YEAR_H + (LONGEST if year == 0 else 0)
        came = np.zeros((length, size))
        of = {i: np.zeros((length, 3, bins)) for i in known.risks}
        base = per_day // DAY_H
        for turn in range(base + 1):
            # What does not go into the hours evenly comes in the day's first ones.
            here = np.arange(length) % DAY_H < (DAY_H if turn < base else per_day % DAY_H)
            drawn = rng.integers(0, n, length)
            came += known.adds[drawn] * here[:, None]
            luck, at = rng.random(length), np.arange(length)
            for i, risks in known.risks.items():
                p = risks[drawn] * here
                place = np.searchsorted(np.array(PREDICTION_EDGES), p, side="left")
                answered = p > 0
                of[i][at, 0, place] += answered & (luck < p)
                of[i][at, 1, place] += p
                of[i][at, 2, place] += p * (1 - p)
        counts = came if year == 0 else np.concatenate((kept, came))
        outcomes = of if year == 0 else {i: np.concatenate((kept_of[i], of[i])) for i in of}
        kept, kept_of = counts[-LONGEST:], {i: rows[-LONGEST:] for i, rows in outcomes.items()}
        yield counts, outcomes


def over(rows: Floats, window: str) -> Floats:
    """Sums over the window that ends with each hour, from the first hour after a whole month on."""
    total = np.concatenate((np.zeros((1, *rows.shape[1:])), np.cumsum(rows, axis=0)))
    ends = np.arange(LONGEST + 1, len(rows) + 1)
    summed: Floats = total[ends] - total[ends - WINDOWS[window]]
    return summed


def firings(held: NDArray[np.bool_]) -> int:
    """How often a condition came to hold at two looks in a row."""
    both = held[1:] & held[:-1]
    return int(np.count_nonzero(both & ~np.concatenate(([False], both[:-1]))))


def of_inputs(
    profile: ModelProfile, gather: NDArray[np.intp], counts: Floats, limits: Mapping[str, float]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The conditions of drift and surges, hour by hour."""
    labels, width = len(profile.predictions.labels), len(profile.features)
    sized = (("1d", "psi_large"), ("30d", "psi_moderate"))
    summed = {window: over(counts[:, gather], window) for window in ("1h", "1d", "30d")}
    for window, limit in sized:
        own = summed[window][:, 4 : 4 + labels]
        yield (
            f"RiskPredictionDrift {window}",
            _moved(own, profile.predictions.counts, limits, limit),
        )
    reasons = summed["1d"][:, 4 + labels : 4 + labels + width]
    if profile.contributions is not None:
        fitted = np.array(profile.contributions)
        shares = reasons / np.maximum(reasons.sum(axis=1, keepdims=True), 1e-12)
        moved = 0.5 * np.abs(shares - fitted / fitted.sum()).sum(axis=1)
        enough = summed["1d"][:, 0] >= limits[FEWEST_PSI]
        yield "RiskExplanationDrift 1d", enough & (moved > limits["explanation_drift"])
    at = 4 + labels + width
    for feature in profile.features:
        cut = slice(at, at + len(feature.labels))
        at = cut.stop
        for window, limit in sized:
            yield (
                f"RiskFeatureDrift {window}",
                _moved(summed[window][:, cut], feature.counts, limits, limit),
            )
        for window, suffix in (("1h", "hour"), ("1d", "day")):
            own = summed[window][:, cut]
            for place, name, margin in ((0, "Missing", "surge"), (-2, "Implausible", "strange"),
                                        (-1, "Unseen", "strange")):  # fmt: skip
                yield (
                    f"Risk{name}Surge {window}",
                    _surged(
                        own, place, feature.counts, limits, limits[f"{margin}_margin_{suffix}"]
                    ),
                )


def _moved(own: Floats, fitted: Any, limits: Mapping[str, float], limit: str) -> NDArray[np.bool_]:
    if fitted is None:
        return np.zeros(len(own), dtype=bool)
    asked = own.sum(axis=1)
    index = psi(smoothed_shares(own), smoothed_shares(fitted))
    chance = (own.shape[1] - 1) / np.maximum(asked, 1)
    moved: NDArray[np.bool_] = (asked >= limits[FEWEST_PSI]) & (index - chance > limits[limit])
    return moved


def _surged(
    own: Floats, place: int, fitted: Any, limits: Mapping[str, float], margin: float
) -> NDArray[np.bool_]:
    if fitted is None:
        return np.zeros(len(own), dtype=bool)
    asked = own.sum(axis=1)
    n = np.maximum(asked, 1)
    share = smoothed_shares(fitted)[place]
    beyond = own[:, place] / n - share
    beyond -= limits["chance_deviations"] * np.sqrt(share * (1 - share) / n)
    surged: NDArray[np.bool_] = (asked >= limits[FEWEST_SHARE]) & (beyond > margin)
    return surged


def of_outcomes(
    rows: Floats, limits: Mapping[str, float]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The conditions of calibration, hour by hour."""
    for window, period in (("7d", "week"), ("30d", "month")):
        observed, expected, variance = np.moveaxis(over(rows, window).sum(axis=2), 1, 0)
        ratio = observed / np.maximum(expected, 1e-12)
        far = (ratio > limits[f"ratio_high_{period}"]) | (ratio < limits[f"ratio_low_{period}"])
        beyond = np.abs(observed - expected) > limits["chance_deviations"] * np.sqrt(variance)
        yield (
            f"RiskMiscalibrated {window}",
            far & beyond & (expected >= limits["expected_for_alert"]),
        )


def main() -> int:
    """Draw the years and count what fired."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--var", type=Path, default=Path("var"), help="State folder with champions."
    )
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--per-day", type=int, default=240, help="Patients a day.")
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args()
    start, limits = time.perf_counter(), load_thresholds()
    known = pool(given.var.resolve())
    fired: Counter[str] = Counter()
    conditions: Counter[str] = Counter()
    rng = np.random.default_rng(given.seed)
    for year, (counts, outcomes) in enumerate(hours(known, given.per_day, given.years, rng)):
        for i, profile in enumerate(known.counter.profiles):
            gather = known.counter._gather[i]
            for name, held in of_inputs(profile, gather, counts, limits):
                fired[name] += firings(held)
                conditions[name] += year == 0
        for rows in outcomes.values():
            for name, held in of_outcomes(rows, limits):
                fired[name] += firings(held)
                conditions[name] += year == 0
        print(f"year {year + 1} of {given.years}", file=sys.stderr)
    print(f"{len(known.adds)} patients to draw from, {given.per_day} a day, {given.years} years")
    for name in sorted(conditions):
        print(f"{name:28} {conditions[name]:4} conditions, fired {fired[name]}")
    print(f"false alarms in all: {sum(fired.values())}, in {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
