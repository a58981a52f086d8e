"""How one outcome of an answer is shown, wherever an answer is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.cds_hooks.wording import Words
from app.console.frame.site import Reader
from app.console.frame.words import Told, told_in
from app.console.pathway.point_view import bands_in_words, source_in_words
from app.console.pictures.picture import Picture
from app.console.pictures.risks import risk_waterfall, scale, waterfall
from app.schemas.statuses import ABSTAINED, ANSWERED, FALLBACK
from app.services.reference import References
from models.risk.calibration import probability_of_one
from models.risk.intervals import BINARY_METHOD, NUMERIC_METHOD
from models.vocabulary import YEARS, BranchPoint, Feature, Outcome, Vocabulary

Answer = Mapping[str, Any]
METHODS = {BINARY_METHOD: "method_of_risk", NUMERIC_METHOD: "method_of_number"}
REASONS_IN_WORDS = 5
LEAST_OF_A_HUNDRED = 0.1
SCORE = "score"


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
        "band_source": None if bands is None else source_in_words(bands.source, reader),
        "model": outcome.get("model"),
        "reference": outcome.get("reference"),
        "competing": _competing(declared, reader),
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
        if shown["in_log_odds"] and shown.get("cohort") is not None:
            shown["begins"] = reader.numbers.percent(probability_of_one(outcome["base_value"]))
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
    shown = reader.numbers.read_aloud(value)
    if unit == YEARS and isinstance(value, float):
        shown = reader.numbers.plain(
            int(value)
        )  # as people tell their age: years that are completed
    read = reader.words.unit(unit, value if isinstance(value, int | float) else None)
    return f"{shown} {read}" if read and read != "1" else shown


def worse_in_words(feature: Feature, reader: Reader) -> str | None:
    """Which end of a score is the worse one: a number without a unit does not tell."""
    if feature.group != SCORE or not feature.direction_sign:
        return None
    return reader.texts(
        f"assessment.{'higher' if feature.direction_sign > 0 else 'lower'}_is_worse"
    )


def _competing(declared: Outcome, reader: Reader) -> Told | None:
    """What an early death does to an outcome that it makes look better than it is: a stay, a cost."""
    if declared.directions_apply or not declared.competing:
        return None
    told = told_in(reader.language, declared, "competing")
    return Told(f"{told.text[0].upper()}{told.text[1:]}.", told.language)


def _severity(place: int, bands: int) -> str:
    """How loud a band is. The first is quiet, never good: who dies early has no long stay either.

    Examples
    --------
    >>> [_severity(place, 4) for place in range(4)], [_severity(place, 2) for place in range(2)]
    (['quiet', 'mild', 'warn', 'bad'], ['quiet', 'bad'])
    """
    if place == 0:
        return "quiet"
    return "bad" if place == bands - 1 else "warn" if place == bands - 2 else "mild"


def _of_so_many(lower: float, upper: float, level: str, reader: Reader) -> str:
    """An interval as patients that one can count: of 100, or of 1,000 where 100 are too few to differ."""
    group = 100 if lower >= LEAST_OF_A_HUNDRED else 1000
    return reader.texts(
        "assessment.sure_share",
        level=level,
        group=reader.numbers.plain(group),
        fewest=reader.numbers.plain(round(group * lower)),
        most=reader.numbers.plain(round(group * upper)),
    )


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
            "method": _method(interval["method"], reader),
        }
        shown["sure"] = _of_so_many(interval["lower"], interval["upper"], shown["level"], reader)
    marks.append(mark)
    if (cohort := outcome.get("cohort_probability")) is not None:
        marks.append({"who": texts("assessment.cohort"), "kind": "cohort", "p": cohort})
        shown["cohort"] = numbers.percent(cohort)
    if reference is not None and reference.get("probability") is not None:
        title = reference["title"][reader.language]
        marks.append({"who": title, "kind": "reference", "p": reference["probability"],
                      "lower": reference.get("lowest"), "upper": reference.get("highest")})  # fmt: skip
    beside = any(mark["kind"] == "reference" for mark in marks)
    title = f"assessment.on_a_scale{'_with_score' if beside else ''}"
    shown["pictures"] = [scale(texts(title, outcome=label), marks, texts, numbers)]
    return shown


def _method(method: str, reader: Reader) -> Told:
    """How an interval was made: our own ways in the reader's words, others as their makers told them."""
    key = METHODS.get(method)
    if key is None:
        return Told(method, "en")
    return Told(reader.texts(f"assessment.{key}"), reader.language)


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
            "method": _method(interval["method"], reader),
            "sure": reader.texts("assessment.sure_value", level=level, interval=ends),
        }
    return shown


def _waterfall(outcome: Answer, label: str, vocabulary: Vocabulary, reader: Reader) -> Picture:
    reasons = [
        {
            "label": label_of(one["feature"], vocabulary, reader.words),
            "value": input_of(one["feature"], one["value"], one["unit"], vocabulary, reader),
            "contribution": one["contribution"],
        }
        for one in outcome["attributions"]
    ]
    base, texts, numbers = outcome["base_value"], reader.texts, reader.numbers
    if "log_odds" in outcome:
        title = texts("assessment.reasons_of", outcome=label)
        return risk_waterfall(title, base, reasons, outcome["log_odds"], texts, numbers)
    title = texts("assessment.parts_of", outcome=label)
    unit = reader.words.unit(str(outcome.get("unit")))
    return waterfall(title, base, reasons, outcome["value"], unit, texts, numbers)


def _reasons(outcome: Answer, vocabulary: Vocabulary, reader: Reader) -> list[str]:
    """The strongest reasons in words, in the order and with the steps of the picture."""
    numbers, texts = reader.numbers, reader.texts
    told = []
    at, unit = outcome["base_value"], reader.words.unit(str(outcome.get("unit")))
    for one in outcome["attributions"][:REASONS_IN_WORDS]:
        step = one["contribution"]
        if not step:
            continue
        places = {
            "feature": label_of(one["feature"], vocabulary, reader.words),
            "value": input_of(one["feature"], one["value"], one["unit"], vocabulary, reader),
        }
        if "log_odds" in outcome:
            before, after = probability_of_one(at), probability_of_one(at + step)
            key = "raises_risk" if step > 0 else "lowers_risk"
            places |= {
                "points": numbers.decimal(100 * (after - before)),
                "before": numbers.percent(before),
                "after": numbers.percent(after),
            }
        else:
            key = "raises_value" if step > 0 else "lowers_value"
            places |= {"much": f"{numbers.decimal(step)} {unit}"}
        told.append(texts(f"assessment.{key}", **places))
        at += step
    return told
