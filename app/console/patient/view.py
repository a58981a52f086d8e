"""What the page on which a patient is tried shows: the form, the answer, and what if. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from app.console.assessment.outcomes import label_of, outcome_view, unanswered, warning
from app.console.frame.numbers import TO
from app.console.frame.site import Reader
from app.console.patient.typed import NO, YES, Typed, inputs_of
from app.schemas.statuses import ABSTAINED, SILENT
from app.services.reference import References
from app.services.try_patient import Tried
from models.vocabulary import BranchPoint, Feature, Vocabulary
from models.vocabulary.features import GROUPS
from models.vocabulary.measurement import OWN_UNIT

MEASURE_NEXT_SHOWN = 5


def chooser_view(points: Sequence[BranchPoint], reader: Reader) -> dict[str, Any]:
    """The branch points at which the reader may ask."""
    return {"points": [(point.id, _of(point, "title", reader), _of(point, "question", reader))
                       for point in points]}  # fmt: skip


def form_view(
    typed: Typed,
    point: BranchPoint,
    vocabulary: Vocabulary,
    care_units: Collection[str],
    reader: Reader,
    asked: Mapping[str, str],
) -> dict[str, Any]:
    """The form as it was filled in, its inputs by their kind.

    Parameters
    ----------
    asked : mapping
        The form's other fields: what if, care unit, outcome.
    """
    features = inputs_of(point, vocabulary)
    features.sort(key=lambda feature: GROUPS.index(feature.group))
    groups = [
        {
            "id": group,
            "title": reader.texts(f"patient.group_{group}"),
            "fields": [_field(feature, typed, point, reader) for feature in members],
        }
        for group, members in groupby(features, key=lambda feature: feature.group)
    ]
    for group in groups:
        group["filled"] = sum(bool(one["text"]) for one in group["fields"])
        group["open"] = any(one["text"] or one["required"] for one in group["fields"])
    outcomes = [(name, reader.words.label(vocabulary.outcomes[name])) for name in point.outcomes]
    return {
        "point_id": point.id,
        "point": _of(point, "title", reader),
        "question": _of(point, "question", reader),
        "groups": groups,
        "numbers": [
            (feature.name, reader.words.label(feature))
            for feature in features
            if feature.kind == "number"
        ],
        "outcomes": outcomes,
        "care_units": sorted(care_units),
        "asked": {key: asked.get(key, "") for key in ("if_feature", "if_value", "care_unit", "outcome")},
    }  # fmt: skip


def _field(feature: Feature, typed: Typed, point: BranchPoint, reader: Reader) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": feature.name,
        "label": reader.words.label(feature),
        "kind": feature.kind,
        "text": typed.texts.get(feature.name, ""),
        "required": feature.name in point.required,
        "follows": feature.derived_from is not None and feature.name in point.derived,
        "unreadable": feature.name in typed.unreadable,
        "units": [],
        "range": None,
    }
    if feature.kind == "flag":
        shown["choices"] = [(YES, reader.texts("frame.yes")), (NO, reader.texts("frame.no"))]
    if feature.kind == "category":
        shown["choices"] = [
            (name, feature.category_label(name, reader.language)) for name in feature.categories
        ]
    if feature.plausible is not None and feature.unit is not None:
        known = {feature.unit: OWN_UNIT, **feature.conversions}
        chosen = known.get(typed.units.get(feature.name, feature.unit), OWN_UNIT)
        # Of several spellings of one unit people are shown the first.
        offered = {conversion: unit for unit, conversion in reversed(known.items())}
        shown["units"] = [
            _unit(unit, conversion, feature.plausible, conversion == chosen, reader)
            for unit, conversion in known.items()
            if offered[conversion] == unit
        ]
        own = shown["units"][0]
        name = f" {own['label']}" if own["label"] else ""
        shown["range"] = reader.texts(
            "patient.whole_range" if feature.integer else "patient.range",
            lowest=own["shown"][0], highest=own["shown"][1], unit=name,
        )  # fmt: skip
        shown["integer"] = feature.integer
    return shown


def _unit(
    unit: str, conversion: Any, plausible: tuple[float, float], chosen: bool, reader: Reader
) -> dict[str, Any]:
    ends = [float(f"{conversion.from_own_unit(end):.6g}") for end in plausible]
    return {
        "code": unit,
        "label": reader.words.unit(unit),
        "lowest": ends[0],
        "highest": ends[1],
        "shown": [reader.numbers.plain(end) for end in ends],
        "chosen": chosen,
    }


def answer_view(
    typed: Typed,
    tried: Tried,
    instead: Tried | None,
    point: BranchPoint,
    vocabulary: Vocabulary,
    reader: Reader,
    wanted: str,
) -> dict[str, Any]:
    """The answer, and beside it what it would be with one value another.

    Parameters
    ----------
    wanted : str
        The outcome whose reasons are shown; where it has none, the first that has.
    """
    answer = tried.answer
    mine = _outcomes(tried, point, vocabulary, reader)
    others = {} if instead is None else {
        one["name"]: one for one in _outcomes(instead, point, vocabulary, reader)
    }  # fmt: skip
    told = [one for one in mine if one["status"] != ABSTAINED]
    if instead is not None:
        moved = differences(answer, instead.answer)
        for one in told:
            other = others.get(one["name"])
            one["what_if"] = None if other is None else other["risk"]
            difference = moved.get(one["name"])
            one["points"] = None if difference is None else reader.numbers.points(difference)
    shown = next((one for one in told if one["name"] == wanted), told[0] if told else None)
    with_reasons = shown and others.get(shown["name"])
    aside = [
        {"name": one.get("feature", ""), "text": warning(one, vocabulary, reader.words)}
        for one in answer["warnings"]
    ]
    aside += [
        {
            "name": name,
            "text": reader.texts(
                "patient.unreadable", feature=label_of(name, vocabulary, reader.words)
            ),
        }
        for name in sorted(typed.unreadable)
    ]
    return {
        "silent": answer["status"] == SILENT,
        "synthetic": any(one["synthetic"] for one in mine),
        "told": told,
        "unanswered": unanswered(mine),
        "aside": aside,
        "is_what_if": instead is not None,
        "changed": None
        if typed.changed is None
        else label_of(typed.changed, vocabulary, reader.words),
        "shown": shown,
        "shown_instead": with_reasons if with_reasons and with_reasons["risk"] else None,
        "measure_next": [
            label_of(one["feature"], vocabulary, reader.words)
            for one in answer.get("measure_next", ())[:MEASURE_NEXT_SHOWN]
        ],
        "summary": _summary(told, reader),
    }


def _outcomes(
    tried: Tried, point: BranchPoint, vocabulary: Vocabulary, reader: Reader
) -> list[dict[str, Any]]:
    references = References(point, tried.values, vocabulary)
    return [
        outcome_view(one, references, point, vocabulary, reader)
        for one in tried.answer["outcomes"]
    ]  # fmt: skip


def differences(answer: Mapping[str, Any], instead: Mapping[str, Any]) -> dict[str, float]:
    """By how much each probability is another, where both answers have one.

    Examples
    --------
    >>> before = {"outcomes": [{"outcome": "death_30d", "probability": 0.25}, {"outcome": "delirium"}]}
    >>> differences(before, {"outcomes": [{"outcome": "death_30d", "probability": 0.75}]})
    {'death_30d': 0.5}
    """
    first = {
        one["outcome"]: one["probability"] for one in answer["outcomes"] if "probability" in one
    }
    return {
        one["outcome"]: one["probability"] - first[one["outcome"]]
        for one in instead["outcomes"]
        if "probability" in one and one["outcome"] in first
    }  # fmt: skip


def _summary(told: Sequence[Mapping[str, Any]], reader: Reader) -> str:
    """What a screen reader says after each change: the first outcomes, not all of them."""
    if not told:
        return reader.texts("patient.no_risk")
    return "; ".join(f"{one['label']}: {one['risk'] or TO}" for one in told[:2])


def _of(row: Any, what: str, reader: Reader) -> str:
    told: str = getattr(row, f"{what}_{reader.language}")
    return told
