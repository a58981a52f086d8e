"""One run: every group in turn, and what one of them learns is handed to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from app.check_integration.checks.calls import check_calls
from app.check_integration.checks.cards import check_cards
from app.check_integration.checks.discovery import check_discovery
from app.check_integration.checks.doors import check_doors, check_echoes
from app.check_integration.checks.feedback import check_feedback
from app.check_integration.checks.reachable import check_reachable
from app.check_integration.checks.speed import check_speed
from app.check_integration.checks.tokens import check_tokens
from app.check_integration.credential import Credential, Nobody
from app.check_integration.dictionary import Dictionary, read_dictionary
from app.check_integration.door import Canaries, Door, NoAnswer
from app.check_integration.ehr import Given, Service, Visit
from app.check_integration.fhir_server import FhirStore, serve
from app.check_integration.findings import Finding, Notes, Report
from app.check_integration.invented_patient import invent

Found = TypeVar("Found")
NOTHING_PUBLISHED = Dictionary({}, {}, {})
NO_SERVICES: tuple[Service, ...] = ()
NOTHING_GIVEN: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be checked, and as whom.

    Attributes
    ----------
    fhir_server_port : int
        Where the EHR's FHIR server listens on 127.0.0.1; 0 takes a free port.
    origin : str or None
        Of the EHR's pages, when they call from a browser.
    calls : int
        How many calls are timed.
    """

    url: str
    credential: Credential = field(default_factory=Nobody)
    fhir_server_port: int = 0
    origin: str | None = None
    calls: int = 50


def check_integration(plan: Plan, progress: Callable[[str], None] = lambda _: None) -> Report:
    """Play the EHR against a running service, and report.

    Assessments of an invented patient are written into the ledger of that service.

    Parameters
    ----------
    progress : callable
        Is told the name of each group before it begins.

    Raises
    ------
    PortTaken
        When the EHR's FHIR server cannot listen.
    """
    door = Door(plan.url, plan.credential, Canaries())
    rows: list[Finding] = []

    def group(name: str, check: Callable[[Notes], Found], otherwise: Found) -> Found:
        progress(name)
        notes = Notes(name)
        try:
            return check(notes)
        except NoAnswer as error:
            notes.judge("answer", "a request", "an answer", [str(error)], "")
            return otherwise
        finally:
            rows.extend(notes.rows)

    store = FhirStore(door.canaries.token)
    try:
        with serve(store, plan.fhir_server_port):
            standing = group("Reachable", lambda notes: check_reachable(door, notes), None)
            if standing is None:
                return Report(plan.url, tuple(rows))
            services = group(
                "Discovery", lambda notes: check_discovery(door, notes, plan.origin), NO_SERVICES
            )
            published = group(
                "Dictionary", lambda notes: _dictionary(door, notes), NOTHING_PUBLISHED
            )
            visits = _visits(services, published, store, door)
            given = group(
                "Every service",
                lambda notes: check_calls(door, visits, published.champions, notes),
                NOTHING_GIVEN,
            )
            group("Every card", lambda notes: check_cards(given, notes), None)
            group("Tokens", lambda notes: check_tokens(door, visits, standing, notes), None)
            group("Feedback", lambda notes: check_feedback(door, given, notes), None)
            group("REST and FHIR", lambda notes: check_doors(door, given, notes), None)
            group("Time", lambda notes: check_speed(door, given, plan.calls, notes), None)
            group("Privacy", lambda notes: check_echoes(door, notes), None)
    finally:
        door.close()
    return Report(plan.url, tuple(rows))


def _dictionary(door: Door, notes: Notes) -> Dictionary:
    asked = "GET /v1/features, /v1/branch-points, /v1/models"
    expected = "what the invented patient is made of"
    found = read_dictionary(door)
    if isinstance(found, str):
        notes.skip("dictionary.read", asked, expected, f"{found}; calls carry no values")
        return NOTHING_PUBLISHED
    faults = [] if found.features and found.points else ["no features or no branch points"]
    told = f"{len(found.features)} features, {len(found.points)} branch points"
    notes.judge("dictionary.read", asked, expected, faults, told)
    return found


def _visits(
    services: tuple[Service, ...], published: Dictionary, store: FhirStore, door: Door
) -> tuple[Visit, ...]:
    """A patient for each service, all of them in the EHR's one store."""
    now = datetime.now(UTC).replace(microsecond=0)
    made = []
    for number, service in enumerate(services, start=1):
        patient = invent(
            published,
            service.id,
            number,
            name=door.canaries.name,
            carries=service.carries,
            index_time=now,
        )
        store.resources += patient.resources
        made.append(Visit(service, patient, store))
    return tuple(made)
