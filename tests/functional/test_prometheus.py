"""What a real Prometheus works out of two replicas of two workers is what the ledger says.

Through a worker that is killed, a gap in the scrapes, a promotion and a replica that starts again. The
other side is numpy, from the ledger alone; the counters have no part in it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import psutil
import pytest
from scipy.special import expit
from sqlalchemy import select

from app.serving.slot import load_served_model
from models.bundle import read_bundle
from models.registry import CHALLENGER, CHAMPION, Registry
from models.vocabulary import Vocabulary
from monitoring.counting.profile import ModelProfile
from monitoring.drift import ModelDrift, model_drift
from monitoring.ledger.tables import ASSESSMENTS, FEEDBACK, SHADOWS
from monitoring.metrics import CODES, DURATION_BUCKETS
from monitoring.outcomes import Performance, read_performance
from monitoring.recounted import recount
from monitoring.rules.windows import BUDGET_WINDOWS
from tests.lib.gated import flattened, good, registered, version_files
from tests.lib.ledger import reading
from tests.lib.postgres import Postgres, needed_postgres
from tests.lib.prometheus import Prometheus, running_prometheus
from tests.lib.risk_models import BRANCH_POINT, FEATURES, synthetic_rows
from tests.lib.service import Service, free_port, running_service
from tests.lib.until import until

NAME, OUTCOME = "icu-review.death_180d", "death_180d"
ASK = f"/v1/branch-points/{BRANCH_POINT}/assessments"
LONG_AGO, KNOWN_AT = "2025-06-01T08:00:00Z", "2026-01-15T08:00:00Z"
UNITS = ("ward-1", "ward-2")
WINDOWS = ("1h", "1d", "7d", "30d")
CARDS = f"/cds-services/{BRANCH_POINT}/feedback"
REFUSED, UNREADABLE = 14, 12
OF_A_KILL = 16
"""Rows of a challenger that were recorded in the moment in which their worker was killed: one batch."""
REACHED_OVER = 0.02
"""`increase` reaches over the first and last sample by up to half an interval; counts alone show it."""
SAMPLES = 60
"""Of every series before it ends: half an interval more than they cover is then less than `WITHIN`."""
WITHIN, OF_NOTHING = 0.01, 2e-4
"""Part in a hundred; of a distance that is nearly none, chance between two scrapes is more than that."""
Told = dict[frozenset[tuple[str, str]], float]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    yield from needed_postgres()


@dataclass
class Site:
    """Two replicas on one ledger, and the Prometheus that watches both."""

    prometheus: Prometheus
    replicas: list[Service]
    ledger: str
    vocabulary: Vocabulary
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(2026))
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    posted: int = 0
    asked: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    waited_s: list[float] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    compared: set[str] = field(default_factory=set)

    def ask(self, count: int, *, older: float = 0.0, no_albumin: bool = False) -> None:
        """Patients of whom some have an implausible value, and what became of three in four of them."""
        X, log_odds = synthetic_rows(self.rng, count)
        X[:, FEATURES.index("age")] += older
        if no_albumin:
            X[:, FEATURES.index("albumin")] = np.nan
        happened = self.rng.random(count) < expit(log_odds + 0.4)
        for row, event in zip(X, happened, strict=True):
            measurements = _measured(row)
            if self.rng.random() < 0.05:
                measurements["heart_rate"] = 900.0
            unit = UNITS[int(self.rng.integers(2))]
            answer = self.post(ASK, {"measurements": measurements, "index_time": LONG_AGO,
                                     "unit": unit, "outcomes": [OUTCOME]})  # fmt: skip
            self.asked += 1
            if self.rng.random() < 0.4:
                self.post(CARDS, {"feedback": [self.of_card(answer["assessment_id"])]})
            if self.rng.random() < 0.75:
                report = {"assessment_id": answer["assessment_id"], "outcome": OUTCOME,
                          "value": bool(event), "observed_at": KNOWN_AT}  # fmt: skip
                self.post("/v1/outcomes", report)
                if self.rng.random() < 0.04:
                    self.post("/v1/outcomes", {**report, "value": not event, "correction": True})

    def of_card(self, card: str) -> dict[str, Any]:
        """What became of a card: three of ten are set aside."""
        told: dict[str, Any] = {"card": card, "outcomeTimestamp": "2026-11-21T08:16:00Z"}
        if self.rng.random() < 0.3:
            return told | {
                "outcome": "overridden",
                "overrideReason": {"reason": {"code": "not-now"}},
            }
        return told | {"outcome": "accepted", "acceptedSuggestions": [{"id": "none"}]}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """To the replicas in turn; where a killed worker broke the connection, once more."""
        for _ in range(50):
            self.posted += 1
            service = self.replicas[self.posted % len(self.replicas)]
            try:
                begun = time.monotonic()
                reply = self.client(service).post(path, json=body)
            except httpx.TransportError:
                self.clients.pop(service.url).close()
                continue
            self.statuses[reply.status_code] += 1
            if path == ASK:
                self.waited_s.append(time.monotonic() - begun)
            assert reply.is_success, reply.text
            return dict(reply.json())
        raise AssertionError("nobody answers")

    def client(self, service: Service) -> httpx.Client:
        """A connection for some requests; a new one may be another worker's."""
        if self.posted % 20 < len(self.replicas) and (old := self.clients.pop(service.url, None)):
            old.close()
        if service.url not in self.clients:
            self.clients[service.url] = httpx.Client(base_url=service.url, timeout=30)
        return self.clients[service.url]

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def get(self, url: str) -> httpx.Response:
        """Of one service, counted."""
        reply = httpx.get(url, timeout=30)
        self.statuses[reply.status_code] += 1
        return reply

    def number(self, expr: str) -> float | None:
        """The one number that an expression gives now."""
        found = self.prometheus.query(expr)
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def scraped_enough(self, version: str) -> bool:
        """Whether every series of a version can end without a count seeming larger than it was."""
        each = f'count_over_time(risk_model_assessments_total{{version="{version}"}}[1h])'
        living = f'(risk_model_assessments_total{{version="{version}"}})'
        return (self.number(f"min({each} and {living})") or 0.0) >= SAMPLES

    def rule(self, name: str) -> Told:
        """What a recording rule gives now, by labels."""
        self.compared.add(name)
        return {
            frozenset((k, v) for k, v in one["metric"].items() if k != "__name__"): float(
                one["value"][1]
            )
            for one in self.prometheus.query(name)
        }

    def from_ledger(self, profiles: list[ModelProfile]) -> tuple[list[ModelDrift], Performance]:
        """Everything that was recorded, worked out in numpy."""
        engine, now_us = reading(self.ledger), time.time_ns() // 1000
        try:
            counted = recount(engine, profiles, self.vocabulary, 0, now_us)
            told = read_performance(engine, self.vocabulary, 0, now_us, now_us)
        finally:
            engine.dispose()
        return [model_drift(*one) for one in counted.models], told

    def recorded(self) -> list[Any]:
        """The rows of assessments, of feedback, and of what the challenger would have said."""
        engine = reading(self.ledger)
        try:
            with engine.connect() as connection:
                return [
                    list(connection.execute(select(one)))
                    for one in (ASSESSMENTS, FEEDBACK, SHADOWS)
                ]
        finally:
            engine.dispose()

    def shadowed(self) -> bool:
        """Whether the challenger was asked about everybody once, and Prometheus has seen it."""
        assessments, _, shadows = self.recorded()
        if len(shadows) < len(assessments):
            return False
        assert len({row.assessment_id for row in shadows}) == len(shadows)
        seen = self.number("sum(risk_shadow_assessments_total)") or 0.0
        return len(shadows) - OF_A_KILL <= seen <= len(shadows)


