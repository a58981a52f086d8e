"""The simulated year itself: every hour patients come, every six hours outcomes.

An answer about long ago matures at once, so its outcome is reported within hours of simulated time: a
delay of reporting is none of the drill's, and comes on top where there is one. After every round of
reports the drill waits until the service has counted them, on its own and in another process.
"""

from __future__ import annotations

import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from monitoring.drill.asked import Answer, AskedService, Report, ServiceFailed, Verdict
from monitoring.drill.events import Change, Event, Promotion
from monitoring.drill.patients import Arrivals, Patient, arriving
from monitoring.drill.scrapes import Scrapes
from monitoring.drill.store import Store

DAY_H, HOUR_S = 24, 3600
WRITTEN_EVERY_H = 10 * DAY_H
REPORTED_EVERY_H = 6
MINUTES_S = 120
OVERRIDDEN = 0.3
"""Of the cards of which something is said."""
AS_SCRAPED = (("instance", "drill"), ("job", "risk"))
Unit = tuple[str, str, str]
"""Branch point, outcome, care unit."""
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Replayed:
    """What was sent.

    Attributes
    ----------
    patients_until : list of int
        Patients before each hour; one more than there are hours.
    of_units : mapping of str to list of int
        The same of every care unit.
    refused : int
        Patients whom the service did not assess.
    risks : mapping of Unit to array
        Predicted probabilities of patients who came while no event was on.
    """

    patients_until: list[int] = field(default_factory=lambda: [0])
    of_units: dict[str, list[int]] = field(default_factory=dict)
    refused: int = 0
    reports: int = 0
    risks: defaultdict[Unit, array[float]] = field(
        default_factory=lambda: defaultdict(lambda: array("d"))
    )

    def came(self, hour: int, patients: Sequence[Patient]) -> None:
        """Count the patients of an hour."""
        self.patients_until.append(self.patients_until[-1] + len(patients))
        for patient in patients:
            if patient.unit is not None:
                self.of_units.setdefault(patient.unit, [0] * (hour + 1))
        for unit, counts in self.of_units.items():
            counts.append(counts[-1] + sum(one.unit == unit for one in patients))


@dataclass(frozen=True, slots=True)
class Plan:
    """How a year is simulated.

    Attributes
    ----------
    begin_s : int
        Seconds since 1970 of its first hour.
    true_risks : bool
        Whether outcomes are drawn from the answered probabilities, so that every risk is true, and not
        taken from the rows.
    feedback : float
        Share of the answers of which it is said what became of their card.
    """

    begin_s: int
    days: int
    per_day: int
    events: Sequence[Event]
    true_risks: bool = False
    feedback: float = 0.0
    seed: int = 2026


def replay(
    plan: Plan,
    arrivals: Arrivals,
    service: AskedService,
    store: Store,
    promote: Callable[[], None] | None,
    progress: Progress,
) -> Replayed:
    """Send a simulated year and keep what is scraped, at the end of every hour, in the store.

    Raises
    ------
    ServiceFailed, StoreFailed
        When one of both does not do its part.
    """
    done, scrapes = Replayed(), Scrapes(AS_SCRAPED)
    # Two sources of chance: what is said of cards must not change what becomes of patients.
    rng, of_cards = np.random.default_rng(plan.seed), np.random.default_rng([plan.seed, 1])
    reports: list[Report] = []
    verdicts: list[Verdict] = []
    scrapes.add(service.scrape(), plan.begin_s, time.time())
    hours = plan.days * DAY_H
    for hour in range(hours):
        changes = [event.change for event in plan.events if event.is_on(hour)]
        if promote and any(
            isinstance(event.change, Promotion) and event.begins_h == hour for event in plan.events
        ):
            promote()
        patients = [_arriving(arrivals, changes) for _ in range(arriving(plan.per_day, hour))]
        at_s = plan.begin_s + hour * HOUR_S
        for patient, answer in zip(patients, service.ask(patients, at_s), strict=True):
            if answer is None:
                done.refused += 1
                continue
            _remember(done, patient, answer, quiet=not changes)
            reports += _became(patient, answer, changes, plan, rng)
            if of_cards.random() < plan.feedback:
                accepted = bool(of_cards.random() >= OVERRIDDEN)
                verdicts.append(Verdict(patient.branch_point, answer.assessment_id, accepted))
        done.came(hour, patients)
        if done.refused and done.refused == done.patients_until[-1]:
            raise ServiceFailed("the service refused every patient: do the rows fit its models?")
        if hour == hours - 1:
            # Two scrapes close together: whoever looks at the end sees windows of minutes as well.
            scrapes.add(service.scrape(), at_s + HOUR_S - MINUTES_S, time.time())
        if hour % REPORTED_EVERY_H == REPORTED_EVERY_H - 1:
            service.report(reports)
            done.reports += len(reports)
            service.say_of_cards(verdicts)
            reports.clear()
            verdicts.clear()
        scrapes.add(service.scrape(), at_s + HOUR_S, time.time())
        if hour % WRITTEN_EVERY_H == WRITTEN_EVERY_H - 1 or hour == hours - 1:
            store.write(scrapes.take())
        progress(hour + 1, hours)
    return done


def _arriving(arrivals: Arrivals, changes: Sequence[Change]) -> Patient:
    draw = arrivals.next
    for change in changes:
        draw = _chosen_by(change, draw)
    patient = draw()
    for change in changes:
        patient = change.recorded(patient)
    return patient


def _chosen_by(change: Change, draw: Callable[[], Patient]) -> Callable[[], Patient]:
    return lambda: change.choose(draw)


def _remember(done: Replayed, patient: Patient, answer: Answer, *, quiet: bool) -> None:
    if quiet and patient.unit is not None:
        for outcome, p in answer.probabilities.items():
            if outcome in patient.labels:
                done.risks[patient.branch_point, outcome, patient.unit].append(p)


def _became(
    patient: Patient,
    answer: Answer,
    changes: Sequence[Change],
    plan: Plan,
    rng: np.random.Generator,
) -> list[Report]:
    found = []
    for outcome, p in answer.probabilities.items():
        if outcome not in patient.labels:
            continue
        event = bool(rng.random() < p) if plan.true_risks else patient.labels[outcome]
        for change in changes:
            event = change.happened(patient, p, event, rng)
        found.append(Report(answer.assessment_id, outcome, event))
    return found
