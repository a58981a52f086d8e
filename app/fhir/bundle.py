"""Bundles unpacked: every resource with where it stood, however they are nested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

DEEPEST = 8
PATIENT_ONLY = {"patient", "subject", "_count", "_sort", "_format", "_total", "_pretty"}


class Entry(NamedTuple):
    """A resource, the URL it has in its Bundle, and whether a complete list holds it."""

    resource: Mapping[str, Any]
    full_url: str | None = None
    list_number: int | None = None


class Unpacked(NamedTuple):
    """All entries, and how many there were of what cannot be read.

    Attributes
    ----------
    complete_lists : tuple of int
        Numbers of the searchsets that hold every Condition of somebody; an entry's `list_number`
        is one of them.
    """

    entries: tuple[Entry, ...]
    unreadable: int
    too_deep: int
    complete_lists: tuple[int, ...]


def resources_of(bundle_or_resource: object) -> Iterator[Mapping[str, Any]]:
    """The resources of a Bundle, of Bundles in it, or the one resource that was given.

    OperationOutcomes are yielded like others. Whoever reads a chart passes Bundles whole instead:
    only then are references to an entry's URL resolved and complete lists seen.

    Examples
    --------
    >>> bundle = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}, {}]}
    >>> [resource["resourceType"] for resource in resources_of(bundle)]
    ['Patient']
    """
    for entry in unpack([bundle_or_resource]).entries:
        yield entry.resource


def unpack(given: list[object]) -> Unpacked:
    """Unpack without recursion; a Bundle that holds itself is unpacked once."""
    entries: list[Entry] = []
    complete: list[int] = []
    unreadable = too_deep = lists = 0
    seen: set[int] = set()
    waiting: list[tuple[object, str | None, int, int | None]] = [
        (item, None, 0, None) for item in reversed(given)
    ]
    while waiting:
        item, full_url, depth, number = waiting.pop()
        if not isinstance(item, dict) or not isinstance(item.get("resourceType"), str):
            unreadable += 1
            continue
        if item["resourceType"] != "Bundle":
            entries.append(Entry(item, full_url, number))
            continue
        if id(item) in seen:
            continue
        if depth >= DEEPEST:
            too_deep += 1
            continue
        seen.add(id(item))
        inside = item.get("entry")
        if not isinstance(inside, list):
            unreadable += inside is not None
            continue
        number = None
        if _is_complete_condition_list(item, inside):
            lists += 1
            number = lists
            complete.append(number)
        for row in reversed(inside):
            if not isinstance(row, dict):
                unreadable += 1
            elif row.get("resource") is not None:
                url = row.get("fullUrl")
                url = url if isinstance(url, str) else None
                waiting.append((row["resource"], url, depth + 1, number))
    return Unpacked(tuple(entries), unreadable, too_deep, tuple(complete))


def _is_complete_condition_list(bundle: Mapping[str, Any], inside: list[Any]) -> bool:
    """Whether a searchset says that it holds every Condition of a patient."""
    total = bundle.get("total")
    if bundle.get("type") != "searchset" or not inside or isinstance(total, bool):
        return False
    if total != len(inside) or not all(
        isinstance(row, Mapping)
        and isinstance(row.get("resource"), Mapping)
        and row["resource"].get("resourceType") == "Condition"
        for row in inside
    ):
        return False
    links = bundle.get("link")
    if not isinstance(links, list) or not all(isinstance(link, Mapping) for link in links):
        return False
    addresses = {str(link.get("relation")): link.get("url") for link in links}
    return "next" not in addresses and _asks_for_all(addresses.get("self"))


def _asks_for_all(url: object) -> bool:
    if not isinstance(url, str) or len(url) > 4096:
        return False
    path, _, query = url.partition("?")
    names = {pair.partition("=")[0] for pair in query.split("&") if pair}
    return (
        path.rstrip("/").rpartition("/")[2] == "Condition"
        and names <= PATIENT_ONLY
        and bool(names & {"patient", "subject"})
    )
