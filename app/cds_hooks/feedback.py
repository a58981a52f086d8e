"""What became of cards, as the caller reports it: parsed into codes of ours.

A user's comment is free text and can hold anything about anybody, so it ends here: that there was
one is kept, the text is not. A reason that is none of ours is kept as `other`, a suggestion that is
none of the card's only as a number, for the same cause.

No report comes for a card that nobody touched: silence is not a rejection, and acceptance is to be
counted against reports, not against cards.

References
----------
CDS Hooks 2.0, section Feedback.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from app.cds_hooks.cards import suggestion_uuid
from app.cds_hooks.hook_request import parse_object, refuse
from app.cds_hooks.wording import OverrideReason
from app.errors import InputError
from app.schemas.assessment_request import read_time
from models.vocabulary import BranchPoint

ACCEPTED, OVERRIDDEN = VERDICTS = ("accepted", "overridden")
OTHER_REASON = "other"
MOST_REPORTS = 100
LONGEST_CARD = 200
LONGEST_COMMENT = 10_000


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one card, still in the caller's words: never leaves `app`."""

    card: str = field(repr=False)
    verdict: str
    given_at: datetime
    suggestions: tuple[str, ...] = field(default=(), repr=False)
    reason: str | None = None
    commented: bool = False

    def detail(self, point: BranchPoint) -> str:
        """What is stored beside the verdict: codes and counts, as JSON.

        Examples
        --------
        >>> from datetime import UTC
        >>> from models.vocabulary import load_vocabulary
        >>> point = load_vocabulary().branch_points["icu-review"]
        >>> card = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
        >>> taken = suggestion_uuid(card, point.actions[0].id)
        >>> then = datetime(2026, 11, 21, tzinfo=UTC)
        >>> Report(card, ACCEPTED, then, (taken, "made up")).detail(point)
        '{"actions":["goals-of-care-conversation"],"unknown_suggestions":1}'
        >>> Report(card, OVERRIDDEN, then, reason="other", commented=True).detail(point)
        '{"reason":"other","commented":true}'
        """
        known = {suggestion_uuid(self.card, action.id): action.id for action in point.actions}
        found: dict[str, Any] = {}
        if self.verdict == ACCEPTED:
            found["actions"] = [known[given] for given in self.suggestions if given in known]
            found["unknown_suggestions"] = sum(given not in known for given in self.suggestions)
        if self.reason is not None:
            found["reason"] = self.reason
        if self.commented:
            found["commented"] = True
        return orjson.dumps(found).decode()


def parse_feedback(body: bytes, reasons: Collection[OverrideReason]) -> tuple[Report, ...]:
    """Parse and check one feedback request.

    Raises
    ------
    Problem
        400 with every fault.
    """
    document = parse_object(body)
    items = document.get("feedback")
    faults: list[InputError] = []
    if not isinstance(items, list) or not 0 < len(items) <= MOST_REPORTS:
        expected = f"expects a list of 1 to {MOST_REPORTS} reports"
        faults.append(InputError("/feedback", "invalid_value", expected))
        items = []
    codes = {reason.code for reason in reasons}
    reports = [_report(item, f"/feedback/{i}", codes, faults) for i, item in enumerate(items)]
    refuse(faults)
    return tuple(report for report in reports if report is not None)


def _report(
    item: Any, pointer: str, codes: Collection[str], faults: list[InputError]
) -> Report | None:
    if not isinstance(item, dict):
        faults.append(InputError(pointer, "invalid_value", "expects an object"))
        return None
    before = len(faults)
    card, verdict = item.get("card"), item.get("outcome")
    if not isinstance(card, str) or not 0 < len(card) <= LONGEST_CARD:
        faults.append(InputError(f"{pointer}/card", "invalid_value", "expects a card's uuid"))
    if verdict not in VERDICTS:
        expected = f"expects {' or '.join(VERDICTS)}"
        faults.append(InputError(f"{pointer}/outcome", "invalid_value", expected))
    given_at = read_time(item.get("outcomeTimestamp"), f"{pointer}/outcomeTimestamp", faults)
    suggestions: tuple[str, ...] = ()
    reason, commented = None, False
    if verdict == ACCEPTED:
        suggestions = _suggestions(item, f"{pointer}/acceptedSuggestions", faults)
    elif item.get("overrideReason") is not None:
        reason, commented = _override(item, f"{pointer}/overrideReason", codes, faults)
    if len(faults) > before or given_at is None:
        return None
    return Report(str(card).lower(), str(verdict), given_at, suggestions, reason, commented)


def _suggestions(
    item: Mapping[str, Any], pointer: str, faults: list[InputError]
) -> tuple[str, ...]:
    given = item.get("acceptedSuggestions")
    if not isinstance(given, list) or not 0 < len(given) <= MOST_REPORTS:
        faults.append(InputError(pointer, "missing", "expects a list that is not empty"))
        return ()
    found = []
    for position, accepted in enumerate(given):
        identifier = accepted.get("id") if isinstance(accepted, dict) else None
        if not isinstance(identifier, str) or not identifier:
            expected = "expects an object with `id`"
            faults.append(InputError(f"{pointer}/{position}", "invalid_value", expected))
        else:
            found.append(identifier.lower())
    return tuple(dict.fromkeys(found))


def _override(
    item: Mapping[str, Any], pointer: str, codes: Collection[str], faults: list[InputError]
) -> tuple[str | None, bool]:
    given = item["overrideReason"]
    if not isinstance(given, dict):
        faults.append(InputError(pointer, "invalid_value", "expects an object"))
        return None, False
    coding, comment = given.get("reason"), given.get("userComment")
    if coding is None and comment is None:
        faults.append(InputError(pointer, "missing", "expects `reason` or `userComment`"))
    if comment is not None and (not isinstance(comment, str) or len(comment) > LONGEST_COMMENT):
        expected = f"expects a text of at most {LONGEST_COMMENT} characters"
        faults.append(InputError(f"{pointer}/userComment", "invalid_value", expected))
    if coding is None:
        return None, bool(comment)
    code = coding.get("code") if isinstance(coding, dict) else None
    if not isinstance(code, str) or not code:
        expected = "expects a coding with `code`"
        faults.append(InputError(f"{pointer}/reason", "invalid_value", expected))
        return None, False
    return code if code in codes else OTHER_REASON, bool(comment)
