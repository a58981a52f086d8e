"""Every card holds what CDS Hooks 2.0 asks, so that any client can show it.

References
----------
CDS Hooks 2.0, sections Card Attributes, Source, Suggestion, Action, OverrideReason, Link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.check_integration.door import at, empties, objects
from app.check_integration.ehr import Given
from app.check_integration.findings import Notes

TOO_LONG = 140
INDICATORS = ("info", "warning", "critical")
SELECTIONS = ("at-most-one", "any")
ACTIONS = ("create", "update", "delete")
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
TAG = re.compile(r"<[A-Za-z/!]")
Json = Mapping[str, Any]


def check_cards(given: tuple[Given, ...], notes: Notes) -> None:
    """Look at every card, and that no two share a uuid."""
    seen: list[str] = []
    for one in given:
        card, name = one.card, one.visit.service.id
        if card is None:
            notes.skip("card.form", "its card", "as CDS Hooks 2.0 has it", "no card came", name)
            continue
        faults = [*card_faults(card), *_strangers(card, one.visit.patient.id)]
        seen.append(str(card.get("uuid")))
        suggestions = len(objects(card.get("suggestions")))
        told = f"{card.get('indicator')}, {len(str(card.get('summary')))} characters, "
        told += f"{suggestions} suggestions"
        notes.judge(
            "card.form", "its card",
            "summary < 140, indicator, source.label, uuid, Markdown, whole suggestions",
            faults, told, name,
        )  # fmt: skip
    if seen:
        twice = sorted({uuid for uuid in seen if seen.count(uuid) > 1})
        notes.judge(
            "card.uuids", "uuids of all cards", "each once: feedback goes by them",
            [f"one stands on {seen.count(uuid)} cards" for uuid in twice], f"{len(seen)} uuids",
        )  # fmt: skip


def card_faults(card: Json) -> Iterator[str]:
    """What is wrong with one card.

    Examples
    --------
    >>> good = {"uuid": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "summary": "Risk 7 %",
    ...         "indicator": "info", "source": {"label": "Risk service"}}
    >>> list(card_faults(good))
    []
    >>> list(card_faults({**good, "summary": "x" * 140, "indicator": "hard-stop"}))
    ['`summary` has 140 characters; fewer than 140 are shown', '`indicator` must be info, warning or critical']
    """
    yield from (f"{path} is empty or null" for path in empties(card))
    summary = card.get("summary")
    if not isinstance(summary, str):
        yield "no `summary`"
    elif len(summary) >= TOO_LONG:
        yield f"`summary` has {len(summary)} characters; fewer than 140 are shown"
    if card.get("indicator") not in INDICATORS:
        yield "`indicator` must be info, warning or critical"
    if not isinstance(at(card, "source", "label"), str):
        yield "no `source.label`"
    if not _is_uuid(card.get("uuid")):
        yield "no `uuid`, so no feedback is possible"
    yield from _detail_faults(card)
    yield from _suggestion_faults(card)
    for reason in objects(card.get("overrideReasons")):
        if not all(isinstance(reason.get(key), str) for key in ("code", "system", "display")):
            yield "an override reason lacks code, system or display"
    for link in objects(card.get("links")):
        yield from _link_faults(link)


def _detail_faults(card: Json) -> Iterator[str]:
    detail = card.get("detail")
    if detail is None:
        return
    if not isinstance(detail, str):
        yield "`detail` is no text"
        return
    if TAG.search(detail):
        yield "`detail` holds HTML, which clients take out"
    rows = [line for line in detail.splitlines() if line.startswith("|")]
    if len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) > 1:
        yield "a table in `detail` whose rows have different numbers of cells"


def _suggestion_faults(card: Json) -> Iterator[str]:
    suggestions = card.get("suggestions")
    if suggestions is None:
        return
    chosen = card.get("selectionBehavior")
    if chosen not in SELECTIONS:
        yield "`suggestions` without `selectionBehavior` at-most-one or any"
    rows = objects(suggestions)
    if chosen == "at-most-one" and sum(row.get("isRecommended") is True for row in rows) > 1:
        yield "several recommended suggestions, of which one may be chosen"
    for row in rows:
        if not isinstance(row.get("label"), str) or not _is_uuid(row.get("uuid")):
            yield "a suggestion lacks label or uuid"
        if not objects(row.get("actions")):
            yield "a suggestion without actions"
        for action in objects(row.get("actions")):
            yield from _action_faults(action)


def _action_faults(action: Json) -> Iterator[str]:
    kind = action.get("type")
    if kind not in ACTIONS:
        yield "an action that is no create, update or delete"
    if not isinstance(action.get("description"), str):
        yield "an action without description"
    resource = at(action, "resource", "resourceType")
    if kind in ("create", "update") and not isinstance(resource, str):
        yield f"{kind} without a FHIR resource"
    if kind == "delete" and not isinstance(action.get("resourceId"), str):
        yield "delete without `resourceId`"


def _strangers(card: Json, patient: str) -> Iterator[str]:
    """Resources that would be made for somebody else."""
    for suggestion in objects(card.get("suggestions")):
        for action in objects(suggestion.get("actions")):
            for role in ("for", "subject"):
                whom = at(action, "resource", role, "reference")
                if whom not in (None, f"Patient/{patient}"):
                    yield "an action for another patient"


def _link_faults(link: Json) -> Iterator[str]:
    if not all(isinstance(link.get(key), str) for key in ("label", "url", "type")):
        yield "a link lacks label, url or type"
    if link.get("type") not in ("absolute", "smart"):
        yield "a link that is neither absolute nor smart"
    if "appContext" in link and link.get("type") != "smart":
        yield "`appContext` on a link that is not smart"


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and UUID.fullmatch(value) is not None
