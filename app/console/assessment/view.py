"""What the page of an assessment shows: the stored answer in a reader's words and numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.cds_hooks.wording import Words
from app.console.assessment.outcomes import (
    REASONS_IN_WORDS,
    Answer,
    input_of,
    label_of,
    outcome_view,
    unanswered,
    warning,
)
from app.console.assessment.trust import another_person, trust_view
from app.console.frame.site import Reader
from app.console.pictures.risks import trajectory
from app.schemas.statuses import ABSTAINED, SILENT
from app.services.explain import Explained
from app.services.reference import References
from models.vocabulary import BranchPoint, Vocabulary


def assessment_view(explained: Explained, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    """Everything that the page shows."""
    answer, inputs, episode = explained.answer, explained.inputs, explained.episode
    point = vocabulary.branch_points[answer["branch_point"]]
    references = References(point, explained.values, vocabulary)
    outcomes = [
        outcome_view(outcome, references, point, vocabulary, reader)
        for outcome in answer["outcomes"]
    ]
    return {
        "id": answer["assessment_id"],
        "point": _of(point, "title", reader),
        "question": _of(point, "question", reader),
        "when": _time(answer["index_time"]),
        "silent": answer["status"] == SILENT,
        "synthetic": any(outcome["synthetic"] for outcome in outcomes),
        "outcomes": [one for one in outcomes if one["status"] != ABSTAINED],
        "trust": trust_view(answer, len(inputs), explained.served, point, vocabulary, reader),
        "another_person": [
            (
                label_of(name, vocabulary, reader.words),
                *(_shown(v, name, vocabulary, reader) for v in both),
            )
            for name, *both in another_person(answer, episode)
        ],
        "unanswered": unanswered(outcomes),
        "used": [_input(name, row, vocabulary, reader) for name, row in inputs.items()],
        "missing": [label_of(name, vocabulary, reader.words) for name in answer["missing"]],
        "warnings": [warning(one, vocabulary, reader.words) for one in answer["warnings"]],
        "suggestions": _suggestions(answer, point, reader.words),
        "measure_next": _measure_next(explained.measure_next, vocabulary, reader),
        "episode": None if episode is None else _episode(answer, episode, vocabulary, reader),
        "policy": answer["deidentification"]["policy_version"],
    }


def _of(row: Any, what: str, reader: Reader) -> str:
    told: str = getattr(row, f"{what}_{reader.language}")
    return told


def _time(told: str) -> str:
    return f"{datetime.fromisoformat(told):%Y-%m-%d %H:%M} UTC"


def _input(
    name: str, row: Mapping[str, Any], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    feature = vocabulary.features[name]
    minutes = row.get("minutes_before")
    return {
        "name": name,
        "label": reader.words.label(feature),
        "value": input_of(name, row["value"], feature.unit, vocabulary, reader),
        "age": None if minutes is None else _ago(minutes, reader),
        "codes": ", ".join(f"{k} {c}" for k, codes in feature.codes.items() for c in codes),
    }


def _ago(minutes: int, reader: Reader) -> str:
    if minutes == 1:
        return reader.texts("assessment.minute_before")
    if minutes < 120:
        return reader.texts("assessment.minutes_before", count=minutes)
    if minutes < 2880:
        return reader.texts("assessment.hours_before", count=minutes // 60)
    return reader.texts("assessment.days_before", count=minutes // 1440)


def _suggestions(answer: Answer, point: BranchPoint, words: Words) -> list[str]:
    actions = {action.id: action for action in point.actions}
    return [words.label(actions[s["id"]]) for s in answer["suggestions"] if s["id"] in actions]


def _measure_next(
    found: Sequence[Mapping[str, Any]] | None, vocabulary: Vocabulary, reader: Reader
) -> list[str] | None:
    if found is None:
        return None
    return [
        reader.texts(
            "assessment.tells_about",
            feature=label_of(one["feature"], vocabulary, reader.words),
            outcome=reader.words.within(reader.words.label(vocabulary.outcomes[one["outcome"]])),
        )
        for one in found[:REASONS_IN_WORDS]
    ]


def _episode(
    answer: Answer, episode: Mapping[str, Any], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    """The path so far, each outcome's risk over it, and what moved it last."""
    path = [
        {
            "id": one["assessment_id"],
            "when": _time(one["index_time"]),
            "where": _of(vocabulary.branch_points[one["branch_point"]], "title", reader),
            "here": one["assessment_id"] == answer["assessment_id"],
        }
        for one in episode["assessments"]
    ]
    lines = []
    for name, points in episode["trajectory"].items():
        known = [
            {
                "at": one["index_time"], "when": _time(one["index_time"]), "p": one["probability"],
                "where": _of(vocabulary.branch_points[one["branch_point"]], "title", reader),
                "here": one["assessment_id"] == answer["assessment_id"],
            }
            for one in points
            if "probability" in one
        ]  # fmt: skip
        if len(known) < 2:
            continue
        label = reader.words.label(vocabulary.outcomes[name])
        mine: Mapping[str, Any] = next(
            (p for p in points if p["assessment_id"] == answer["assessment_id"]), {}
        )
        lines.append(
            {
                "label": label,
                "picture": trajectory(label, known, reader.texts, reader.numbers),
                "change": _change(mine.get("change"), vocabulary, reader),
            }
        )
    return {"path": path, "lines": lines}


def _change(
    change: Mapping[str, Any] | None, vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any] | None:
    if change is None:
        return None
    numbers = reader.numbers
    rows = [
        (
            label_of(one["feature"], vocabulary, reader.words),
            _shown(one["before"], one["feature"], vocabulary, reader),
            _shown(one["after"], one["feature"], vocabulary, reader),
            numbers.signed(one["change"]),
        )
        for one in change["features"]
    ]
    if change["base_value"]:
        rows.append((reader.texts("assessment.base"), "", "", numbers.signed(change["base_value"])))
    return {
        "rows": rows,
        "sum": numbers.signed(change["score"]),
        "points": numbers.points(change["probability"]) if "probability" in change else None,
        "same_model": change["same_model"],
    }


def _shown(value: Any, name: str, vocabulary: Vocabulary, reader: Reader) -> str:
    feature = vocabulary.features.get(name)
    return input_of(name, value, None if feature is None else feature.unit, vocabulary, reader)
