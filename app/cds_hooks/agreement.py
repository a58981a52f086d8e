"""What is agreed with one tenant about CDS Hooks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a tenant's calls are answered; the default for who has agreed on nothing.

    Attributes
    ----------
    language : {"en", "sv"} or None
        Of the cards; None leaves it to the client's `Accept-Language`.
    base_url : str or None
        How people reach this service: links are made of it, and left out without it.
    fhir_servers : frozenset of str
        Base URLs that a call may name as its `fhirServer`.
    patient_references : bool
        Whether suggested resources name the patient by the FHIR id that was sent.
    system_actions : bool
        Whether an answer also creates a RiskAssessment; needs `patient_references`.
    """

    language: str | None = None
    base_url: str | None = None
    fhir_servers: frozenset[str] = frozenset()
    patient_references: bool = False
    system_actions: bool = False


NOTHING_AGREED = Agreement()