def _measured(row: np.ndarray) -> dict[str, Any]:
    """An encoded row as a request holds it."""
    sent: dict[str, Any] = {}
    for item, value in zip(good().model.inputs, row, strict=True):
        if np.isnan(value):
            continue
        if item.kind == "category":
            sent[item.name] = item.categories[int(value)]
        else:
            sent[item.name] = bool(value) if item.kind == "flag" else float(f"{value:.3g}")
    return sent


def expected(drifts: list[ModelDrift], told: Performance) -> dict[str, Told]:
    """What every rule about models should give."""
    found: dict[str, Told] = {}

    def put(rule: str, value: float | None, **labels: str) -> None:
        if value is not None:
            found.setdefault(rule, {})[frozenset(labels.items())] = value

    for one in drifts:
        who = {"model": one.name, "version": one.version}
        put("prediction_psi", one.psi, **who)
        put("explanation_drift", one.explanation, **who)
        put("brier_score_expected", one.expected_brier, **who)
        for feature in one.features:
            of = {**who, "feature": feature.feature}
            put("feature_psi", feature.psi, **of)
            put("feature_js", feature.js, **of)
            put("feature_missing_ratio", feature.missing, **of)
            put("feature_implausible_ratio", feature.implausible, **of)
            put("feature_unseen_ratio", feature.unseen, **of)
    for model in told.models:
        who, figures = {"model": model.model, "version": model.version}, model.figures
        put("observed_expected_ratio", figures.ratio, **who)
        put("brier_score", figures.brier, **who)
        put("calibration_error", figures.calibration_error, **who)
        put("outcomes", float(figures.n), **who)
        put("outcome_coverage", model.coverage, **who)
    for kind, groups in (("unit", told.units), ("subgroup", told.subgroups)):
        for group in groups:
            if group.figures.expected >= 5:
                place = {"branch_point": group.branch_point, "outcome": group.outcome}
                name = getattr(group, kind, None) or group.group
                put(f"{kind}_observed_expected_ratio", group.figures.ratio, **place, **{kind: name})
    for delay in told.delays:
        put("outcome_delay_seconds", delay.mean_s,
            branch_point=delay.branch_point, outcome=delay.outcome)  # fmt: skip
    return found


