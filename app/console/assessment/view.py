"""What the page of an assessment shows: the stored answer in a reader's words and numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from app.cds_hooks.wording import Words
from app.console.assessment.contradictions import (
    Astray,
    Contradicted,
    Path,
    astray,
    contradicted,
)
from app.console.assessment.outcomes import (
    Answer,
    input_of,
    label_of,
    outcome_view,
    unanswered,
    warning,
    worse_in_words,
)
from app.console.assessment.trust import trust_view
from app.console.frame.numbers import TO
from app.console.frame.site import Reader
from app.console.pictures.risks import trajectory
from app.schemas.statuses import ABSTAINED, ANSWERED, SILENT
from app.services.assess import SOCIAL
from app.services.explain import Explained
from app.services.reference import References
from models.risk.measure_next import Worth
from models.vocabulary import BranchPoint, Vocabulary

MOST_TELLING = 6
LATER = timedelta(hours=1)
"""An answer that was worked out so long after its moment says so."""
LEAST_SHOWN = 0.005
"""Of a change in log-odds: less is written 0.00."""


def assessment_view(explained: Explained, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    """Everything that the page shows."""
    answer, inputs, path = explained.answer, explained.inputs, explained.path
    point = vocabulary.branch_points[answer["branch_point"]]
    of, calculated = (
        datetime.fromisoformat(answer["index_time"]),
        datetime.fromtimestamp(explained.calculated_us / 1e6, UTC),
    )
    references = References(point, explained.values, vocabulary)
    outcomes = [
        outcome_view(outcome, references, point, vocabulary, reader)
        for outcome in answer["outcomes"]
    ]
    strangers = contradicted(answer["assessment_id"], path, vocabulary.features)
    return {
        "id": answer["assessment_id"],
        "point": _of(point, "title", reader),
        "question": _of(point, "question", reader),
        "when": _time(answer["index_time"]),
        "calculated": f"{calculated:%Y-%m-%d %H:%M} UTC",
        "later": calculated - of > LATER,
        "silent": answer["status"] == SILENT,
        "synthetic": any(outcome["synthetic"] for outcome in outcomes),
        "outcomes": [
            one | {"before": _before(one["name"], explained, strangers, reader)}
            for one in outcomes
            if one["status"] != ABSTAINED
        ],
        "trust": trust_view(answer, explained.served, point, vocabulary, reader),
        "another_person": _another_person(answer, path, strangers, vocabulary, reader),
        "astray": [
            _astray(one, vocabulary, reader)
            for one in astray(answer["assessment_id"], path, strangers)
        ],
        "unanswered": unanswered(outcomes),
        "used": [_input(name, row, vocabulary, reader) for name, row in inputs.items()],
        "warnings": [warning(one, vocabulary, reader.words) for one in answer["warnings"]],
        "suggestions": _suggestions(answer, point, vocabulary, reader.words),
        "unknown": _unknown(answer, explained.unknown, vocabulary, reader),
        "episode": _episode(explained, strangers, vocabulary, reader) if path else None,
        "policy": answer["deidentification"]["policy_version"],
    }


def _another_person(
    answer: Answer,
    path: Path,
    strangers: Sequence[Contradicted],
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any] | None:
    """The answer and those that contradict it, by the facts in which any of them does."""
    if not strangers:
        return None
    facts = list(dict.fromkeys(fact for one in strangers for fact in one.facts))
    told = {one["assessment_id"]: (one, inputs) for one, inputs in path}

    def row(assessment_id: str) -> dict[str, Any]:
        one, inputs = told[assessment_id]
        return {
            "id": assessment_id,
            "when": _time(one["index_time"]),
            "values": [
                _shown(inputs[fact]["value"], fact, vocabulary, reader) if fact in inputs else TO
                for fact in facts
            ],
        }

    return {
        "count": len(strangers),
        "all": len(path) - 1,
        "facts": [label_of(fact, vocabulary, reader.words) for fact in facts],
        "here": row(answer["assessment_id"]),
        "others": [row(one.assessment_id) for one in strangers],
    }


def _before(
    outcome: str, explained: Explained, strangers: Sequence[Contradicted], reader: Reader
) -> tuple[str, str] | None:
    """The risk in the answer before this one in its episode, and when; nothing across two people."""
    earlier = None
    for point in explained.trajectory.get(outcome, ()):
        if point["assessment_id"] == explained.answer["assessment_id"]:
            break
        if _figure(point) is not None:
            earlier = point
    if strangers or earlier is None:
        return None
    unit = _units(explained.answer).get(outcome)
    return _answer(_figure(earlier) or 0.0, unit, reader), _time(earlier["index_time"])


def _figure(point: Mapping[str, Any]) -> float | None:
    """What an outcome was answered with: a probability, or a number in its unit; None where it was not."""
    figure: float | None = point.get("probability", point.get("value"))
    return figure


def _units(answer: Answer) -> dict[str, str | None]:
    """Answered outcomes with their units; a risk has none."""
    return {
        one["outcome"]: None if one["kind"] == "binary" else one["unit"]
        for one in answer["outcomes"]
        if one["status"] != ABSTAINED
    }


def _astray(one: Astray, vocabulary: Vocabulary, reader: Reader) -> str:
    return reader.texts(
        "assessment.astray",
        feature=label_of(one.feature, vocabulary, reader.words),
        was=reader.numbers.plain(one.was),
        now=reader.numbers.plain(one.now),
        days=reader.numbers.decimal(one.days),
    )


def _time(told: str) -> str:
    return f"{datetime.fromisoformat(told):%Y-%m-%d %H:%M} UTC"


def _of(row: Any, what: str, reader: Reader) -> str:
    told: str = getattr(row, f"{what}_{reader.language}")
    return told


def _input(
    name: str, row: Mapping[str, Any], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    feature = vocabulary.features[name]
    minutes = row.get("minutes_before")
    return {
        "name": name,
        "label": reader.words.label(feature),
        "worse": worse_in_words(feature, reader),
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


def _suggestions(
    answer: Answer, point: BranchPoint, vocabulary: Vocabulary, words: Words
) -> list[tuple[str, str]]:
    """What the branch point proposes, and the answer that raises it."""
    actions = {action.id: action for action in point.actions}
    bands = {one["outcome"]: one["band"] for one in answer["outcomes"] if one.get("band")}
    told = []
    for action in (actions[one["id"]] for one in answer["suggestions"] if one["id"] in actions):
        band = bands[action.outcome]
        said = words.within(words.label(vocabulary.outcomes[action.outcome]))
        told.append((words.label(action), f"{said}: {words.bands.get(band, band)}"))
    return told


def _unknown(
    answer: Answer,
    could: Mapping[str, Mapping[str, Worth]] | None,
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:
    """What is not known, with what knowing it could do to each answer, and what would move none.

    What somebody can measure stands first, in the order of the first answer's ranges, widest on top; how
    a patient lives is told apart. An answer that lies beside its range is one that the not knowing moved.
    """
    answered = [one for one in answer["outcomes"] if one["status"] == ANSWERED]
    units, now = _units(answer), {one["outcome"]: _figure(one) or 0.0 for one in answered}
    social = {name for name in (could or {}) if vocabulary.features[name].group == SOCIAL}
    to_measure = {name: worths for name, worths in (could or {}).items() if name not in social}
    widest = {
        one: max((_width(worths, one) for worths in to_measure.values()), default=0.0)
        for one in now
    }

    def row(name: str, worths: Mapping[str, Worth]) -> dict[str, Any]:
        return {
            "name": name,
            "label": label_of(name, vocabulary, reader.words),
            "could": [
                {
                    "told": _range(worths[one], units[one], reader),
                    "widest": 0 < widest[one] == _width(worths, one) and name in to_measure,
                    "beside": not worths[one].lowest <= now[one] <= worths[one].highest,
                }
                if one in worths
                else None
                for one in now
            ],
        }

    rows = [row(name, to_measure[name]) for name in _widest_first(to_measure, tuple(now))]
    lives = [row(name, (could or {})[name]) for name in (could or {}) if name in social]
    return {
        "told": could is not None,
        "heads": [
            {
                "label": reader.words.label(vocabulary.outcomes[one]),
                "now": _answer(now[one], units[one], reader),
            }
            for one in now
        ],
        "first": rows[:MOST_TELLING],
        "then": rows[MOST_TELLING:],
        "lives": lives,
        "beside": any(cell["beside"] for one in rows + lives for cell in one["could"] if cell),
        "rest": [
            label_of(name, vocabulary, reader.words)
            for name in answer["missing"]
            if name not in (could or {})
        ],
    }


def _widest_first(could: Mapping[str, Mapping[str, Worth]], outcomes: Sequence[str]) -> list[str]:
    """Inputs by the width of the first answer's range, ties by the next answer's."""
    return sorted(could, key=lambda name: [-_width(could[name], one) for one in outcomes])


def _width(worths: Mapping[str, Worth], outcome: str) -> float:
    worth = worths.get(outcome)
    return 0.0 if worth is None else worth.highest - worth.lowest


def _range(worth: Worth, unit: str | None, reader: Reader) -> str:
    if unit is None:
        return reader.numbers.percents(worth.lowest, worth.highest)
    return f"{reader.numbers.decimal(worth.lowest)}{TO}{_answer(worth.highest, unit, reader)}"


def _answer(value: float, unit: str | None, reader: Reader) -> str:
    if unit is None:
        return reader.numbers.percent(value)
    return f"{reader.numbers.decimal(value)} {reader.words.unit(unit, value)}"


def _episode(
    explained: Explained,
    strangers: Sequence[Contradicted],
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:
    """The path so far, each outcome's risk over it, and what moved it last.

    Nothing is joined or compared across answers that seem to be about two people.
    """
    own, units = explained.answer["assessment_id"], _units(explained.answer)
    of_others = {one.assessment_id for one in strangers}

    def seen(one: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "when": _time(one["index_time"]),
            "where": _of(vocabulary.branch_points[one["branch_point"]], "title", reader),
            "here": one["assessment_id"] == own,
            "stranger": one["assessment_id"] in of_others,
        }

    path = [{"id": one["assessment_id"], **seen(one)} for one, _ in explained.path]
    lines = []
    for name, points in explained.trajectory.items():
        unit = units.get(name)
        known = [
            {
                "at": one["index_time"],
                "figure": _figure(one),
                "shown": reader.numbers.percent(_figure(one) or 0.0)
                if unit is None
                else reader.numbers.decimal(_figure(one) or 0.0),
                **seen(one),
            }
            for one in points
            if _figure(one) is not None
        ]
        if len(known) < 2:
            continue
        label = reader.words.label(vocabulary.outcomes[name])
        change = next((p.get("change") for p in points if p["assessment_id"] == own), None)
        if change is not None and change["since"] in of_others:
            change = None
        lines.append(
            {
                "label": label,
                "picture": trajectory(label, known, unit and reader.words.unit(unit), reader.texts),
                "change": _change(change, unit, vocabulary, reader),
            }
        )
    return {"path": path, "lines": lines, "across": bool(strangers)}


def _change(
    change: Mapping[str, Any] | None, unit: str | None, vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any] | None:
    if change is None:
        return None
    numbers, texts = reader.numbers, reader.texts
    together = numbers.signed(change["score"])
    told = None if unit is None else reader.words.unit(unit)
    rows = [
        (
            label_of(one["feature"], vocabulary, reader.words),
            _shown(one["before"], one["feature"], vocabulary, reader),
            _shown(one["after"], one["feature"], vocabulary, reader),
            numbers.signed(one["change"]),
        )
        for one in change["features"]
        if abs(one["change"]) >= LEAST_SHOWN
    ]
    rest = [one["change"] for one in change["features"] if abs(one["change"]) < LEAST_SHOWN]
    if any(rest):
        others = reader.texts("assessment.other_changes", count=len(rest))
        rows.append((others, "", "", numbers.signed(sum(rest))))
    if change["base_value"]:
        rows.append((reader.texts("assessment.base"), "", "", numbers.signed(change["base_value"])))
    return {
        "rows": rows,
        "head": texts("assessment.change")
        if told is None
        else texts("assessment.change_in", unit=told),
        "sum": texts("assessment.changed_sum", sum=together)
        if told is None
        else texts("assessment.changed_value", sum=together, unit=told),
        "points": numbers.points(change["probability"]) if "probability" in change else None,
        "most": ", ".join(
            f"{what} ({before} \N{RIGHTWARDS ARROW} {after})"
            for what, before, after, _ in rows[:2]
            if after
        ),
        "same_model": change["same_model"],
    }


def _shown(value: Any, name: str, vocabulary: Vocabulary, reader: Reader) -> str:
    feature = vocabulary.features.get(name)
    return input_of(name, value, None if feature is None else feature.unit, vocabulary, reader)
