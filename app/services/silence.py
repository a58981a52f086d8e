"""What a silent answer says: that it was recorded, and nothing of the risk.

Where a branch point is silent, the ledger keeps the whole answer, marked, and the caller gets this
form of it. The form is made of the whole answer alone, so that reading it back gives the very bytes
that were sent, also after the branch point went live: who was told nothing then stays told nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.schemas.statuses import SILENT

TOLD = (
    "assessment_id", "episode_id", "branch_point", "index_time", "status", "decision_support_only",
    "outcomes", "missing", "warnings", "suggestions", "deidentification",
)  # fmt: skip
"""What a silent answer has, in this order. Whatever else an answer can hold, now or later, it has not."""
INSTEAD: Mapping[str, Any] = {"status": SILENT, "outcomes": [], "suggestions": []}
_MARK = b'{"silent":true,'


def silent_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The form of an answer that tells no risk, band, reason, score or suggestion.

    Examples
    --------
    >>> whole = {"assessment_id": "1", "status": "answered", "outcomes": [{"probability": 0.3}],
    ...          "missing": ["albumin"], "measure_next": [{"feature": "albumin"}]}
    >>> silent_answer(whole)
    {'assessment_id': '1', 'status': 'silent', 'outcomes': [], 'missing': ['albumin']}
    """
    return {name: INSTEAD.get(name, answer[name]) for name in TOLD if name in answer}


def marked_silent(answer: Mapping[str, Any]) -> bytes:
    """A whole answer as it is recorded where it is not told.

    Examples
    --------
    >>> marked_silent({"status": "answered"})
    b'{"silent":true,"status":"answered"}'
    """
    return orjson.dumps({"silent": True, **answer})


def is_silent(recorded: str) -> bool:
    """Whether a recorded answer was not told.

    Examples
    --------
    >>> is_silent('{"silent":true,"status":"answered"}'), is_silent('{"status":"answered"}')
    (True, False)
    """
    return recorded.startswith(_MARK.decode())


def as_given(recorded: str) -> bytes:
    """A recorded answer as its caller got it, byte for byte.

    Examples
    --------
    >>> as_given('{"silent":true,"assessment_id":"1","status":"partial","outcomes":[1]}')
    b'{"assessment_id":"1","status":"silent","outcomes":[]}'
    >>> as_given('{"status":"answered"}')
    b'{"status":"answered"}'
    """
    if is_silent(recorded):
        return orjson.dumps(silent_answer(orjson.loads(recorded)))
    return recorded.encode()
