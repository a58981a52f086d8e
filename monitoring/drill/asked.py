"""The service under drill, from outside: it is asked, told outcomes, and scraped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from monitoring.drill.patients import Patient, request_at

PATIENCE_S = 60.0
REPORTS_AT_ONCE = 8
CARDS_AT_ONCE = 50
OBSERVED = "risk_feature_observations_total{"
LOOKING_EVERY_S = 0.02
READ_AT = "risk_outcomes_read_timestamp_seconds"


class ServiceFailed(Exception):
    """The service did not do what a drill needs; the message says what, and holds no patient's data."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered.

    Attributes
    ----------
    probabilities : mapping of str to float
        Of binary outcomes that were answered.
    """

    assessment_id: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a patient, to be reported."""

    assessment_id: str
    outcome: str
    value: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody did with a card."""

    branch_point: str
    assessment_id: str
    accepted: bool


class AskedService:
    """A running service.

    Parameters
    ----------
    outcomes : tuple of str
        That are asked for; empty: all that it has.
    """

    def __init__(self, url: str, api_key: str | None, outcomes: tuple[str, ...]) -> None:
        headers = {} if api_key is None else {"X-API-Key": api_key}
        try:
            self._client = httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_S)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise ServiceFailed("--url is no address of a service") from None
        self._outcomes = outcomes
        self._reporters = ThreadPoolExecutor(REPORTS_AT_ONCE)

    def ask(self, patients: Sequence[Patient], at_s: int) -> list[Answer | None]:
        """Assess patients whose index time is `at_s`, seconds since 1970; None where one was refused."""
        found: list[Answer | None] = [None] * len(patients)
        now = datetime.fromtimestamp(at_s, UTC)
        for point in dict.fromkeys(one.branch_point for one in patients):
            numbers = [n for n, one in enumerate(patients) if one.branch_point == point]
            lines = [orjson.dumps(request_at(patients[n], now, self._outcomes)) for n in numbers]
            told = self._send(
                f"/v1/branch-points/{point}/assessments:batch",
                b"\n".join(lines) + b"\n",
                "application/x-ndjson",
            )
            for n, line in zip(numbers, told.content.splitlines(), strict=False):
                found[n] = _answer(orjson.loads(line))
        return found

    def report(self, reports: Sequence[Report]) -> None:
        """Tell what happened; returns when all of it is recorded and counted.

        Reports say that the observation was made just now: in simulated time nobody was late.
        """
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        list(self._reporters.map(lambda one: self._report(one, now), reports))
        self._until_counted()

    def say_of_cards(self, verdicts: Sequence[Verdict]) -> None:
        """Tell what became of cards, as an EHR does."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for point in dict.fromkeys(one.branch_point for one in verdicts):
            told = [_feedback(one, now) for one in verdicts if one.branch_point == point]
            for first in range(0, len(told), CARDS_AT_ONCE):
                body = orjson.dumps({"feedback": told[first : first + CARDS_AT_ONCE]})
                self._send(f"/cds-services/{point}/feedback", body, "application/json")

    def features(self) -> frozenset[str]:
        """What its models read, from its own series."""
        lines = self.scrape().splitlines()
        return frozenset(_label(line, "feature") for line in lines if line.startswith(OBSERVED))

    def scrape(self) -> str:
        """The exposition as it is now."""
        return self._send("/metrics").text

    def versions(self) -> set[tuple[str, str, str]]:
        """Name, version and alias of what it serves, from its own series."""
        lines = (line for line in self.scrape().splitlines() if line.startswith("risk_model_info{"))
        return {
            tuple(_label(line, name) for name in ("model", "version", "alias"))  # type: ignore[misc]
            for line in lines
            if float(line.rpartition(" ")[2]) > 0
        }

    def close(self) -> None:
        """Let go of connections and threads."""
        self._reporters.shutdown()
        self._client.close()

    def _until_counted(self) -> None:
        told_s = time.time()
        deadline = time.monotonic() + PATIENCE_S
        while (read_s := _read_at(self.scrape())) is None or read_s <= told_s:
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"the service did not read its outcomes within {PATIENCE_S:.0f} s ({READ_AT})"
                )
            time.sleep(LOOKING_EVERY_S)

    def _report(self, one: Report, observed_at: str) -> None:
        body = {"assessment_id": one.assessment_id, "outcome": one.outcome,
                "value": one.value, "observed_at": observed_at}  # fmt: skip
        self._send("/v1/outcomes", orjson.dumps(body), "application/json")

    def _send(self, path: str, body: bytes | None = None, kind: str = "") -> httpx.Response:
        try:
            if body is None:
                told = self._client.get(path)
            else:
                told = self._client.post(path, content=body, headers={"Content-Type": kind})
        except httpx.HTTPError:
            raise ServiceFailed(f"the service did not answer at {path}") from None
        if told.is_error:
            raise ServiceFailed(f"the service answered {told.status_code} at {path}")
        return told


def _feedback(one: Verdict, at: str) -> dict[str, Any]:
    card: dict[str, Any] = {"card": one.assessment_id, "outcomeTimestamp": at}
    if one.accepted:
        return card | {"outcome": "accepted", "acceptedSuggestions": [{"id": "none"}]}
    return card | {"outcome": "overridden", "overrideReason": {"reason": {"code": "not-now"}}}


def _answer(told: Mapping[str, Any]) -> Answer | None:
    if "assessment_id" not in told:
        return None
    answered = {
        one["outcome"]: float(one["probability"])
        for one in told["outcomes"]
        if one["status"] == "answered" and one.get("kind") == "binary"
    }
    return Answer(str(told["assessment_id"]), answered)


def _read_at(exposition: str) -> float | None:
    values = [
        float(line.rpartition(" ")[2])
        for line in exposition.splitlines()
        if line.startswith(READ_AT)
    ]
    return min(values, default=None)


def _label(line: str, name: str) -> str:
    return line.partition(f'{name}="')[2].partition('"')[0]
