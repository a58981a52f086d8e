"""What the page of one branch point shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.console.frame.site import Reader
from app.console.frame.words import Told, told_in
from app.console.pathway.view import Standing, outcome_rows, traffic_in_words
from models.reference_scores import SCORES
from models.vocabulary import BranchPoint, Feature, Vocabulary
from models.vocabulary.bands import Bands

OWN_PROPOSAL = "product proposal, to be set by the site"


def point_view(
    standing: Standing, vocabulary: Vocabulary, reader: Reader, *, counted: bool
) -> dict[str, Any]:
    """Everything that the page shows."""
    point = standing.point
    states = {row["outcome"]: row for row in outcome_rows(standing, vocabulary, reader)}
    return {
        "id": point.id,
        "title": getattr(point, f"title_{reader.language}"),
        "question": getattr(point, f"question_{reader.language}"),
        "stage": reader.numbers.plain(point.stage),
        "hook": point.hook,
        "purpose": told_in(reader.language, point, "intended_purpose"),
        "who": told_in(reader.language, point, "who"),
        "regulatory": told_in(reader.language, point, "regulatory_note"),
        "silent": standing.silent,
        "counted": counted,
        "traffic": traffic_in_words(standing.traffic, reader),
        "synthetic": any(row["synthetic"] for row in states.values()),
        "outcomes": sorted(
            (
                _outcome(name, bands, states[name], vocabulary, reader)
                for name, bands in point.outcomes.items()
            ),
            key=lambda one: one["version"] is None,
        ),
        "inputs": [_input(name, point, vocabulary, reader) for name in point.features],
        "actions": [
            {
                "id": one.id,
                "label": reader.words.label(one),
                "when": ", ".join(_band(name, reader) for name in one.bands),
                "outcome": reader.words.label(vocabulary.outcomes[one.outcome]),
                "source": one.source,
                "capacity": one.capacity,
            }
            for one in point.actions
        ],
        "scores": [
            getattr(SCORES[name], f"title_{reader.language}") for name in point.reference_scores
        ],
        "may_try": reader.may("assess"),
    }


def _outcome(
    name: str, bands: Bands | None, state: dict[str, Any], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    outcome = vocabulary.outcomes[name]
    unit = outcome.unit
    return state | {
        "definition": told_in(reader.language, outcome, "definition"),
        "competing": None
        if outcome.competing is None
        else told_in(reader.language, outcome, "competing"),
        "horizon": None
        if outcome.horizon_days is None
        else reader.numbers.plain(outcome.horizon_days),
        "unit": None if unit is None else reader.words.unit(unit),
        "bands": [] if bands is None else bands_in_words(bands, reader),
        "band_source": None if bands is None else source_in_words(bands.source, reader),
    }


def bands_in_words(bands: Bands, reader: Reader) -> list[str]:
    """Every band with where it ends; the last is what is left."""
    told = [
        reader.texts(
            "pathway.band_below", band=_band(name, reader), limit=reader.numbers.percent(limit, 0)
        )
        for name, limit in zip(bands.names, bands.limits, strict=False)
    ]
    last = _band(bands.names[-1], reader)
    if not bands.limits:
        return [last]
    limit = reader.numbers.percent(bands.limits[-1], 0)
    return [*told, reader.texts("pathway.band_from", band=last, limit=limit)]


def source_in_words(source: str, reader: Reader) -> Told:
    """Who says so: our own proposal in the reader's language, a publication as it is cited."""
    if source == OWN_PROPOSAL:
        return Told(reader.texts("pathway.own_proposal"), reader.language)
    return Told(source, "en")


def _band(name: str, reader: Reader) -> str:
    return reader.words.bands.get(name, name)


def _input(name: str, point: BranchPoint, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    feature = vocabulary.features[name]
    age = point.maximum_age_hours.get(name, feature.maximum_age_hours)
    return {
        "name": name,
        "label": reader.words.label(feature),
        "required": name in point.required,
        "unit": reader.words.unit(feature.unit),
        "range": _range(feature, reader),
        "age": None if age is None else reader.texts("pathway.hours", hours=reader.numbers.plain(age)),
        "codes": _codes(feature),
    }  # fmt: skip


def _range(feature: Feature, reader: Reader) -> str:
    """What may be sent: limits, categories, or yes and no."""
    if feature.plausible is not None:
        lowest, highest = (reader.numbers.plain(limit) for limit in feature.plausible)
        return f"{lowest}–{highest}"
    if feature.categories:
        # Some labels hold a comma.
        return "; ".join(feature.category_label(one, reader.language) for one in feature.categories)
    if feature.kind == "flag":
        return f"{reader.texts('frame.yes')}, {reader.texts('frame.no')}"
    return feature.pattern or ""


def _codes(feature: Feature) -> Sequence[str]:
    return [f"{system} {code}" for system, codes in feature.codes.items() for code in codes]
