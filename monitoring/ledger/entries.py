"""What can be recorded: each entry knows its row, and what must be looked up before it is written.

An entry is applied inside the one open page of the ledger, so that what it looks up cannot change
before it is written. Entries travel to the process that writes as plain tuples (`to_plain`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, ClassVar, Protocol

from sqlalchemy import ColumnElement, and_, delete, insert, select

from monitoring.ledger.identifiers import month_of_identifier
from monitoring.ledger.links import linked
from monitoring.ledger.page import Page
from monitoring.ledger.tables import (
    ACCESSES,
    ASSESSMENTS,
    EVENTS,
    FEEDBACK,
    LINKS,
    OUTCOMES,
    SHADOWS,
    TOKEN_USES,
)

NEW, SAME, CORRECTED, CONTRADICTS, UNKNOWN, UNLINKED = (
    "new", "same", "corrected", "contradicts", "unknown_assessment", "unlinked",
)  # fmt: skip
"""What came of an outcome: recorded; known already; recorded over an earlier one; refused because it
contradicts; refused because no such assessment; recorded though no assessment of the subject is."""

SHADOW_ROW = (
    "assessment_id", "assessment_seq", "tenant", "status", "prediction", "champion_digest",
    "champion_prediction",
)  # fmt: skip


class Entry(Protocol):
    """Something that is applied to an open page."""

    kind: ClassVar[str]

    def apply(self, page: Page) -> Any:
        """Add rows; what is returned reaches who submitted the entry, once it is durable."""


@dataclass(frozen=True, slots=True)
class Access:
    """A sealed line of the access log: the ledger keeps it and cannot read it."""

    kind: ClassVar[str] = "access"

    recorded_at_us: int
    subject_id: str | None
    key_version: int
    sealed: bytes = field(repr=False)

    def apply(self, page: Page) -> None:
        page.add(
            ACCESSES,
            self.recorded_at_us,
            {
                "subject_id": self.subject_id,
                "key_version": self.key_version,
                "sealed": self.sealed,
            },
        )


@dataclass(frozen=True, slots=True)
class Assessment:
    """An answer as it was given, with what it was made from, after de-identification.

    Attributes
    ----------
    answer : bytes
        JSON in UTF-8, the very bytes that are sent: an answer is large and not copied on its way.
    """

    kind: ClassVar[str] = "assessment"

    recorded_at_us: int
    assessment_id: str
    tenant: str
    branch_point: str
    unit: str | None
    subject_id: str | None
    episode_id: str | None
    protected: bool
    index_time_us: int
    inputs: str = field(repr=False)
    answer: bytes = field(repr=False)
    models: str
    policy: str
    latency_us: int

    def apply(self, page: Page) -> None:
        page.add(
            ASSESSMENTS,
            self.recorded_at_us,
            {
                "assessment_id": self.assessment_id,
                "tenant": self.tenant,
                "branch_point": self.branch_point,
                "unit": self.unit,
                "subject_id": self.subject_id,
                "episode_id": self.episode_id,
                "protected": self.protected,
                "index_time_us": self.index_time_us,
                "inputs": self.inputs,
                "answer": self.answer.decode(),
                "models": self.models,
                "policy": self.policy,
                "latency_us": self.latency_us,
            },
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to a patient.

    Attributes
    ----------
    assessment_id : str or None
        Names one assessment; otherwise subject and episode say whose outcome it is.
    subject_ids, episode_ids : tuple of str
        Pseudonyms under every key version, newest first; the newest is stored.
    """

    kind: ClassVar[str] = "outcome"

    recorded_at_us: int
    tenant: str
    outcome: str
    value: float
    observed_at_us: int
    assessment_id: str | None = None
    subject_ids: tuple[str, ...] = ()
    episode_ids: tuple[str, ...] = ()
    correction: bool = False

    def apply(self, page: Page) -> str:
        # As both databases give it back: a fraction, and no negative zero.
        value = float(self.value) + 0.0
        subject_id = self.subject_ids[0] if self.subject_ids else None
        episode_id = self.episode_ids[0] if self.episode_ids else None
        known = True
        if self.assessment_id is not None:
            if month_of_identifier(self.assessment_id) is None:
                return UNKNOWN  # a database would write what it is asked for into its own log
            found = page.ask(
                select(ASSESSMENTS.c.subject_id, ASSESSMENTS.c.episode_id).where(
                    ASSESSMENTS.c.assessment_id == self.assessment_id,
                    ASSESSMENTS.c.tenant == self.tenant,
                )
            ).first()
            if found is None:
                return UNKNOWN
            subject_id, episode_id = found.subject_id, found.episode_id
        else:
            known = (
                page.ask(select(ASSESSMENTS.c.seq).where(self._assessments(page)).limit(1)).first()
                is not None
            )
        before = page.ask(
            select(OUTCOMES.c.seq, OUTCOMES.c.value)
            .where(self._earlier(page), OUTCOMES.c.outcome == self.outcome)
            .order_by(OUTCOMES.c.seq.desc())
            .limit(1)
        ).first()
        if before is not None and before.value == value:
            return SAME
        if before is not None and not self.correction:
            return CONTRADICTS
        page.add(
            OUTCOMES,
            self.recorded_at_us,
            {
                "tenant": self.tenant,
                "assessment_id": self.assessment_id,
                "subject_id": subject_id,
                "episode_id": episode_id,
                "outcome": self.outcome,
                "value": value,
                "observed_at_us": self.observed_at_us,
                "corrects_seq": None if before is None else int(before.seq),
            },
        )
        if before is not None:
            return CORRECTED
        return NEW if known else UNLINKED

    def _assessments(self, page: Page) -> ColumnElement[bool]:
        """The assessments that an outcome without an assessment's identifier belongs to."""
        whose = [ASSESSMENTS.c.tenant == self.tenant]
        if self.subject_ids:
            whose.append(ASSESSMENTS.c.subject_id.in_(linked(page.ask, self.subject_ids)))
        if self.episode_ids:
            whose.append(ASSESSMENTS.c.episode_id.in_(linked(page.ask, self.episode_ids)))
        return and_(*whose)

    def _earlier(self, page: Page) -> ColumnElement[bool]:
        """Outcomes recorded for the very same target."""
        if self.assessment_id is not None:
            return OUTCOMES.c.assessment_id == self.assessment_id
        same = [OUTCOMES.c.tenant == self.tenant, OUTCOMES.c.assessment_id.is_(None)]
        for column, known in (
            (OUTCOMES.c.subject_id, self.subject_ids),
            (OUTCOMES.c.episode_id, self.episode_ids),
        ):
            same.append(column.in_(linked(page.ask, known)) if known else column.is_(None))
        return and_(*same)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What became of a card: accepted or overridden, and why in codes."""

    kind: ClassVar[str] = "feedback"

    recorded_at_us: int
    tenant: str
    branch_point: str
    card_id: str
    assessment_id: str | None
    verdict: str
    given_at_us: int
    detail: str

    def apply(self, page: Page) -> str:
        given = page.ask(
            select(FEEDBACK.c.seq).where(
                FEEDBACK.c.tenant == self.tenant,
                FEEDBACK.c.card_id == self.card_id,
                FEEDBACK.c.verdict == self.verdict,
                FEEDBACK.c.given_at_us == self.given_at_us,
                FEEDBACK.c.detail == self.detail,
            )
        ).first()
        if given is not None:
            return SAME
        page.add(
            FEEDBACK,
            self.recorded_at_us,
            {
                "tenant": self.tenant,
                "branch_point": self.branch_point,
                "card_id": self.card_id,
                "assessment_id": self.assessment_id,
                "verdict": self.verdict,
                "given_at_us": self.given_at_us,
                "detail": self.detail,
            },
        )
        return NEW


@dataclass(frozen=True, slots=True)
class Link:
    """The pseudonym of a subject or an episode under the newest key, beside an older one."""

    kind: ClassVar[str] = "link"

    recorded_at_us: int
    of: str
    old_id: str
    new_id: str

    def apply(self, page: Page) -> str:
        if self.new_id in linked(page.ask, (self.old_id,)):
            return SAME
        page.add(
            LINKS,
            self.recorded_at_us,
            {"kind": self.of, "old_id": self.old_id, "new_id": self.new_id},
        )
        return NEW


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the ledger itself: made, keys added, months retired."""

    kind: ClassVar[str] = "event"

    recorded_at_us: int
    what: str
    detail: str

    def apply(self, page: Page) -> None:
        page.add(EVENTS, self.recorded_at_us, {"kind": self.what, "detail": self.detail})


