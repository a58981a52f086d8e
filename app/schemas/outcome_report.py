"""A report of what happened: parsed strictly, every fault named, nothing echoed."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.errors import InputError
from app.schemas.assessment_request import read_name, read_time, refused
from app.schemas.strict_json import parse_json
from models.vocabulary import Vocabulary
from models.vocabulary.coarsening import FORM

FIELDS = (
    "assessment_id", "subject", "episode", "outcome", "value", "observed_at", "correction",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What a caller reports, identifiers still in it: never leaves `app`, never below `deid`."""

    assessment_id: str | None
    subject: str | None = field(repr=False)
    episode: str | None = field(repr=False)
    outcome: str
    value: float
    observed_at: datetime
    correction: bool


def parse_outcome_report(body: bytes, vocabulary: Vocabulary) -> OutcomeReport:
    """Parse and check one report.

    Raises
    ------
    Problem
        400 when it is not JSON; 422 with all faults when it cannot be used.
    """
    document = parse_json(body)
    faults: list[InputError] = []
    if not isinstance(document, dict):
        raise refused([InputError("", "invalid_value", "expects a JSON object")])
    for position, key in enumerate(document):
        if key not in FIELDS:
            expected = f"unknown field; known: {', '.join(FIELDS)}"
            faults.append(InputError(f"/{position}", "unknown_field", expected))
    names = {
        key: read_name(document, key, faults) for key in ("assessment_id", "subject", "episode")
    }
    for key, name in names.items():
        if name is not None and not name.strip():
            # Blank names nobody: an outcome of nobody would be everybody's.
            faults.append(InputError(f"/{key}", "invalid_value", "expects more than spaces"))
    whose = document.get("subject"), document.get("episode")
    if (document.get("assessment_id") is None) == (whose == (None, None)):
        expected = "expects either `assessment_id`, or `subject` and `episode`"
        faults.append(InputError("", "invalid_value", expected))
    observed_at = read_time(document.get("observed_at"), "/observed_at", faults)
    value = _value(document, vocabulary, faults)
    correction = document.get("correction")
    if correction is not None and not isinstance(correction, bool):
        faults.append(InputError("/correction", "invalid_value", "expects true or false"))
    if faults or observed_at is None:
        raise refused(faults)
    return OutcomeReport(
        assessment_id=names["assessment_id"],
        subject=names["subject"],
        episode=names["episode"],
        outcome=document["outcome"],
        value=value,
        observed_at=observed_at,
        correction=bool(correction),
    )


def _value(document: dict[str, Any], vocabulary: Vocabulary, faults: list[InputError]) -> float:
    """The value in the outcome's own kind: true or false, or a number."""
    name, value = document.get("outcome"), document.get("value")
    if not isinstance(name, str) or name not in vocabulary.outcomes:
        expected = f"expects one of: {', '.join(vocabulary.outcomes)}"
        faults.append(InputError("/outcome", "unknown_outcome", expected))
        return math.nan
    outcome = vocabulary.outcomes[name]
    if outcome.kind == "binary":
        if isinstance(value, bool):
            return float(value)
        faults.append(InputError("/value", "invalid_value", "expects true or false"))
        return math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(format(float(value), FORM))  # as exact as any measurement
            if (outcome.minimum or 0.0) <= number <= (outcome.maximum or sys.float_info.max):
                return number
    highest = "" if outcome.maximum is None else f" to {outcome.maximum:g}"
    expected = f"expects a number in {outcome.unit} from {outcome.minimum or 0:g}{highest}"
    faults.append(InputError("/value", "invalid_value", expected))
    return math.nan
