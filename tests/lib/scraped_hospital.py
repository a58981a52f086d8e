"""What three replicas show Prometheus in 26 hours, with all that goes wrong at a scrape's other end.

`a` and `b` stand on one ledger, `c` on another. At hour 20 model `lungs` version 2 comes beside version 1,
on `a` only. At 25:30 `a` and `c` are started anew and count from 0; from 25:40 on `b` is gone. `quiet`
is seldom asked and `idle` never. One bin is empty in life, another was empty in fitting.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.lib.promtool import GONE, Floats, Series

STEP_S = 600
HOURS = 26
SAMPLES = HOURS * 6 + 1
PROMOTED, RESTARTED, LOST = 20 * 6, 25 * 6 + 3, 25 * 6 + 4
BEGINNING = 0
LEDGER_OF = {"a": "north", "b": "north", "c": "south"}
MODELS = (
    ("lungs", "1", 1.0, BEGINNING),
    ("lungs", "2", 0.6, PROMOTED),
    ("quiet", "1", 0.02, 0),
    ("idle", "1", 0.0, 0),
)
"""Name, version, how much is asked relative to the first, since when."""
FEATURES = {
    "age": {"00: up to 60": 9, "01: 60 to 70": 6, "02: over 70": 0, "missing": 4, "implausible": 1,
            "unseen": 0},
    "ward": {"surgery": 8, "medicine": 8, "missing": 1, "implausible": 0, "unseen": 3},
}  # fmt: skip
"""Bins with the mean count in a scrape interval."""
FITTED = {
    "age": {"00: up to 60": 30, "01: 60 to 70": 30, "02: over 70": 40, "missing": 7, "implausible": 0,
            "unseen": 0},
    "ward": {"surgery": 120, "medicine": 60, "missing": 0, "implausible": 0, "unseen": 0},
}  # fmt: skip
PREDICTIONS = {"00: up to 0.1": 10, "01: 0.1 to 0.5": 6, "02: over 0.5": 0}
PREDICTIONS_FITTED = {"00: up to 0.1": 50, "01: 0.1 to 0.5": 40, "02: over 0.5": 10}
BOUNDS = ("0.1", "0.25", "0.5", "+Inf")


def smoothed(counts: dict[str, int]) -> dict[str, float]:
    """Shares with half a count added to every bin."""
    total = sum(counts.values()) + 0.5 * len(counts)
    return {name: (count + 0.5) / total for name, count in counts.items()}


def hospital() -> list[Series]:
    """Every series of the 26 hours; the same at every call."""
    chance = np.random.default_rng(20261122)
    return [*_asked(chance), *_fitted(), *_of_the_service(chance), *_of_the_ledgers(chance)]


def _counter(
    name: str, labels: dict[str, str], grown: Floats, instance: str, born: int = 0
) -> Series:
    """A counter from its growth per interval: at 0 when born, at 0 again after a restart."""
    values = np.concatenate([[0.0], np.cumsum(grown[: SAMPLES - 1])])
    values -= values[born]
    values[:born] = GONE
    if instance != "b":
        values[RESTARTED:] -= values[RESTARTED]
    else:
        values[LOST:] = GONE
    return Series(name, {**labels, "instance": instance, "job": "risk"}, values, STEP_S)


def _gauge(name: str, labels: dict[str, str], value: float, instance: str) -> Series:
    values = np.full(SAMPLES, value)
    if instance == "b":
        values[LOST:] = GONE
    return Series(name, {**labels, "instance": instance, "job": "risk"}, values, STEP_S)


def _asked(chance: np.random.Generator) -> Iterator[Series]:
    def some(mean: float) -> Floats:
        return chance.poisson(mean, SAMPLES).astype(float)

    for instance in "abc":
        for model, version, much, born in MODELS:
            if version == "2" and instance != "a":
                continue
            own = {"model": model, "version": version}
            for feature, bins in FEATURES.items():
                for name, mean in bins.items():
                    labels = {**own, "feature": feature, "bin": name}
                    yield _counter("risk_feature_observations_total", labels, some(mean * much),
                                   instance, born)  # fmt: skip
                contributed = chance.uniform(0, 1 + len(feature), SAMPLES) * much
                yield _counter("risk_contribution_absolute_total", {**own, "feature": feature},
                               contributed, instance, born)  # fmt: skip
            for name, mean in PREDICTIONS.items():
                yield _counter("risk_predicted_probability_total", {**own, "bin": name},
                               some(mean * much), instance, born)  # fmt: skip
            yield _counter("risk_predicted_variance_total", own, chance.uniform(1, 2, SAMPLES) * much,
                           instance, born)  # fmt: skip
        for name, mean in (("00: up to 3", 9), ("01: over 3", 21)):
            yield _counter("risk_predicted_value_total", {"model": "stay", "version": "5", "bin": name},
                           some(mean), instance)  # fmt: skip


def _fitted() -> Iterator[Series]:
    for instance in "abc":
        for model, version, _, _ in MODELS:
            own = {"model": model, "version": version}
            for feature, counts in FITTED.items():
                for name, share in smoothed(counts).items():
                    labels = {**own, "feature": feature, "bin": name}
                    yield _gauge("risk_feature_reference_ratio", labels, share, instance)
                if model != "quiet":  # a bundle that does not hold it
                    mean = {"age": 0.3, "ward": 0.1}[feature]
                    yield _gauge("risk_contribution_reference_mean", {**own, "feature": feature}, mean,
                                 instance)  # fmt: skip
            for name, share in smoothed(PREDICTIONS_FITTED).items():
                yield _gauge("risk_predicted_probability_reference_ratio", {**own, "bin": name}, share,
                             instance)  # fmt: skip
        for name, share in smoothed({"00: up to 3": 10, "01: over 3": 10}).items():
            labels = {"model": "stay", "version": "5", "bin": name}
            yield _gauge("risk_predicted_value_reference_ratio", labels, share, instance)


def _of_the_service(chance: np.random.Generator) -> Iterator[Series]:
    def some(mean: float) -> Floats:
        return chance.poisson(mean, SAMPLES).astype(float)

    for instance in "abc":
        for point, much in (("icu-review", 1.0), ("discharge", 0.03), ("ward-round", 0.0)):
            below = np.zeros(SAMPLES)
            for bound, mean in zip(BOUNDS, (9, 4, 1, 0), strict=True):
                below = below + some(mean * much)
                yield _counter("risk_assessment_duration_seconds_bucket",
                               {"branch_point": point, "le": bound}, below, instance)  # fmt: skip
            for verdict, mean in (("accepted", 3), ("overridden", 2), ("orphan", 1)):
                yield _counter("risk_feedback_total", {"branch_point": point, "verdict": verdict},
                               some(mean * much), instance)  # fmt: skip
        for code, mean in (("2xx", 40), ("3xx", 0), ("4xx", 2), ("5xx", 0.5)):
            yield _counter("risk_responses_total", {"code": code}, some(mean), instance)
        for model, version, much, _ in MODELS:
            own = {"model": model, "version": version}
            for status, mean in (("answered", 8), ("abstained", 2)):
                yield _counter("risk_shadow_assessments_total", {**own, "status": status},
                               some(mean * much), instance)  # fmt: skip
            yield _counter("risk_shadow_other_band_total", own, some(2 * much), instance)


def _of_the_ledgers(chance: np.random.Generator) -> Iterator[Series]:
    """Replicas on one ledger show the same, `b` one scrape later than `a`."""

    def shown(name: str, labels: dict[str, str], north: Floats, south: Floats) -> Iterator[Series]:
        for instance, grown in (("a", north), ("b", np.roll(north, 1)), ("c", south)):
            yield _counter(name, {**labels, "ledger": LEDGER_OF[instance]}, grown, instance)

    def some(name: str, labels: dict[str, str], mean: float) -> Iterator[Series]:
        north, south = (chance.poisson(mean, SAMPLES).astype(float) for _ in range(2))
        return shown(name, labels, north, south)

    def parts(name: str, labels: dict[str, str], most: float) -> Iterator[Series]:
        north, south = (chance.uniform(0, most, SAMPLES) for _ in range(2))
        return shown(name, labels, north, south)

    for model, version, much, _ in MODELS:
        own = {"model": model, "version": version}
        for position, name in enumerate(PREDICTIONS):
            labels = {**own, "bin": name}
            for observed, mean in (("true", position), ("false", 4)):
                both = {**labels, "observed": observed}
                yield from some("risk_outcomes_total", both, mean * much)
                yield from some("risk_outcomes_withdrawn_total", both, 0.2 * mean * much)
            yield from parts("risk_outcomes_expected_total", labels, 2.2 * position * much)
            yield from parts(
                "risk_outcomes_expected_withdrawn_total", labels, 0.1 * position * much
            )
        yield from parts("risk_outcomes_squared_error_total", own, 2 * much)
        yield from parts("risk_outcomes_squared_error_withdrawn_total", own, 0.3 * much)
        yield from parts("risk_outcomes_expected_variance_total", own, 2 * much)
        yield from parts("risk_outcomes_expected_variance_withdrawn_total", own, 0.1 * much)
        yield from some("risk_outcomes_matured_total", own, 14 * much)
    for point, mean in (("icu-review", 6), ("discharge", 0.05)):
        own = {"branch_point": point, "outcome": "death_30d"}
        yield from parts("risk_outcome_delay_seconds_total", own, 90_000 * mean)
        yield from some("risk_outcome_delay_reports_total", own, mean)
        for kind, members in (
            ("unit", ("icu", "ward 4")),
            ("subgroup", ("sex: female", "age: 65-79")),
        ):
            for member in members:
                labels = {**own, kind: member}
                for observed in ("true", "false"):
                    both = {**labels, "observed": observed}
                    yield from some(f"risk_{kind}_outcomes_total", both, mean)
                    yield from some(f"risk_{kind}_outcomes_withdrawn_total", both, 0.1 * mean)
                yield from parts(f"risk_{kind}_outcomes_expected_total", labels, 2 * mean)
                yield from parts(
                    f"risk_{kind}_outcomes_expected_withdrawn_total", labels, 0.1 * mean
                )
