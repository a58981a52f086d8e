"""What the inspector shows: every field that came, what leaves of it, and why. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.console.assessment.outcomes import input_of, label_of
from app.console.frame.site import Reader
from app.console.frame.words import Texts, Told
from app.deid.attacks import ALLOWED, summarise
from app.deid.policy import POLICY
from app.fhir.inspection import MOST, NOT_READ, InspectedResource
from app.services.inspect_sent import ACCEPTED, InspectedSent
from models.vocabulary import BranchPoint, Vocabulary

LEAVES = ("keep", "coarsen", "key")
FEATURE = re.compile(r"measurements\.\w+")
SIGNS = re.compile(r"\W+")


def form_view(
    points: Sequence[BranchPoint], chosen: str, pasted: str, reader: Reader
) -> dict[str, Any]:
    """The form, as it was filled in."""
    return {
        "points": [(point.id, getattr(point, f"title_{reader.language}")) for point in points],
        "chosen": chosen,
        "pasted": pasted,
        "policy": POLICY.version,
        "found": None,
        "attacks": None,
    }


def found_view(found: InspectedSent, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    """What became of what was pasted."""
    rows = [_row(row, reader) for row in found.rows]
    resources = [_resource(one, found.leaving, vocabulary, reader) for one in found.resources]
    return {
        "way": reader.texts(f"inspector.way_{found.way}"),
        "accepted": found.status == ACCEPTED,
        "status": found.status,
        "detail": found.detail,
        "faults": found.faults,
        "rows": rows,
        "resources": resources,
        "shown_at_most": MOST if len(resources) >= MOST else None,
        "actions": [
            (reader.texts(f"inspector.action_{action}"), count)
            for action, count in Counter(row["action"] for row in found.rows).items()
        ],
    }


def _row(row: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    rule = POLICY.rules.get(row["rule"])
    how = reader.texts("inspector.not_kept") if rule is None else getattr(
        rule, f"how_{reader.language}"
    )  # fmt: skip
    return {
        "pointer": row["pointer"],
        "came": row["came"],
        "leaves": None if row["leaves"] is None else _leaving(row["leaves"]),
        "action": row["action"],
        "passes": row["action"] in LEAVES and row["leaves"] is not None,
        "told": reader.texts(f"inspector.action_{row['action']}"),
        "rule": None if rule is None else rule.id,
        "how": how,
    }


def _leaving(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _resource(
    one: InspectedResource, leaving: Mapping[str, Mapping[str, Any]], vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:  # fmt: skip
    return {
        "pointer": one.pointer or "/",
        "kind": one.kind or reader.texts("inspector.other_kind"),
        "taken": [_taken(name, leaving.get(name), vocabulary, reader) for name in one.taken],
        "reasons": [
            (
                None if name is None else label_of(name, vocabulary, reader.words),
                reader.texts(f"inspector.reason_{reason}"),
            )
            for name, reason in one.reasons
        ],
        "elements": [
            {
                "pointer": element.pointer,
                "came": element.came,
                "read": element.use != NOT_READ,
                "use": reader.texts(f"inspector.use_{element.use}"),
            }
            for element in one.elements
        ],
    }


def _taken(
    name: str, row: Mapping[str, Any] | None, vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    """An input that was read from a resource, and what leaves of it."""
    shown: dict[str, Any] = {"label": label_of(name, vocabulary, reader.words), "name": name}
    if row is None or row["leaves"] is None:
        return shown | {"value": None, "age": None, "rule": None if row is None else row["rule"]}
    minutes = row.get("minutes_before")
    return shown | {
        "value": input_of(name, row["leaves"], vocabulary.features[name].unit, vocabulary, reader),
        "age": None
        if minutes is None
        else reader.texts("assessment.minutes_before", count=minutes),
        "rule": row["rule"],
    }


def attacks_view(verdicts: Sequence[Mapping[str, str]], texts: Texts) -> dict[str, Any]:
    """The attacks: how many there were, then by the place that was attacked.

    Examples
    --------
    >>> from app.console.frame.words import load_texts
    >>> seen = attacks_view([
    ...     {"field": "measurements.age.value", "encoding": "plain", "verdict": "BLOCKED"},
    ...     {"field": "measurements.sodium.value", "encoding": "plain", "verdict": "ALLOWED"},
    ... ], load_texts()["sv"])
    >>> seen["tried"], seen["allowed"], seen["places"]
    (2, 1, [(Told(text='värdet i en mätning', language='sv'), 1, 1)])
    """
    tried: Counter[str] = Counter()
    allowed: Counter[str] = Counter()
    for one in verdicts:
        place = FEATURE.sub("measurements.*", one["field"])
        tried[place] += 1
        allowed[place] += one["verdict"] == ALLOWED
    summary = summarise([dict(one) for one in verdicts])
    places = [
        (_place(place, texts), count - allowed[place], allowed[place])
        for place, count in tried.items()
    ]
    return {**summary, "places": places}


def _place(place: str, texts: Texts) -> Told:
    """Where an attack was planted; by its own English name where nobody wrote another."""
    key = f"inspector.place_{SIGNS.sub('_', place).strip('_').lower()}"
    return Told(texts(key), texts.language) if key in texts.texts else Told(place, "en")
