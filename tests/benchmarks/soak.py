"""Load at eight connections while aliases are promoted, rolled back, broken, and MLflow comes and goes.

    make soak                                       # ten minutes, 36 events
    python -m tests.benchmarks.soak --seconds 120 --events 12

What must hold: no request fails; no answer mixes two versions (each version gives the patient another
probability, so that every answer tells which model it came from); every answer's version was the
champion when it was asked, give or take the time to follow; every worker follows within its interval.
Prints every event with its verdict; the exit code is 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table

from models.registry import CHAMPION, Registry
from tests.lib import versions
from tests.lib.mlflow_server import MlflowServer, running_mlflow
from tests.lib.service import running_service
from tests.lib.versions import NAME, Publisher, without_trace

ICU = "/v1/branch-points/icu-review/assessments"
CONNECTIONS = 8
RECONNECT_AFTER = 100
"""Requests on one connection: the kernel hands the next connection to either worker."""
TOLERANCE = 1e-9
START_PATIENCE_S = 180.0
SETTINGS = {
    "RISK_WORKERS": "2",
    "RISK_REGISTRY_TIMEOUT_S": "5",
    "RISK_LOG_LEVEL": "warning",
}
PROGRAMME = (
    "promote", "corrupt artifact", "promote", "missing file", "wrong feature", "roll back",
    "ten times slower", "registry killed", "promote", "registry hangs", "roll back", "refresh",
)  # fmt: skip
BAD: dict[str, Callable[[Publisher], str]] = {
    "corrupt artifact": lambda p: p.publish(versions.good(90), versions.corrupt),
    "missing file": lambda p: p.publish(versions.good(91), versions.lose_a_file),
    "wrong feature": lambda p: p.publish(versions.wrong_feature(92)),
    "ten times slower": lambda p: p.publish(versions.slow(93)),
}
GOOD = 5


@dataclass(frozen=True)
class Answer:
    """One answer: when it was asked for and came, and which version it says it is."""

    sent: float
    received: float
    version: str
    digest: str
    probability: float


@dataclass
class Event:
    """What was done to the registry, and how the workers took it."""

    what: str
    version: str = ""
    took_s: float = 0.0
    verdict: str = ""
    held: bool = True


@dataclass
class Report:
    """What the soak found."""

    events: list[Event]
    seconds: float
    statuses: Counter[str]
    failures: list[str]
    mixed: list[str]
    untimely: list[str]
    durations_s: list[float]

    @property
    def held(self) -> bool:
        wrong = self.failures or self.mixed or self.untimely
        return not wrong and all(event.held for event in self.events) and bool(self.durations_s)

    def quantile_ms(self, q: float) -> float:
        ordered = sorted(self.durations_s)
        return 1000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))]


@dataclass
class Load:
    """Clients that ask for the same patient until they are told to stop."""

    url: str
    body: bytes
    pause_s: float
    answers: list[Answer] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        address = urlsplit(self.url)
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(
                address.hostname or "", address.port, timeout=30
            )
            try:
                for _ in range(RECONNECT_AFTER):
                    self._ask(connection)
                    if self._stop.wait(self.pause_s):
                        break
            except (OSError, http.client.HTTPException) as error:
                self.statuses["broken"] += 1
                self.failures.append(f"connection: {type(error).__name__}")
            finally:
                connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        sent = time.monotonic()
        connection.request("POST", ICU, self.body)
        response = connection.getresponse()
        content = response.read()
        received = time.monotonic()
        self.statuses[str(response.status)] += 1
        if response.status != 200:
            self.failures.append(f"{response.status}: {content[:200]!r}")
            return
        [outcome] = json.loads(content)["outcomes"]
        if outcome["status"] != "answered":
            self.failures.append(f"{outcome['status']}: {outcome.get('reason')}")
            return
        model = outcome["model"]
        self.answers.append(
            Answer(sent, received, model["version"], model["digest"], outcome["probability"])
        )


@contextmanager
def loaded(load: Load, connections: int) -> Iterator[None]:
    threads = [threading.Thread(target=load.run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        load._stop.set()
        for thread in threads:
            thread.join(timeout=60)


class Soak:
    """A registry, its versions, and a service that follows while it is asked.

    Parameters
    ----------
    interval_s : float
        The service's interval.
    grace_s : float
        What loading and a busy machine may add to it.
    """

    def __init__(
        self, server: MlflowServer, publisher: Publisher, interval_s: float, grace_s: float
    ) -> None:
        self._server = server
        self._publisher = publisher
        self._limit_s = interval_s + grace_s
        self._url = ""
        self.events: list[Event] = []
        self.numbers: dict[str, int] = {}
        self.digests: dict[str, str | None] = {}
        self._bad: dict[str, str] = {}
        self._spans: list[tuple[str, float]] = []

    def register(self) -> None:
        """Register every version beforehand; the first one is champion."""
        for number in range(1, GOOD + 1):
            version = self._publisher.publish(versions.good(number))
            self.numbers[version] = number
            self.digests[version] = self._publisher.registry.version(NAME, version).digest
        for what, publish in BAD.items():
            self._bad[what] = publish(self._publisher)
        first = next(iter(self.numbers))
        self._publisher.registry.set_alias(NAME, CHAMPION, first)
        self._spans.append((first, time.monotonic()))

    def run(self, url: str, seconds: float, events: int, pause_s: float) -> Report:
        """Ask while the programme of events goes round."""
        self._url = url
        ready = self._until(
            lambda ws: all(NAME in w["models"] and not w["serving_from_cache"] for w in ws),
            START_PATIENCE_S,
        )
        assert ready is not None, "the workers never served the first champion"
        sent = {
            "index_time": "2026-11-21T12:00:00Z",
            "outcomes": ["death_180d"],
            "measurements": versions.patient(),
        }
        load = Load(url, json.dumps(sent).encode(), pause_s)
        start, pause = time.monotonic(), threading.Event()
        with loaded(load, CONNECTIONS):
            for number, what in enumerate(islice(cycle(PROGRAMME), events)):
                pause.wait(max(0.0, start + seconds * number / events - time.monotonic()))
                self.events.append(self._do(what))
            pause.wait(max(0.0, start + seconds - time.monotonic()))
        return self._judge(load, time.monotonic() - start)

    def _do(self, what: str) -> Event:
        if what in BAD:
            return self._break(what)
        if what == "registry killed":
            return self._away(what, self._server.kill, self._server.start)
        if what == "registry hangs":
            return self._away(what, self._server.freeze, self._server.thaw)
        good = list(self.numbers)
        now = good.index(self._spans[-1][0])
        version = good[(now - 1 if what == "roll back" else now + 1) % len(good)]
        return self._promote(what, version)

    def _promote(self, what: str, version: str) -> Event:
        # Whoever is quick may serve it before this call is back.
        self._spans.append((version, time.monotonic()))
        self._publisher.registry.set_alias(NAME, CHAMPION, version)
        if what == "refresh":
            httpx.post(f"{self._url}/v1/models:refresh", timeout=30).raise_for_status()
        took = self._until(lambda ws: all(w["models"].get(NAME) == version for w in ws))
        return self._followed(Event(what, version), took, "every worker serves it")

    def _break(self, what: str) -> Event:
        version, serving = self._bad[what], self._spans[-1][0]
        self._publisher.registry.set_alias(NAME, CHAMPION, version)
        took = self._until(
            lambda ws: all(
                w["refused"].get(NAME) == version and w["models"].get(NAME) == serving for w in ws
            )
        )
        return self._followed(
            Event(what, version), took, "every worker refuses it and serves the one before"
        )

    def _away(self, what: str, go: Callable[[], None], come_back: Callable[[], None]) -> Event:
        """A broken alias is mended first: a copy that the registry cannot give needs none."""
        serving = self._spans[-1][0]
        self._publisher.registry.set_alias(NAME, CHAMPION, serving)
        self._until(lambda ws: all(not w["refused"] for w in ws))
        go()
        patience_s = self._limit_s + 2 * float(SETTINGS["RISK_REGISTRY_TIMEOUT_S"])
        noticed = self._until(lambda ws: all(w["serving_from_cache"] for w in ws), patience_s)
        come_back()
        # A look that began before the return may have to run into its timeout first.
        took = self._until(lambda ws: all(not w["serving_from_cache"] for w in ws), patience_s)
        event = Event(what, took_s=took or 0.0)
        event.held = noticed is not None and took is not None
        event.verdict = (
            "served from the cache, then followed again" if event.held else "DID NOT FOLLOW AGAIN"
        )
        return event

    def _followed(self, event: Event, took: float | None, verdict: str) -> Event:
        event.held, event.took_s = took is not None, took or 0.0
        event.verdict = verdict if event.held else f"NOT WITHIN {self._limit_s:g} s"
        return event

    def _until(
        self, holds: Callable[[list[dict[str, Any]]], bool], limit_s: float | None = None
    ) -> float | None:
        """Seconds until it held for both workers; None when it did not within the limit."""
        start = time.monotonic()
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while True:
                workers = client.get("/readyz").json()["workers"]
                now = time.monotonic() - start
                if len(workers) == int(SETTINGS["RISK_WORKERS"]) and holds(workers):
                    return now
                if now > (limit_s or self._limit_s):
                    return None
                time.sleep(0.05)

    def _judge(self, load: Load, seconds: float) -> Report:
        mixed, untimely = [], []
        for answer in load.answers:
            number = self.numbers.get(answer.version)
            if number is None or answer.digest != self.digests[answer.version]:
                mixed.append(f"version {answer.version} with another digest")
            elif abs(answer.probability - versions.probability_of(number)) > TOLERANCE:
                mixed.append(f"version {answer.version} with another version's probability")
            elif not self._was_champion(answer):
                untimely.append(f"version {answer.version}")
        durations = [answer.received - answer.sent for answer in load.answers]
        return Report(
            self.events, seconds, load.statuses, load.failures, mixed, untimely, durations
        )

    def _was_champion(self, answer: Answer) -> bool:
        ends = [since for _, since in self._spans[1:]] + [float("inf")]
        return any(
            version == answer.version
            and answer.received >= since
            and answer.sent <= until + self._limit_s
            for (version, since), until in zip(self._spans, ends, strict=True)
        )


def soak(
    server: MlflowServer, folder: Path, *, seconds: float, events: int, interval_s: float,
    grace_s: float, pause_s: float,
) -> Report:  # fmt: skip
    """Register the versions, start the service, and run the programme."""
    publisher = Publisher(Registry(server.url), server.artifacts, folder)
    run = Soak(server, publisher, interval_s, grace_s)
    run.register()
    settings = {
        **SETTINGS,
        "RISK_ANSWER_BUDGET_MS": versions.telling_budget_ms(),
        "MLFLOW_TRACKING_URI": server.url,
        "RISK_REGISTRY_POLL_S": str(interval_s),
    }
    with running_service(folder / "var", folder / "log", settings, until=None) as service:
        return run.run(service.url, seconds, events, pause_s)


def show(report: Report, interval_s: float, console: Console) -> None:
    """Every event with its verdict, then what the clients saw."""
    table = Table("event", "version", "seconds", "verdict", title="What was done to the registry")
    for event in report.events:
        table.add_row(
            event.what, event.version, f"{event.took_s:.2f}",
            event.verdict, style=None if event.held else "red",
        )  # fmt: skip
    console.print(table)
    refused = max((e.took_s for e in report.events if e.what in BAD), default=0.0)
    served = max((e.took_s for e in report.events if e.version and e.what not in BAD), default=0.0)
    seen = Table("what", "found", title=f"{report.seconds:.0f} s at {CONNECTIONS} connections")
    rows = {
        "events": str(len(report.events)),
        "events that did not go as they must": str(sum(not e.held for e in report.events)),
        "answers": f"{len(report.durations_s)} ({len(report.durations_s) / report.seconds:.0f}/s)",
        "by status": ", ".join(f"{s}: {n}" for s, n in sorted(report.statuses.items())),
        "requests that failed": str(len(report.failures)),
        "answers that mix versions": str(len(report.mixed)),
        "answers of a version that was not champion then": str(len(report.untimely)),
        "slowest to be served everywhere (interval)": f"{served:.2f} s ({interval_s:g} s)",
        "slowest to be refused everywhere": f"{refused:.2f} s",
        "p50, p99, worst answer": ", ".join(
            f"{report.quantile_ms(q):.1f} ms" for q in (0.5, 0.99, 1.0)
        ),
    }
    for what, found in rows.items():
        seen.add_row(what, found)
    console.print(seen)
    for wrong in (report.failures + report.mixed + report.untimely)[:10]:
        console.print(wrong, markup=False)
    console.print("held" if report.held else "DID NOT HOLD")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--events", type=int, default=36)
    parser.add_argument("--interval", type=float, default=2.0, help="the service's, in seconds")
    parser.add_argument("--grace", type=float, default=2.0, help="seconds beside the interval")
    parser.add_argument("--pause", type=float, default=0.04, help="between a client's requests")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="risk-soak-") as folder,
        without_trace(),
        running_mlflow(Path(folder) / "mlflow") as server,
    ):
        report = soak(
            server, Path(folder), seconds=given.seconds, events=given.events,
            interval_s=given.interval, grace_s=given.grace, pause_s=given.pause,
        )  # fmt: skip
    show(report, given.interval, Console())
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