@dataclass(frozen=True, slots=True)
class Shadows:
    """What a challenger would have answered to some assessments, beside what the champion did.

    Attributes
    ----------
    recorded_at_us : int
        The same when the entry is handed in again because nobody knew what had become of it: by this
        it knows its own rows.
    rows : tuple of tuples
        Each as `SHADOW_ROW` names it. `assessment_seq` is the number of the assessment's row; `status`
        is `answered` or `abstained`, and `prediction` (probability, or the outcome's unit) is None when
        it abstained; those of the champion are None when no model answered.
    """

    kind: ClassVar[str] = "shadow"

    recorded_at_us: int
    branch_point: str
    outcome: str
    version: str
    digest: str
    rows: tuple[tuple[str, int, str, str, float | None, str | None, float | None], ...]

    def apply(self, page: Page) -> list[bool]:
        """Whether each row is there by this entry; False for what somebody else recorded before.

        Services on one ledger ask about the same patients at the same time; each is recorded once.
        """
        known = page.ask(
            select(SHADOWS.c.assessment_id, SHADOWS.c.recorded_at_us).where(
                SHADOWS.c.digest == self.digest,
                SHADOWS.c.assessment_seq.in_([row[1] for row in self.rows]),
            )
        )
        there = {row.assessment_id: row.recorded_at_us for row in known}
        for row in self.rows:
            if row[0] not in there:
                there[row[0]] = self.recorded_at_us
                page.add(
                    SHADOWS,
                    self.recorded_at_us,
                    {
                        "branch_point": self.branch_point,
                        "outcome": self.outcome,
                        "version": self.version,
                        "digest": self.digest,
                        **dict(zip(SHADOW_ROW, row, strict=True)),
                    },
                )
        return [there[row[0]] == self.recorded_at_us for row in self.rows]