def expected_counts(drifts: list[ModelDrift], told: Performance, site: Site) -> dict[str, Told]:
    """What the rules that the others are made of should give: counts, sums and shares."""
    found: dict[str, Told] = {}

    def put(rule: str, value: float, **labels: str) -> None:
        found.setdefault(rule, {})[frozenset(labels.items())] = value

    def bins(subject: str, labels: tuple[str, ...], counts: np.ndarray, **who: str) -> None:
        put(f"{subject}_total", counts.sum(), **who)
        for label, count in zip(labels, counts, strict=True):
            put(f"{subject}_observations", count, **who, bin=label)
            share = (count + 0.5) / (counts.sum() + 0.5 * len(counts))
            put(f"{subject}_share", share, **who, bin=label)

    for one in drifts:
        who = {"model": one.name, "version": one.version}
        bins("prediction", one.labels, one.counts, **who)
        put("predicted_variance", (one.expected_brier or 0.0) * one.answered, **who)
        reasons = sum(feature.reason or 0.0 for feature in one.features)
        for feature in one.features:
            of, reason = {**who, "feature": feature.feature}, feature.reason or 0.0
            bins("feature", feature.labels, feature.counts, **of)
            put("contribution_absolute", reason * one.answered, **of)
            put("contribution_share", reason / reasons, **of)
    for model in told.models:
        who, figures = {"model": model.model, "version": model.version}, model.figures
        put("outcomes_matured", model.matured, **who)
        put("squared_error", (figures.brier or 0.0) * figures.n, **who)
        put("outcomes_variance", (figures.brier_expected or 0.0) * figures.n, **who)
        for part in figures.curve:
            put("outcomes_expected", part.expected, **who, bin=part.bin)
            put("outcomes_observed", part.observed, **who, bin=part.bin, observed="true")
            put("outcomes_observed", part.n - part.observed, **who, bin=part.bin, observed="false")
    for kind, groups in (("unit", told.units), ("subgroup", told.subgroups)):
        for group in groups:
            place = {"branch_point": group.branch_point, "outcome": group.outcome}
            put(f"{kind}_observed", group.figures.observed, **place, **{kind: group.group})
            put(f"{kind}_expected", group.figures.expected, **place, **{kind: group.group})
    for delay in told.delays:
        place = {"branch_point": delay.branch_point, "outcome": delay.outcome}
        put("outcome_delay_reports", delay.reports, **place)
        put("outcome_delay_sum", delay.reports * delay.mean_s, **place)
    _, feedback, _ = site.recorded()
    for verdict, count in Counter(row.verdict for row in feedback).items():
        put("feedback", count, branch_point=BRANCH_POINT, verdict=verdict)
    return found


