"""What the page of an assessment shows: the stored answer in a reader's words and numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.cds_hooks.wording import Words
from app.console.frame.site import Reader
from app.console.pictures.risks import scale, trajectory, waterfall
from app.schemas.statuses import ABSTAINED, ANSWERED, FALLBACK, SILENT
from app.services.explain import Explained
from app.services.reference import References
from models.risk.calibration import probability_of_one
from models.vocabulary import BranchPoint, Vocabulary

Answer = Mapping[str, Any]
REASONS_IN_WORDS = 5


def assessment_view(explained: Explained, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    """Everything that the page shows."""
    answer, inputs, episode = explained.answer, explained.inputs, explained.episode
    point = vocabulary.branch_points[answer["branch_point"]]
    references = References(point, explained.values, vocabulary)
    outcomes = [
        _outcome(outcome, references, point, vocabulary, reader) for outcome in answer["outcomes"]
    ]
    return {
        "id": answer["assessment_id"],
        "point": _of(point, "title", reader),
        "question": _of(point, "question", reader),
        "when": _time(answer["index_time"]),
        "silent": answer["status"] == SILENT,
        "synthetic": any(outcome["synthetic"] for outcome in outcomes),
        "outcomes": [one for one in outcomes if one["status"] != ABSTAINED],
        "unanswered": _unanswered(outcomes),
        "used": [_input(name, row, vocabulary, reader) for name, row in inputs.items()],
        "missing": [_label(name, vocabulary, reader.words) for name in answer["missing"]],
        "warnings": [_warning(one, vocabulary, reader.words) for one in answer["warnings"]],
        "suggestions": _suggestions(answer, point, reader.words),
        "measure_next": _measure_next(explained.measure_next, vocabulary, reader),
        "episode": None if episode is None else _episode(answer, episode, vocabulary, reader),
        "policy": answer["deidentification"]["policy_version"],
    }


def _unanswered(outcomes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Why no risk is given, and of which outcomes."""
    by_reason: dict[str, list[str]] = {}
    for one in outcomes:
        if one["status"] == ABSTAINED:
            by_reason.setdefault(one["why"], []).append(one["label"])
    return [(why, ", ".join(labels)) for why, labels in by_reason.items()]


def _of(row: Any, what: str, reader: Reader) -> str:
    told: str = getattr(row, f"{what}_{reader.language}")
    return told


def _label(name: str, vocabulary: Vocabulary, words: Words) -> str:
    feature = vocabulary.features.get(name)
    return name if feature is None else words.label(feature)


def _time(told: str) -> str:
    return f"{datetime.fromisoformat(told):%Y-%m-%d %H:%M} UTC"


def _value(value: Any, unit: str | None, reader: Reader) -> str:
    if value is None:
        return reader.texts("assessment.not_known")
    if isinstance(value, bool):
        return reader.texts("frame.yes" if value else "frame.no")
    shown = reader.numbers.plain(value)
    read = reader.words.units.get(unit or "", unit or "")
    return f"{shown} {read}" if read and read != "1" else shown


