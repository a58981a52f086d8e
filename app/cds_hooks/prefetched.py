"""What became of each prefetch key: four answers that must not be mixed up.

absent               nobody answered: it may be read from the FHIR server
null, empty Bundle   asked, and there is nothing: not read again
OperationOutcome     the client met an error: as absent, and said so
anything else        what the key holds; a Bundle may say that there is more

An OperationOutcome among a Bundle's entries says that part of it could not be had: what came is
used, and the answer says that it is incomplete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prefetched:
    """One key's answer.

    Attributes
    ----------
    resource : mapping or None
        What is there to read; None when nothing was found, or nobody answered.
    answered : bool
        Whether the question was answered, be it with nothing.
    complete : bool
        Whether all of it came.
    more : str or None
        Where a Bundle goes on.
    """

    resource: Resource | None = field(repr=False)
    answered: bool
    complete: bool = True
    more: str | None = field(default=None, repr=False)


UNANSWERED = Prefetched(None, answered=False, complete=False)
NOTHING_FOUND = Prefetched(None, answered=True)


def look_at(value: Resource | None) -> Prefetched:
    """Say what a value under a prefetch key, or an answer of a FHIR server, stands for.

    Examples
    --------
    >>> look_at(None).answered, look_at({"resourceType": "OperationOutcome"}).answered
    (True, False)
    >>> look_at({"resourceType": "Bundle", "type": "searchset", "total": 0}) == NOTHING_FOUND
    True
    >>> page = {"resourceType": "Bundle", "link": [{"relation": "next", "url": "?page=2"}],
    ...         "entry": [{"resource": {"resourceType": "Observation"}}]}
    >>> look_at(page).complete, look_at(page).more
    (False, '?page=2')
    """
    if value is None:
        return NOTHING_FOUND
    kind = value.get("resourceType")
    if kind == "OperationOutcome" or not isinstance(kind, str):
        return UNANSWERED
    if kind != "Bundle":
        return Prefetched(value, answered=True)
    entries = value.get("entry")
    entries = entries if isinstance(entries, list) else []
    failed = any(_is_failure(entry) for entry in entries)
    more = _next(value)
    if not entries and more is None:
        return NOTHING_FOUND
    return Prefetched(value, answered=True, complete=more is None and not failed, more=more)


def _is_failure(entry: Any) -> bool:
    """An OperationOutcome that is more than a hint."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or resource.get("resourceType") != "OperationOutcome":
        return False
    issues: Iterable[Any] = resource["issue"] if isinstance(resource.get("issue"), list) else ()
    mild = ("information", "warning")
    return not issues or any(
        not isinstance(issue, dict) or issue.get("severity") not in mild for issue in issues
    )


def _next(bundle: Resource) -> str | None:
    links = bundle.get("link")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            return url if isinstance(url, str) else None
    return None
