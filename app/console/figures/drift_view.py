"""What the page of drift shows: the figures of `/v1/monitoring/drift` in a reader's words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.console.figures.written import (
    NUMBER,
    Row,
    bin_label,
    chosen,
    fixed,
    model_label,
    of_the_callers,
    percent,
)
from app.console.frame.site import Reader
from app.console.pictures.drift import BARS, over_time, ranking, then_and_now
from app.console.pictures.picture import Picture
from models.vocabulary import Feature, Vocabulary
from monitoring.counting.profile import IMPLAUSIBLE, MISSING, UNSEEN
from monitoring.drift import FEWEST, FEWEST_FOR_SHARES, FEWEST_IN_SLICE
from monitoring.report.judged import asked_of, by_drift, feature_shift, limits, prediction_shift

STRIPS, MOVED = 6, 0.05
"""So many features are drawn over time, whose share of missing values moved so far within the window."""
DAY_US = 24 * 3600 * 1_000_000
FIRST = 3
"""Features whose distribution stands open."""
NOT = "not"


def drift_view(
    told: Mapping[str, Any],
    wanted: str | None,
    allowed: Collection[str] | None,
    vocabulary: Vocabulary,
    reader: Reader,
) -> dict[str, Any]:
    """Everything that the page shows.

    Parameters
    ----------
    wanted : str or None
        The model that was asked for; None is the first.
    allowed : collection of str or None
        Branch points of the caller; None is all.
    """
    models = of_the_callers(told["models"], allowed)
    model = chosen(models, wanted)
    return {
        "window": told["window"],
        "fewest": reader.numbers.plain(FEWEST),
        "assessments": reader.numbers.plain(told["assessments"]),
        "models": [_line(one, vocabulary, reader) for one in models],
        "model": None
        if model is None
        else _model(model, (told["since_us"], told["until_us"]), vocabulary, reader),
    }


def _line(model: Row, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    """A model in the table of all."""
    first = next((one for one in by_drift(model) if one["psi"] is not None), None)
    shift = None if first is None else feature_shift(model, first)
    return {
        "name": model["model"],
        "label": model_label(model["model"], vocabulary, reader),
        "version": model["version"],
        "answered": reader.numbers.plain(model["answered"]),
        "abstained": reader.numbers.plain(model["abstained"]),
        "first": None if first is None else _label(first["feature"], vocabulary, reader),
        "psi": None if first is None else fixed(first["psi"], reader.numbers),
        "verdict": None if shift is None else reader.texts(f"figures.shift_{shift}"),
        "severity": {"clearly": "bad", "somewhat": "warn", NOT: "good", None: ""}[shift],
        "prediction_psi": fixed(model["prediction_psi"], reader.numbers),
        "explanation": percent(model["explanation_drift"], reader.numbers),
    }


def _model(
    model: Row, window_us: tuple[int, int], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    asked = asked_of(model) or 0
    features = by_drift(model)
    told = [one for one in features if one["psi"] is not None]
    shown = [
        {
            "name": one["feature"],
            "picture": _distribution(one, asked, vocabulary, reader),
            "psi": fixed(one["psi"], reader.numbers),
        }
        for one in features
        if any(b["fitted_ratio"] is not None for b in one["bins"])
    ]
    return {
        "name": model["model"],
        "label": model_label(model["model"], vocabulary, reader),
        "version": model["version"],
        "asked": reader.numbers.plain(asked),
        "fewest": reader.numbers.plain(FEWEST),
        "fewest_shares": reader.numbers.plain(FEWEST_FOR_SHARES),
        "enough": asked >= FEWEST,
        "enough_for_shares": asked >= FEWEST_FOR_SHARES,
        "ranking": _ranking(model, told, vocabulary, reader) if told else None,
        "ranking_said": _ranking_said(model, told, vocabulary, reader),
        "first": shown[:FIRST] if asked >= FEWEST_FOR_SHARES else [],
        "others": shown[FIRST:] if asked >= FEWEST_FOR_SHARES else [],
        "course_told": any(n >= FEWEST_IN_SLICE for n in model["asked_over_time"]),
        "course": _course(model, window_us, vocabulary, reader),
        "missing": _missing(model, vocabulary, reader) if asked >= FEWEST_FOR_SHARES else None,
        "reasons": _reasons(model, vocabulary, reader) if asked >= FEWEST_FOR_SHARES else None,
        "reasons_said": _reasons_said(model, reader),
        "predictions": _predictions(model, reader) if asked >= FEWEST_FOR_SHARES else None,
        "predictions_said": _predictions_said(model, reader),
    }


def _label(name: str, vocabulary: Vocabulary, reader: Reader) -> str:
    feature = vocabulary.features.get(name)
    return name if feature is None else reader.words.label(feature)


def _ranking(model: Row, told: Sequence[Row], vocabulary: Vocabulary, reader: Reader) -> Picture:
    numbers, limit = reader.numbers, limits()
    rows = [
        {
            "label": _label(one["feature"], vocabulary, reader),
            "psi": one["psi"],
            "shown": fixed(one["psi"], numbers),
            "js": fixed(one["js"], numbers, 3),
            "shift": feature_shift(model, one) or NOT,
        }
        for one in told
    ]
    marked = {
        name: (limit[f"psi_{name}"], fixed(limit[f"psi_{name}"], numbers))
        for name in ("moderate", "large")
    }
    return ranking(rows, marked, reader.texts)


def _ranking_said(
    model: Row, told: Sequence[Row], vocabulary: Vocabulary, reader: Reader
) -> str | None:
    if not told:
        return None
    moved = [one for one in told if feature_shift(model, one) != NOT]
    if not moved:
        return reader.texts("figures.ranking_usual")
    names = ", ".join(_label(one["feature"], vocabulary, reader) for one in moved[:FIRST])
    return reader.texts("figures.ranking_attention", features=names)


def _distribution(feature: Row, asked: int, vocabulary: Vocabulary, reader: Reader) -> Picture:
    declared = vocabulary.features.get(feature["feature"])
    unit = None if declared is None else reader.words.unit(declared.unit)
    title = _label(feature["feature"], vocabulary, reader)
    if unit and unit != "1":
        title = f"{title} ({unit})"
    return then_and_now(
        title,
        _pairs(feature["bins"], asked, declared, reader),
        reader.texts("figures.share"),
        reader.texts,
        counts=True,
    )


def _pairs(
    bins: Sequence[Row], asked: int, feature: Feature | None, reader: Reader
) -> list[dict[str, Any]]:
    pairs = []
    for one in bins:
        # Nobody was implausible or unseen in fitting: without anybody now there is nothing to see.
        if one["bin"] in (IMPLAUSIBLE, UNSEEN) and not one["count"]:
            continue
        now = one["count"] / asked if asked else None
        pairs.append(_pair(bin_label(one["bin"], feature, reader), one["fitted_ratio"], now, reader)
                     | {"count": reader.numbers.plain(one["count"])})  # fmt: skip
    return pairs


def _pair(label: str, then: float | None, now: float | None, reader: Reader) -> dict[str, Any]:
    return {
        "label": label,
        "then": then,
        "now": now,
        "then_shown": percent(then, reader.numbers),
        "now_shown": percent(now, reader.numbers),
    }


def _missing(model: Row, vocabulary: Vocabulary, reader: Reader) -> Picture | None:
    found = []
    for one in model["features"]:
        then = next((b["fitted_ratio"] for b in one["bins"] if b["bin"] == MISSING), None)
        if then is not None and one["missing_ratio"] is not None:
            label = _label(one["feature"], vocabulary, reader)
            found.append(_pair(label, then, one["missing_ratio"], reader))
    if not found:
        return None
    found.sort(key=lambda pair: -abs(pair["now"] - pair["then"]))
    return then_and_now(
        reader.texts("figures.missing"), found[:BARS], reader.texts("figures.share"), reader.texts
    )


def _course(
    model: Row, window_us: tuple[int, int], vocabulary: Vocabulary, reader: Reader
) -> Picture | None:
    """What is missing more or less often from one part of the window to the next, the most moved first.

    None where nothing is: a strip that stays where it was tells less than the bars above it.
    """
    found = []
    for one in model["features"]:
        then = next((b["fitted_ratio"] for b in one["bins"] if b["bin"] == MISSING), None)
        now = one["missing_over_time"]
        told = [share for share in now if share is not None]
        if then is not None and told and max(told) - min(told) >= MOVED:
            found.append(
                (
                    max(told) - min(told),
                    {
                        "label": _label(one["feature"], vocabulary, reader),
                        "then": then,
                        "then_shown": percent(then, reader.numbers),
                        "now": now,
                        "shown": [percent(share, reader.numbers) for share in now],
                    },
                )
            )
    if not found:
        return None
    found.sort(key=lambda pair: -pair[0])
    return over_time(
        reader.texts("figures.course"),
        [course for _, course in found[:STRIPS]],
        _parts(window_us, len(model["asked_over_time"])),
        reader.texts,
    )


def _parts(window_us: tuple[int, int], count: int) -> list[tuple[str, str]]:
    """When the parts of a window begin (UTC): as short as an axis needs it, and whole."""
    since, until = window_us
    step = (until - since) / count
    begins = [datetime.fromtimestamp((since + i * step) / 1e6, UTC) for i in range(count)]
    within_days = until - since <= 2 * DAY_US
    return [
        (f"{one:%H:%M}" if within_days else f"{one:%m-%d}", f"{one:%m-%d %H:%M}") for one in begins
    ]


def _reasons(model: Row, vocabulary: Vocabulary, reader: Reader) -> Picture | None:
    found = []
    for one in model["features"]:
        then, now = one["mean_absolute_contribution_fitted"], one["mean_absolute_contribution"]
        if then is not None and now is not None:
            label = _label(one["feature"], vocabulary, reader)
            found.append(
                {"label": label, "then": then, "now": now,
                 "then_shown": fixed(then, reader.numbers, 3),
                 "now_shown": fixed(now, reader.numbers, 3)}
            )  # fmt: skip
    if not found:
        return None
    found.sort(key=lambda pair: -max(pair["then"], pair["now"]))
    return then_and_now(
        reader.texts("figures.reasons"), found[:BARS], reader.texts("figures.contribution"),
        reader.texts, percent=False,
    )  # fmt: skip


def _reasons_said(model: Row, reader: Reader) -> str | None:
    moved = model["explanation_drift"]
    if moved is None:
        return None
    key = "attention" if moved > limits()["explanation_drift"] else "usual"
    return reader.texts(
        f"figures.reasons_{key}",
        share=percent(moved, reader.numbers),
        limit=reader.numbers.percent(limits()["explanation_drift"], 0),
    )


def _predictions(model: Row, reader: Reader) -> Picture | None:
    if all(one["fitted_ratio"] is None for one in model["predictions"]):
        return None
    pairs = _pairs(model["predictions"], model["answered"], None, reader)
    if model["brier_score_expected"] is not None:
        for pair, one in zip(pairs, model["predictions"], strict=True):
            pair["label"] = _risk_bin(one["bin"], reader)
    return then_and_now(
        reader.texts("figures.predictions"), pairs, reader.texts("figures.share"), reader.texts,
        counts=True,
    )  # fmt: skip


def _risk_bin(label: str, reader: Reader) -> str:
    """A bin of risks in per cent."""
    place, _, ends = label.partition(": ")
    ends = NUMBER.sub(lambda found: f"{100 * float(found[0]):g}", ends)
    return f"{bin_label(f'{place}: {ends}', None, reader)}\u202f%"


def _predictions_said(model: Row, reader: Reader) -> str | None:
    found = prediction_shift(model)
    if found is None:
        return None
    return reader.texts(
        f"figures.predictions_{found}", psi=fixed(model["prediction_psi"], reader.numbers)
    )
