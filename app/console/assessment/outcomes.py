"""How one outcome of an answer is shown, wherever an answer is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.cds_hooks.wording import Words
from app.console.frame.site import Reader
from app.console.frame.words import told_in
from app.console.pathway.point_view import bands_in_words
from app.console.pictures.risks import scale, waterfall
from app.schemas.statuses import ABSTAINED, ANSWERED, FALLBACK
from app.services.reference import References
from models.risk.calibration import probability_of_one
from models.vocabulary import BranchPoint, Vocabulary

Answer = Mapping[str, Any]
REASONS_IN_WORDS = 5


def outcome_view(
    outcome: Answer,
    references: References,
    point: BranchPoint,
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:
    """One outcome: its risk, interval, band, pictures and reasons, or why there is none."""
    declared, words = vocabulary.outcomes[outcome["outcome"]], reader.words
    label = words.label(declared)
    shown: dict[str, Any] = {
        "name": outcome["outcome"],
        "label": label,
        "definition": told_in(reader.language, declared, "definition"),
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
        "bands": None if bands is None else ", ".join(bands_in_words(bands, reader)),
        "band_source": None if bands is None else bands.source,
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
        shown["in_log_odds"] = "log_odds" in outcome
        shown["pictures"].append(_waterfall(outcome, label, vocabulary, reader))
        shown["reasons"] = _reasons(outcome, vocabulary, reader)
        shown["cited"] = reference
    return shown


def unanswered(outcomes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Why no risk is given, and of which outcomes."""
    by_reason: dict[str, list[str]] = {}
    for one in outcomes:
        if one["status"] == ABSTAINED:
            by_reason.setdefault(one["why"], []).append(one["label"])
    return [(why, ", ".join(labels)) for why, labels in by_reason.items()]


def warning(one: Mapping[str, str], vocabulary: Vocabulary, words: Words) -> str:
    """What was set aside or treated otherwise than it came."""
    known = words.warnings
    label = label_of(one.get("feature", ""), vocabulary, words)
    return known.get(one["code"], known["set_aside"]).format(feature=label)


def label_of(name: str, vocabulary: Vocabulary, words: Words) -> str:
    """The label of an input; the name of one that is no longer declared."""
    feature = vocabulary.features.get(name)
    return name if feature is None else words.label(feature)


def input_of(
    name: str, value: Any, unit: str | None, vocabulary: Vocabulary, reader: Reader
) -> str:
    """The value of an input: a category by its label, a number with its unit."""
    feature = vocabulary.features.get(name)
    if feature is not None and isinstance(value, str):
        return feature.category_label(value, reader.language)
    return value_of(value, unit, reader)


def value_of(value: Any, unit: str | None, reader: Reader) -> str:
    """A value with its unit."""
    if value is None:
        return reader.texts("assessment.not_known")
    if isinstance(value, bool):
        return reader.texts("frame.yes" if value else "frame.no")
    shown = reader.numbers.plain(value)
    read = reader.words.unit(unit, value if isinstance(value, int | float) else None)
    return f"{shown} {read}" if read and read != "1" else shown


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
        shown["sure"] = texts(
            "assessment.sure_share", level=shown["level"], interval=shown["interval"]
        )
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
        return value_of(round(value, 1), unit, reader)

    shown: dict[str, Any] = {
        "risk": told(outcome["value"]),
        "interval": None,
        "level": None,
        "cohort": None if outcome.get("cohort_value") is None else told(outcome["cohort_value"]),
        "pictures": [],
    }
    if (interval := outcome.get("interval")) is not None:
        lower = reader.numbers.plain(round(interval["lower"], 1))
        ends, level = (
            f"{lower}–{told(interval['upper'])}",
            reader.numbers.percent(interval["level"], 0),
        )
        shown |= {
            "interval": ends,
            "level": level,
            "method": interval["method"],
            "sure": reader.texts("assessment.sure_value", level=level, interval=ends),
        }
    return shown


def _waterfall(outcome: Answer, label: str, vocabulary: Vocabulary, reader: Reader) -> Any:
    reasons = [
        {
            "label": label_of(one["feature"], vocabulary, reader.words),
            "value": input_of(one["feature"], one["value"], one["unit"], vocabulary, reader),
            "contribution": one["contribution"],
        }
        for one in outcome["attributions"]
    ]
    score = outcome.get("log_odds", outcome.get("value"))
    unit = reader.texts("pictures.log_odds") if "log_odds" in outcome else str(outcome.get("unit"))
    kind = "reasons_of" if "log_odds" in outcome else "parts_of"
    title = reader.texts(f"assessment.{kind}", outcome=label)
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
            "feature": label_of(one["feature"], vocabulary, reader.words),
            "value": input_of(one["feature"], one["value"], one["unit"], vocabulary, reader),
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
            unit = str(outcome.get("unit"))
            much = f"{reader.numbers.decimal(one['contribution'])} {reader.words.unit(unit)}"
            told.append(reader.texts(f"assessment.{key}", **places, much=much))
    return told
