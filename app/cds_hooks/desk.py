"""All that calls are answered with: put together once, from content that is checked at the start."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from app.cds_hooks.agreement import Agreement
from app.cds_hooks.cards import CardMaker
from app.cds_hooks.discovery import CdsService, services
from app.cds_hooks.fhir_server import FhirServers, Limits
from app.cds_hooks.hooks import load_hooks
from app.cds_hooks.wording import OverrideReason, Words, load_override_reasons, load_wording
from models.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Desk:
    """Services, texts, and the way to callers' FHIR servers."""

    vocabulary: Vocabulary
    services: Mapping[str, CdsService]
    wording: Mapping[str, Words]
    reasons: tuple[OverrideReason, ...]
    servers: FhirServers
    explains: bool

    def card_maker(self, service: CdsService, language: str, agreement: Agreement) -> CardMaker:
        """Who writes the card of a call."""
        words = self.wording[language]
        return CardMaker(
            service.point, self.vocabulary, words, self.reasons, agreement, self.explains
        )


def open_desk(
    vocabulary: Vocabulary,
    recorded: Mapping[str, Collection[str]],
    answered: Mapping[str, Collection[str]],
    limits: Limits,
    *,
    explains: bool = False,
) -> Desk:
    """Load and check everything; close `servers` in the end.

    Parameters
    ----------
    recorded : mapping
        Kind of record to the features that it can tell, as the reader of charts has it.
    answered : mapping
        Feature to the codes of answers that tell it, as the reader of charts has it.
    explains : bool
        Whether the service has a page for every answer, to which cards can lead.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    return Desk(
        vocabulary,
        services(vocabulary, load_hooks(), recorded, answered),
        load_wording(),
        load_override_reasons(),
        FhirServers(limits),
        explains,
    )