def expected_of_service(site: Site) -> dict[str, Told]:
    """What the rules about traffic and cards should give, from the ledger's rows."""
    assessments, feedback, _ = site.recorded()
    found: dict[str, Told] = {}
    asked = Counter(row.branch_point for row in assessments)
    found["assessments"] = {
        frozenset({("branch_point", name)}): float(asked[name])
        for name in site.vocabulary.branch_points
    }
    told = Counter(row.verdict for row in feedback)
    found["override_ratio"] = {
        frozenset({("branch_point", BRANCH_POINT)}): told["overridden"]
        / (told["overridden"] + told["accepted"])
    }
    return found


def hold_challenger(site: Site) -> None:
    """What the challenger would have said is what the ledger holds, but for what a kill can hide."""
    _, _, shadows = site.recorded()
    bands = site.vocabulary.branch_points[BRANCH_POINT].outcomes[OUTCOME]
    assert bands is not None
    both = [(row.prediction, row.champion_prediction) for row in shadows]
    other = sum(
        (None if one is None else bands.band(one)) != (None if two is None else bands.band(two))
        for one, two in both
    )
    assert 0.05 < other / len(both) < 0.95
    who = frozenset({("model", NAME), ("version", "3")})
    for window in WINDOWS:
        (counted,) = site.rule(f"risk:shadow_assessments:{window}").items()
        assert counted[0] == who
        assert (len(both) - OF_A_KILL) * (1 - WITHIN) <= counted[1] <= len(both) * (1 + WITHIN)
        moved = site.rule(f"risk:shadow_other_band:{window}")
        assert moved.keys() == {who}
        assert (other - OF_A_KILL) * (1 - WITHIN) <= moved[who] <= other * (1 + WITHIN)
        ratio = site.rule(f"risk:shadow_other_band_ratio:{window}")
        assert ratio == {who: pytest.approx(other / len(both), abs=OF_A_KILL / len(both))}


def hold_answers(site: Site, again: Service) -> None:
    """Statuses are what the test's own client was answered; a latency lies between ledger and client.

    Every scrape that succeeded is an answer as well. Before a series was first scraped nothing counts,
    and of a replica that starts again everything does, a word that it is not ready yet among it.
    """
    scraped = site.number("sum(sum_over_time(up[1h]))") or 0.0
    for window in WINDOWS:
        hold_responses(site, again, scraped, window)
    [ratio] = site.rule("risk:error_ratio:1h").values()
    for window in BUDGET_WINDOWS:
        if seconds(window) > time.monotonic() - site.begun:
            assert [*site.rule(f"risk:error_ratio:{window}").values()] == [
                pytest.approx(ratio, rel=REACHED_OVER)
            ]
    for window in WINDOWS:
        hold_latency(site, window)


def hold_responses(site: Site, again: Service, scraped: float, window: str) -> None:
    """Answers by status over a window, and how many of them were failures."""
    counted = {
        dict(labels)["code"]: value
        for labels, value in site.rule(f"risk:responses:{window}").items()
    }
    assert counted.keys() == set(CODES)
    assert counted["4xx"] == pytest.approx(REFUSED, rel=REACHED_OVER)
    assert (
        UNREADABLE * (1 - REACHED_OVER)
        <= counted["5xx"]
        <= (UNREADABLE + again.waited[503]) * (1 + REACHED_OVER)
    )
    told = sum(count for status, count in site.statuses.items() if 200 <= status < 300)
    good = told + again.waited[200] + scraped
    assert counted["2xx"] == pytest.approx(good, rel=REACHED_OVER)
    [ratio] = site.rule(f"risk:error_ratio:{window}").values()
    assert ratio == pytest.approx(counted["5xx"] / sum(counted.values()), rel=REACHED_OVER)


def hold_latency(site: Site, window: str) -> None:
    """An answer took no less than the ledger says, which holds it, and no more than the client waited."""
    assessments, _, _ = site.recorded()
    least = np.array([row.latency_us / 1e6 for row in assessments])
    most = np.array(site.waited_s)
    bounds = np.array([0.0, *DURATION_BUCKETS, np.inf])
    here = ("branch_point", BRANCH_POINT)
    counted = {
        float(dict(labels)["le"]): value
        for labels, value in site.rule(f"risk:assessment_duration_bucket:{window}").items()
        if here in labels
    }
    assert [*sorted(counted)] == [*bounds[1:]]
    for bound, value in counted.items():
        assert (most <= bound).sum() * (1 - WITHIN) <= value + 1e-9
        assert value <= (least <= bound).sum() * (1 + WITHIN) + 1e-9
    p95 = site.rule(f"risk:assessment_latency_p95:{window}")[frozenset({here})]
    lowest, highest = np.quantile(least, 0.95), np.quantile(most, 0.95)
    assert bounds[bounds <= lowest][-1] <= p95 <= bounds[np.searchsorted(bounds, highest)]


