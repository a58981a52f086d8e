"""How often the alerts about patients fire in years in which nothing happens.

    python -m tests.benchmarks.quiet_years [--var DIR] [--years 20] [--per-day 240] [--seed 2026]
                                           [--reported 0.9] [--delay-days 7]

Held-out patients are drawn again and again, hour by hour, and every risk is made true: outcomes are
drawn from what the models answered. Counts are those of the service (`PanelCounter`), windows and
conditions those of the rules, worked out in numpy at every whole hour; `for` means so many looks in a
row. No service and no Prometheus take part: twenty years would take them days. What the rules give is
held to the same figures by the tests; the control charts of quiet years are the drill's (`--years`).

Coverage and delay have years of their own: of what matures a share is reported (`--reported`), each after
a time that is drawn from an exponential distribution (`--delay-days`, its mean), for long enough before
the first year that reports come in evenly. For the other alerts every outcome is reported at once.

When it misleads: held-out patients differ a little from those of the fitting, as chance has it, and
such a difference lasts for all years. A service that is new has matured outcomes before it has reports
of them: its first months are not among these years.
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
from monitoring.counting.panel_counter import Asked, PanelCounter
from monitoring.counting.profile import BINARY, ModelProfile
from monitoring.drill.patients import arriving
from monitoring.outcomes.subgroups import load_subgroups
from monitoring.reference import PREDICTION_EDGES
from monitoring.rules.thresholds import load_thresholds
from monitoring.stability import psi, smoothed_shares
from tests.benchmarks.patient import BRANCH_POINT, SOURCE
from tests.lib.service import run_command

Floats = NDArray[np.float64]
WINDOWS = {"1h": 1, "1d": 24, "7d": 168, "30d": 720}
LONGEST, YEAR_H, DAY_H = 720, 8760, 24
LOOKS, LATE_LOOKS = 2, 7
"""In a row: what `for` of an hour or less, and of six hours, comes to when one looks every hour."""
EVENTS, EXPECTED, VARIANCE, ANSWERED = range(4)
MATURED, REPORTED, WAITED_S = range(3)
FEWEST_PSI, FEWEST_SHARE, FEWEST_OUTCOMES = "psi_minimum", "ratio_minimum", "outcomes_minimum"


@dataclass(frozen=True)
class Pool:
    """Patients to draw from: what each adds to the counts, and the risks that he was told.

    Attributes
    ----------
    adds : ndarray, shape (n_patients, size of the panel's block)
    risks : mapping of int to ndarray
        Of each binary model, by its place in the panel; 0 where it did not answer.
    subgroups : tuple of str
    member : ndarray, shape (n_patients, n_subgroups)
        1 where a patient is of a subgroup.
    """

    counter: PanelCounter
    adds: Floats
    risks: Mapping[int, Floats]
    subgroups: tuple[str, ...]
    member: Floats


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
    declared = load_subgroups(vocabulary.features)
    adds, risks, groups = [], [], []
    done = run_command("risk-train", "rows", SOURCE, "--held-out", var=var)
    for line in done.stdout.splitlines():
        body = json.dumps(json.loads(line)["request"]).encode()
        asked = parse_assessment_request(body, point, vocabulary)
        values = settle(asked.measurements, point, vocabulary.features).values
        said = panel.assess(values)
        block = np.zeros(counter.size)
        counter.add([Asked(values, said)], block, 0)
        adds.append(block)
        groups.append(
            {one.label(values[one.feature.name]) for one in declared if one.feature.name in values}
        )
        risks.append([one.prediction if isinstance(one, Answered) else 0.0 for one in said])
    told = np.array(risks)
    binary = [i for i, profile in enumerate(counter.profiles) if profile.kind == BINARY]
    names = tuple(sorted(set().union(*groups)))
    member = np.array([[float(name in own) for name in names] for own in groups])
    return Pool(counter, np.array(adds), {i: told[:, i] for i in binary}, names, member)


def hours(
    known: Pool, per_day: int, years: int, rng: np.random.Generator
) -> Iterator[tuple[Floats, dict[int, Floats]]]:
    """A year at a time, behind the last month of the year before: counts, and events of every bin.

    Yields
    ------
    counts : ndarray, shape (720 + 8760, size)
    outcomes : mapping of int to ndarray, shape (720 + 8760, 4, bins + subgroups)
        Of each binary model: events, the sum of p and of p(1-p), and answers, by the bin of p and, after
        the bins, by subgroup.
    """
    n, size = known.adds.shape
    bins, groups = len(PREDICTION_EDGES) + 1, len(known.subgroups)
    kept = np.zeros((LONGEST, size))
    kept_of = {i: np.zeros((LONGEST, 4, bins + groups)) for i in known.risks}
    for year in range(years):
        length = YEAR_H + (LONGEST if year == 0 else 0)
        came = np.zeros((length, size))
        of = {i: np.zeros((length, 4, bins + groups)) for i in known.risks}
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
                found = np.stack((answered & (luck < p), p, p * (1 - p), answered), axis=1)
                of[i][at, :, place] += found
                of[i][:, :, bins:] += found[:, :, None] * known.member[drawn][:, None, :]
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


def reporting(
    per_day: int, years: int, share: float, delay_h: float, rng: np.random.Generator
) -> Floats:
    """Of every hour: how many matured, how many were reported, and how long those had waited (s).

    Returns
    -------
    ndarray, shape (720 + years of hours, 3)
    """
    before = 2 * LONGEST
    length = before + LONGEST + years * YEAR_H
    hour = np.arange(length)
    matured = np.array([arriving(per_day, h) for h in hour.tolist()])
    came_h = np.repeat(hour, matured)[rng.random(int(matured.sum())) < share]
    waited_h = rng.exponential(delay_h, len(came_h))
    told_h = (came_h + waited_h).astype(int)
    seen = told_h < length
    reported = np.bincount(told_h[seen], minlength=length)
    waited_s = np.bincount(told_h[seen], weights=waited_h[seen] * 3600, minlength=length)
    return np.stack((matured, reported, waited_s), axis=1).astype(float)[before:]


def firings(held: NDArray[np.bool_], looks: int = LOOKS) -> int:
    """How often a condition came to hold at so many looks in a row."""
    if len(held) < looks:
        return 0
    fires = np.lib.stride_tricks.sliding_window_view(held, looks).all(axis=1)
    return int(np.count_nonzero(fires & ~np.concatenate(([False], fires[:-1]))))


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
    rows: Floats, subgroups: tuple[str, ...], limits: Mapping[str, float]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The conditions of calibration and of subgroups, hour by hour."""
    bins = rows.shape[2] - len(subgroups)
    for window, period in (("7d", "week"), ("30d", "month")):
        whole = over(rows[:, :, :bins], window).sum(axis=2)
        observed, expected = whole[:, EVENTS], whole[:, EXPECTED]
        beyond = np.abs(observed - expected) > limits["chance_deviations"] * np.sqrt(
            whole[:, VARIANCE]
        )
        yield f"RiskMiscalibrated {window}", _far(observed, expected, period, limits) & beyond
    month = over(rows, "30d")
    yield "RiskCalibrationError 30d", _in_error(month[:, :, :bins], limits)
    for place in range(bins, rows.shape[2]):
        observed, expected = month[:, EVENTS, place], month[:, EXPECTED, place]
        beyond = 2 * np.abs(np.sqrt(observed) - np.sqrt(expected)) > limits["chance_deviations"]
        yield "RiskSubgroupMiscalibrated 30d", _far(observed, expected, "month", limits) & beyond


def _far(
    observed: Floats, expected: Floats, period: str, limits: Mapping[str, float]
) -> NDArray[np.bool_]:
    ratio = observed / np.maximum(expected, 1e-12)
    far = (ratio > limits[f"ratio_high_{period}"]) | (ratio < limits[f"ratio_low_{period}"])
    enough: NDArray[np.bool_] = far & (expected >= limits["expected_for_alert"])
    return enough


def _in_error(month: Floats, limits: Mapping[str, float]) -> NDArray[np.bool_]:
    """By the formula of the alert, which says where it comes from."""
    variance, answered = month[:, VARIANCE].sum(axis=1), month[:, ANSWERED].sum(axis=1)
    error = np.abs(month[:, EVENTS] - month[:, EXPECTED]).sum(axis=1)
    filled = np.count_nonzero(month[:, EXPECTED] > 0, axis=1)
    chance = np.sqrt(2 / np.pi * filled * variance)
    chance += limits["chance_deviations"] * np.sqrt((1 - 2 / np.pi) * variance)
    beyond = (error - chance) / np.maximum(answered, 1)
    enough: NDArray[np.bool_] = answered >= limits[FEWEST_OUTCOMES]
    return enough & (beyond > limits["calibration_error"])


def of_reports(
    rows: Floats, limits: Mapping[str, float]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """The conditions of coverage and of delay, hour by hour; both wait six hours."""
    month, week = over(rows, "30d"), over(rows, "7d")
    coverage = month[:, REPORTED] / np.maximum(month[:, MATURED], 1)
    told = month[:, MATURED] >= limits["matured_minimum"]
    yield "RiskOutcomeCoverageLow 30d", told & (coverage < limits["coverage"])
    delay_s = week[:, WAITED_S] / np.maximum(week[:, REPORTED], 1)
    told = week[:, REPORTED] >= limits["answers_minimum"]
    yield "RiskOutcomesLate 7d", told & (delay_s > limits["outcome_delay_s"])


def main() -> int:
    """Draw the years and count what fired."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--var", type=Path, default=Path("var"), help="State folder with champions."
    )
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--per-day", type=int, default=240, help="Patients a day.")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--reported", type=float, default=0.9, help="Share of outcomes reported.")
    parser.add_argument("--delay-days", type=float, default=7.0, help="Mean time to a report.")
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
            for name, held in of_outcomes(rows, known.subgroups, limits):
                fired[name] += firings(held)
                conditions[name] += year == 0
        print(f"year {year + 1} of {given.years}", file=sys.stderr)
    for _ in known.risks:
        told = reporting(given.per_day, given.years, given.reported, given.delay_days * DAY_H, rng)
        for name, held in of_reports(told, limits):
            fired[name] += firings(held, LATE_LOOKS)
            conditions[name] += 1
    print(f"{len(known.adds)} patients to draw from, {given.per_day} a day, {given.years} years")
    for name in sorted(conditions):
        print(f"{name:28} {conditions[name]:4} conditions, fired {fired[name]}")
    print(f"false alarms in all: {sum(fired.values())}, in {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
