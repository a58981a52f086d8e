"""How many rows and outcomes were answered, and why the others were not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.schemas.statuses import WHOLE_ANSWER

ROWS, OUTCOMES, REASONS = "rows", "outcomes", "reasons"
REFUSED = "refused"
ROW_STATUSES = (*WHOLE_ANSWER, REFUSED)


def tally_of(line: Mapping[str, Any]) -> Iterator[str]:
    """What one line of the answers adds to the counts.

    Examples
    --------
    >>> list(tally_of({"row": 1, "problem": {"status": 400}}))
    ['rows/refused', 'reasons/refused: 400']
    """
    problem = line.get("problem")
    if problem is not None:
        yield f"{ROWS}/{REFUSED}"
        codes = {error["code"] for error in problem.get("errors", ())} or {problem["status"]}
        for code in sorted(map(str, codes)):
            yield f"{REASONS}/refused: {code}"
        return
    answer = line["answer"]
    yield f"{ROWS}/{answer['status']}"
    for outcome in answer["outcomes"]:
        yield f"{OUTCOMES}/{outcome['status']}"
        if "reason" in outcome:
            yield f"{REASONS}/{outcome['status']}: {outcome['reason']}"
    for code in {warning["code"] for warning in answer["warnings"]}:
        yield f"{REASONS}/warned: {code}"


def summary_of(tally: Mapping[str, int]) -> dict[str, Any]:
    """The counts as a document.

    Examples
    --------
    >>> summary_of({"rows/answered": 2, "rows/refused": 1, "reasons/refused: 400": 1})
    {'rows': 3, 'answered': 2, 'partial': 0, 'abstained': 0, 'silent': 0, 'refused': 1,
     'outcomes': {}, 'reasons': {'refused: 400': 1}}
    """
    parts: dict[str, dict[str, int]] = {ROWS: {}, OUTCOMES: {}, REASONS: {}}
    for name, count in sorted(tally.items()):
        part, _, what = name.partition("/")
        parts[part][what] = count
    rows = {status: parts[ROWS].get(status, 0) for status in ROW_STATUSES}
    return {"rows": sum(rows.values()), **rows, **{p: parts[p] for p in (OUTCOMES, REASONS)}}