def _input(
    name: str, row: Mapping[str, Any], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    feature = vocabulary.features[name]
    minutes = row.get("minutes_before")
    return {
        "name": name,
        "label": reader.words.label(feature),
        "value": _value(row["value"], feature.unit, reader),
        "age": None if minutes is None else _ago(minutes, reader),
        "codes": ", ".join(f"{k} {c}" for k, codes in feature.codes.items() for c in codes),
    }


def _ago(minutes: int, reader: Reader) -> str:
    if minutes < 120:
        return reader.texts("assessment.minutes_before", count=minutes)
    if minutes < 2880:
        return reader.texts("assessment.hours_before", count=minutes // 60)
    return reader.texts("assessment.days_before", count=minutes // 1440)


def _outcome(
    outcome: Answer,
    references: References,
    point: BranchPoint,
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:
    declared, words = vocabulary.outcomes[outcome["outcome"]], reader.words
    label = words.label(declared)
    shown: dict[str, Any] = {
        "name": outcome["outcome"],
        "label": label,
        "definition": declared.definition,
        "status": outcome["status"],
        "synthetic": outcome.get("model", {}).get("training_data") == "synthetic",
        "risk": None,
    }
    if outcome["status"] not in (ANSWERED, FALLBACK):
        return shown | {"why": words.why.get(outcome.get("reason", ""), outcome.get("reason", ""))}
    bands = point.outcomes[outcome["outcome"]]
    band = outcome.get("band")
    place = None if bands is None or band is None else bands.names.index(band)
    shown |= {
        "band": None if band is None else words.bands.get(band, band),
        "severity": None if place is None or bands is None else _severity(place, len(bands.names)),
        "model": outcome.get("model"),
        "reference": outcome.get("reference"),
        "pictures": [],
    }
    reference = references.beside(outcome["outcome"]) if outcome["kind"] == "binary" else None
    if outcome["kind"] == "binary":
        shown |= _risk(outcome, label, reference, reader)
    else:
        shown |= _quantity(outcome, declared.unit, reader)
    if "attributions" in outcome and "base_value" in outcome:
        shown["pictures"].append(_waterfall(outcome, label, vocabulary, reader))
        shown["reasons"] = _reasons(outcome, vocabulary, reader)
        shown["cited"] = reference
    return shown


def _severity(place: int, bands: int) -> str:
    """How loud a band is: the first is quiet, the last is loud."""
    return "good" if place == 0 else "bad" if place == bands - 1 else "warn"


def _risk(
    outcome: Answer, label: str, reference: Mapping[str, Any] | None, reader: Reader
) -> dict[str, Any]:
    numbers, texts, p = reader.numbers, reader.texts, outcome["probability"]
    marks: list[dict[str, Any]] = []
    shown: dict[str, Any] = {"risk": numbers.percent(p), "interval": None, "level": None}
    mark = {"who": texts("assessment.this_patient"), "kind": "model", "p": p}
    if interval := outcome.get("interval"):
        mark |= {"lower": interval["lower"], "upper": interval["upper"]}
        shown |= {
            "interval": numbers.percents(interval["lower"], interval["upper"]),
            "level": numbers.percent(interval["level"], 0),
            "method": interval["method"],
        }
    marks.append(mark)
    if (cohort := outcome.get("cohort_probability")) is not None:
        marks.append({"who": texts("assessment.cohort"), "kind": "cohort", "p": cohort})
        shown["cohort"] = numbers.percent(cohort)
    if reference is not None and reference.get("probability") is not None:
        title = reference["title"][reader.language]
        marks.append({"who": title, "kind": "reference", "p": reference["probability"],
                      "lower": reference.get("lowest"), "upper": reference.get("highest")})  # fmt: skip
    shown["pictures"] = [scale(label, marks, texts, numbers)]
    return shown


def _quantity(outcome: Answer, unit: str | None, reader: Reader) -> dict[str, Any]:
    def told(value: float) -> str:
        return _value(round(value, 1), unit, reader)

    interval = outcome.get("interval")
    return {
        "risk": told(outcome["value"]),
        "interval": None if interval is None
        else f"{reader.numbers.plain(round(interval['lower'], 1))}–{told(interval['upper'])}",
        "level": None if interval is None else reader.numbers.percent(interval["level"], 0),
        "method": None if interval is None else interval["method"],
        "cohort": None if outcome.get("cohort_value") is None else told(outcome["cohort_value"]),
        "pictures": [],
    }  # fmt: skip


def _waterfall(outcome: Answer, label: str, vocabulary: Vocabulary, reader: Reader) -> Any:
    reasons = [
        {
            "label": _label(one["feature"], vocabulary, reader.words),
            "value": _value(one["value"], one["unit"], reader),
            "contribution": one["contribution"],
        }
        for one in outcome["attributions"]
    ]
    score = outcome.get("log_odds", outcome.get("value"))
    unit = reader.texts("pictures.log_odds") if "log_odds" in outcome else str(outcome.get("unit"))
    title = reader.texts("assessment.reasons_of", outcome=label)
    return waterfall(title, outcome["base_value"], reasons, float(score or 0.0), unit,
                     reader.texts, reader.numbers)  # fmt: skip


def _reasons(outcome: Answer, vocabulary: Vocabulary, reader: Reader) -> list[str]:
    """The strongest reasons in words: how much higher or lower the risk is with them than without.

    The difference is between the risk as answered and the risk with this one contribution taken out
    of its log-odds; such differences do not add up, contributions do.
    """
    told = []
    for one in outcome["attributions"][:REASONS_IN_WORDS]:
        if not one["contribution"]:
            continue
        places = {
            "feature": _label(one["feature"], vocabulary, reader.words),
            "value": _value(one["value"], one["unit"], reader),
        }
        if "log_odds" in outcome:
            without = probability_of_one(outcome["log_odds"] - one["contribution"])
            moved = outcome["probability"] - without
            key = "raises_risk" if moved >= 0 else "lowers_risk"
            told.append(
                reader.texts(
                    f"assessment.{key}", **places, points=reader.numbers.decimal(100 * moved)
                )
            )
        else:
            key = "raises_value" if one["contribution"] >= 0 else "lowers_value"
            much = reader.numbers.decimal(one["contribution"])
            told.append(reader.texts(f"assessment.{key}", **places, much=much))
    return told


def _warning(one: Mapping[str, str], vocabulary: Vocabulary, words: Words) -> str:
    known = words.warnings
    label = _label(one.get("feature", ""), vocabulary, words)
    return known.get(one["code"], known["set_aside"]).format(feature=label)


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
            feature=_label(one["feature"], vocabulary, reader.words),
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
            _label(one["feature"], vocabulary, reader.words),
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
    return _value(value, None if feature is None else feature.unit, reader)