def hold_references(site: Site, profiles: list[ModelProfile]) -> None:
    """What both versions were fitted on, from their bundles' counts: half a row added to every bin."""
    wanted: dict[str, Told] = {}

    def put(rule: str, value: float, **labels: str) -> None:
        wanted.setdefault(rule, {})[frozenset(labels.items())] = value

    def shares(subject: str, bins: Any, **labels: str) -> None:
        counts = np.array(bins.counts, float)
        told = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
        put(f"{subject}_bins", len(bins.labels), **labels)
        for label, share in zip(bins.labels, told, strict=True):
            put(f"{subject}_reference_share", share, **labels, bin=label)

    for profile in profiles:
        who = {"model": profile.name, "version": profile.version}
        shares("prediction", profile.predictions, **who)
        reasons = profile.contributions or ()
        for feature, reason in zip(profile.features, reasons, strict=True):
            of = {**who, "feature": feature.name}
            shares("feature", feature, **of)
            put("contribution_reference_share", reason / sum(reasons), **of)
    assert len(wanted) == 5
    for rule, values in wanted.items():
        assert site.rule(f"risk:{rule}") == pytest.approx(values, rel=WITHIN)


def seconds(window: str) -> int:
    """How long a window is: a number, then m, h or d."""
    return int(window[:-1]) * {"m": 60, "h": 3600, "d": 86400}[window[-1]]


@contextmanager
def replica(folder: Path, given: dict[str, str], port: int, run: int) -> Iterator[Service]:
    with running_service(folder / "var", folder / f"log-{port}-{run}", given, port=port) as service:
        yield service


def apart(site: Site, wanted: dict[str, Told], *, or_none: bool = False) -> list[str]:
    """Rules that are not what the ledger says, within one part in a hundred.

    Parameters
    ----------
    or_none : bool
        Whether there may be other series, of which nothing was counted.
    """
    found = []
    for window in WINDOWS:
        for rule, values in wanted.items():
            name = f"risk:{rule}:{window}"
            given = site.rule(name)
            others = {one: value for one, value in given.items() if one not in values}
            if others and not (or_none and not any(others.values())):
                found.append(f"{name}: {len(given)} series of {len(values)}")
            for labels, value in values.items():
                if given.get(labels, np.nan) != pytest.approx(value, rel=WITHIN, abs=OF_NOTHING):
                    found.append(f"{name}{dict(labels)}: {given.get(labels)}, not {value}")
    return found


def test_every_rule_gives_what_the_ledger_holds(
    postgres: Postgres, vocabulary: Vocabulary, tmp_path: Path
):
    registry = Registry.at(tmp_path / "var")
    profiles = []
    for version, fit in (
        ("1", good()),
        ("2", flattened(good(), 0.8)),
        ("3", flattened(good(), 0.5)),
    ):
        at = tmp_path / f"bundle-{version}"
        registered(registry, at, version_files(fit))
        served = load_served_model(read_bundle(at), NAME, version, CHAMPION, vocabulary)
        profiles.append(served.profile)
    registry.set_alias(NAME, CHAMPION, "1")
    registry.set_alias(NAME, CHALLENGER, profiles.pop().version)
    given = {
        "RISK_DATABASE_URL": postgres.new_database(),
        "RISK_KEYS_FILE": str(tmp_path / "keys.toml"),
        "RISK_WORKERS": "2",
        "RISK_REGISTRY_POLL_S": "0.5",
        "RISK_OUTCOMES_POLL_S": "0.5",
        "RISK_BORN_AT_ZERO_S": "3",
        "RISK_CARE_UNITS": orjson.dumps(UNITS).decode(),
    }
    ports = free_port(), free_port()
    targets = [f"127.0.0.1:{port}" for port in ports]
    with (
        replica(tmp_path, given, ports[0], 1) as first,
        running_prometheus(tmp_path, targets, every="500ms") as prometheus,
    ):
        with replica(tmp_path, given, ports[1], 1) as second:
            site = Site(prometheus, [first, second], given["RISK_DATABASE_URL"], vocabulary)
            begin_and_break(site, registry)
            refuse_and_fail(site, postgres)
            # A replica that is about to end is drained: what is not scraped goes with it.
            site.replicas = [first]
            until(lambda: site.number("sum(risk_assessments_total)") == site.asked)
            until(site.shadowed)
            until(lambda: site.scraped_enough("2"))
        until(lambda: site.number("sum(up)") == 1)
        site.ask(60, older=8.0, no_albumin=True)
        with replica(tmp_path, given, ports[1], 2) as again:
            site.replicas = [first, again]
            until(lambda: site.number("sum(up)") == 2)
            site.ask(160, older=8.0, no_albumin=True)
            until(lambda: len(site.recorded()[2]) == site.asked)
            hold_equal(site, profiles)
            hold_challenger(site)
            hold_answers(site, again)
            hold_references(site, profiles)
            site.close()
        assert all(rule["health"] == "ok" for rule in prometheus.rules())
        recording = {rule["name"] for rule in prometheus.rules() if rule["type"] == "recording"}
        assert recording - site.compared == set()