@dataclass(frozen=True, slots=True)
class TokenUse:
    """One use of a single-use token, seen by every worker and every replica."""

    kind: ClassVar[str] = "token_use"

    token: bytes
    now: int
    expires_at: int

    def apply(self, page: Page) -> bool:
        """True for the first use, False when it was used before."""
        page.ask(delete(TOKEN_USES).where(TOKEN_USES.c.expires_at < self.now))
        seen = page.ask(select(TOKEN_USES.c.token).where(TOKEN_USES.c.token == self.token)).first()
        if seen is not None:
            return False
        page.ask(insert(TOKEN_USES).values(token=self.token, expires_at=self.expires_at))
        return True


KINDS: dict[str, type[Any]] = {
    entry.kind: entry
    for entry in (Access, Assessment, Outcome, Feedback, Link, Event, Shadows, TokenUse)
}
_VALUES = {
    name: attrgetter(*(item.name for item in fields(entry))) for name, entry in KINDS.items()
}


def to_plain(entry: Entry) -> tuple[str, tuple[Any, ...]]:
    """An entry as its kind and its values: nothing but numbers, strings, bytes and tuples.

    Examples
    --------
    >>> to_plain(Event(5, "made", "{}"))
    ('event', (5, 'made', '{}'))
    """
    return entry.kind, _VALUES[entry.kind](entry)


def from_plain(plain: tuple[str, tuple[Any, ...]]) -> Entry:
    """The entry again.

    Examples
    --------
    >>> from_plain(("event", (5, "made", "{}")))
    Event(recorded_at_us=5, what='made', detail='{}')
    """
    kind, values = plain
    entry: Entry = KINDS[kind](*values)
    return entry