def hold_equal(site: Site, profiles: list[ModelProfile]) -> None:
    """Wait until Prometheus has seen everything: then every rule is what the ledger says."""
    drifts, told = site.from_ledger(profiles)
    assert {one.version for one in drifts} == {"1", "2"}
    wanted = {**expected(drifts, told), **expected_of_service(site)}
    counts = expected_counts(drifts, told, site)
    assert (len(wanted), len(counts)) == (18, 21)
    seen: list[str] = []

    def equal() -> bool:
        seen[:] = apart(site, wanted) + apart(site, counts, or_none=True)
        return not seen

    try:
        until(equal)
    except AssertionError:
        raise AssertionError("\n".join(seen[:40])) from None
    drifted = {one.version: one for one in drifts}["2"]
    albumin = {one.feature: one for one in drifted.features}["albumin"]
    assert albumin.psi is not None
    assert albumin.psi > 0.25  # what happened to it is far more than chance


def refuse_and_fail(site: Site, postgres: Postgres) -> None:
    """Requests that nobody can answer, and some while the database hangs; of the first replica alone."""
    first = site.replicas[0]
    for _ in range(REFUSED):
        assert site.get(f"{first.url}/v1/assessments/nobody").status_code == 404
    some = f"{first.url}/v1/assessments/{site.recorded()[0][0].assessment_id}"
    postgres.freeze()
    try:
        with ThreadPoolExecutor(UNREADABLE) as pool:
            told = [reply.status_code for reply in pool.map(site.get, [some] * UNREADABLE)]
    finally:
        postgres.thaw()
    assert told == [503] * UNREADABLE


def begin_and_break(site: Site, registry: Registry) -> None:
    """From the first scrape at 0 to the second version, with a kill and a gap between."""
    until(lambda: site.number("count(count by (instance) (risk_model_assessments_total))") == 2)
    until(lambda: site.number("count(count by (instance) (risk_outcomes_total))") == 2)
    until(
        lambda: all(
            one["begun"]
            for service in site.replicas
            for one in site.get(f"{service.url}/readyz").json()["challengers"] or [{"begun": False}]
        )
    )
    first, second = site.replicas
    site.ask(150)
    first.workers()[0].kill()
    site.ask(90)
    frozen = [psutil.Process(second.process.pid)]
    frozen += frozen[0].children(recursive=True)
    for process in frozen:
        process.suspend()
    until(lambda: site.number("min(up)") == 0)
    for process in frozen:
        process.resume()
    until(lambda: site.number("min(up)") == 1)
    site.ask(60)
    until(lambda: site.scraped_enough("1"))
    registry.set_alias(NAME, CHAMPION, "2")
    until(
        lambda: all(
            worker["models"].get(NAME) == "2"
            for one in site.replicas
            for worker in site.get(f"{one.url}/readyz").json()["workers"]
        )
    )
    until(
        lambda: (
            site.number('count(count by (instance) (risk_model_assessments_total{version="2"}))')
            == 2
        )
    )
    until(lambda: site.number('count(count by (instance) (risk_outcomes_total{version="2"}))') == 2)
    site.ask(60, older=8.0, no_albumin=True)
