"""What the page of outcomes shows: the figures of `/v1/monitoring/performance` in words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
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
from app.console.frame.numbers import TO
from app.console.frame.site import Reader
from app.console.pictures.outcomes import calibration, cusum, funnel, ratios, vlad
from app.console.pictures.picture import Picture
from models.vocabulary import Vocabulary
from monitoring.observed_expected import LEVEL, OUTER_LEVEL, funnel_limits
from monitoring.report.judged import limits, standing
from monitoring.report.outcome_pictures import wilson

DAY_S = 86_400
STEPS = 120
LEVELS = {"95": LEVEL, "998": OUTER_LEVEL}


def outcomes_view(
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
        The model that was asked for; None is the first with a known outcome.
    allowed : collection of str or None
        Branch points of the caller; None is all.
    """
    models = of_the_callers(told["models"], allowed)
    known = [one for one in models if one["figures"]["n"]]
    model = chosen(models, wanted or (known[0]["model"] if known else None))
    return {
        "models": [_line(one, vocabulary, reader) for one in models],
        "matured": any(one["matured"] or one["figures"]["n"] for one in models),
        "ratios": _ratios(known, vocabulary, reader),
        "ratios_said": _ratios_said(known, vocabulary, reader),
        "model": None if model is None else _model(model, told, vocabulary, reader),
        "labels_coverage": reader.numbers.percent(limits()["coverage"], 0),
        "labels_days": reader.numbers.plain(limits()["outcome_delay_s"] / DAY_S),
        "delays": _delays(told["delays"], allowed, vocabulary, reader),
    }


def _line(model: Row, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    """A model in the table of all."""
    numbers, own = reader.numbers, model["figures"]
    error = own["calibration_error"]
    coverage = model["coverage"]
    return {
        "name": model["model"],
        "label": model_label(model["model"], vocabulary, reader),
        "version": model["version"],
        "matured": numbers.plain(model["matured"]),
        "known": numbers.plain(own["n"]),
        "few": own["few"],
        "events": numbers.plain(own["observed"]),
        "expected": fixed(own["expected"], numbers, 1),
        "ratio": fixed(own["ratio"], numbers),
        "interval": _between(own, reader),
        "auroc": fixed(own["auroc"], numbers),
        "brier": fixed(own["brier"], numbers, 3),
        "brier_expected": fixed(own["brier_expected"], numbers, 3),
        "slope": fixed(own["slope"], numbers),
        "calibration_error": fixed(None if error is None else 100 * error, numbers, 1),
        "coverage": percent(coverage, numbers),
        "covered": coverage is None or coverage >= limits()["coverage"],
    }


def _between(figures: Row, reader: Reader) -> str:
    if figures["lower"] is None or figures["upper"] is None:
        return TO
    return TO.join(fixed(figures[end], reader.numbers) for end in ("lower", "upper"))


def _side(figures: Row) -> str:
    """Whether chance explains the ratio.

    Examples
    --------
    >>> [_side({"lower": low, "upper": high}) for low, high in ((0.8, 1.2), (1.1, 1.9), (0.5, 0.9))]
    ['same', 'more', 'fewer']
    """
    return "more" if figures["lower"] > 1 else "fewer" if figures["upper"] < 1 else "same"


def _ratios(models: Sequence[Row], vocabulary: Vocabulary, reader: Reader) -> Picture | None:
    rows = [
        {
            "label": model_label(one["model"], vocabulary, reader),
            **{key: one["figures"][key] for key in ("ratio", "lower", "upper")},
            "side": _side(one["figures"]),
            "shown": fixed(one["figures"]["ratio"], reader.numbers),
            "interval": _between(one["figures"], reader),
        }
        for one in models
        if one["figures"]["ratio"] is not None
    ]
    return ratios(rows, reader.texts) if rows else None


def _ratios_said(models: Sequence[Row], vocabulary: Vocabulary, reader: Reader) -> str:
    outside = [
        model_label(one["model"], vocabulary, reader)
        for one in models
        if one["figures"]["ratio"] is not None and _side(one["figures"]) != "same"
    ]
    if outside:
        return reader.texts("figures.ratio_attention", outcomes="; ".join(outside))
    return reader.texts("figures.ratio_usual")


def _model(
    model: Row, told: Mapping[str, Any], vocabulary: Vocabulary, reader: Reader
) -> dict[str, Any]:
    place, _, outcome = model["model"].partition(".")

    def here(rows: Sequence[Row]) -> list[Row]:
        return [one for one in rows if (one["branch_point"], one["outcome"]) == (place, outcome)]

    return {
        "name": model["model"],
        "label": model_label(model["model"], vocabulary, reader),
        "version": model["version"],
        "known": bool(model["figures"]["n"]),
        "calibration": _calibration(model["figures"], reader),
        "funnel": _funnel(here(told["units"]), reader),
        "charts": [
            _chart(one, reader) for one in here(told["charts"]) if len(one["points"]) > 1
        ],
    }  # fmt: skip


def _calibration(figures: Row, reader: Reader) -> Picture | None:
    numbers = reader.numbers
    bins = []
    for one in figures["curve"]:
        if one["n"] <= 0:
            continue
        lower, upper = wilson(one["observed"], one["n"])
        place, _, ends = one["bin"].partition(": ")
        ends = NUMBER.sub(lambda found: f"{100 * float(found[0]):g}", ends)
        predicted, observed = one["expected"] / one["n"], one["observed"] / one["n"]
        bins.append(
            {
                "bin": f"{bin_label(f'{place}: {ends}', None, reader)}\u202f%",
                "n": one["n"],
                "predicted": predicted,
                "observed": observed,
                "lower": lower,
                "upper": upper,
                "events": numbers.plain(one["observed"]),
                "predicted_shown": percent(predicted, numbers),
                "observed_shown": percent(observed, numbers),
                "interval": numbers.percents(lower, upper),
            }
        )
    return calibration(bins, reader.texts) if bins else None


def _funnel(units: Sequence[Row], reader: Reader) -> Picture | None:
    numbers = reader.numbers
    rows = []
    for one in units:
        own, where = one["figures"], standing(one["figures"])
        if where is None:
            continue
        few = f" ({reader.texts('figures.few')})" if own["few"] else ""
        rows.append(
            {
                "unit": one["unit"],
                "expected": own["expected"],
                "ratio": own["ratio"],
                "standing": where,
                "patients": numbers.plain(own["n"]) + few,
                "events": numbers.plain(own["observed"]),
                "expected_shown": fixed(own["expected"], numbers, 1),
                "shown": f"{fixed(own['ratio'], numbers)} ({_between(own, reader)})",
                "said": reader.texts(f"figures.standing_{where.replace(' ', '_')}"),
            }
        )
    if not rows:
        return None
    most = 1.08 * max(row["expected"] for row in rows)
    chance = []
    for i in range(STEPS):
        expected = most * (i + 1) / STEPS
        for name, level in LEVELS.items():
            found = funnel_limits(expected, level)
            chance.append(
                {"expected": expected, "level": name, "lower": found.lower, "upper": found.upper}
            )
    return funnel(rows, chance, reader.texts)


def _chart(chart: Row, reader: Reader) -> dict[str, Any]:
    numbers = reader.numbers
    points = [
        {
            **one,
            "when": f"{datetime.fromisoformat(one['at']):%Y-%m-%d %H:%M}",
            "vlad_shown": numbers.signed(one["vlad"]),
            "worse_shown": fixed(one["worse"], numbers),
            "better_shown": fixed(one["better"], numbers),
        }
        for one in chart["points"]
    ]
    return {
        "unit": chart["unit"],
        "vlad": vlad(chart["unit"], points, reader.texts),
        "cusum": cusum(chart["unit"], points, chart["limits"], reader.texts),
        "signalled": any(chart["signals"].values()),
        "said": reader.texts(
            "figures.signals_since",
            worse=chart["signals"]["worse"],
            better=chart["signals"]["better"],
            patients=numbers.plain(chart["patients"]),
        ),
    }


def _delays(
    rows: Sequence[Row], allowed: Collection[str] | None, vocabulary: Vocabulary, reader: Reader
) -> list[dict[str, Any]]:
    return [
        {
            "label": model_label(f"{one['branch_point']}.{one['outcome']}", vocabulary, reader),
            "reports": reader.numbers.plain(one["reports"]),
            "mean": fixed(one["mean_s"] / DAY_S, reader.numbers, 1),
            "median": fixed(one["median_s"] / DAY_S, reader.numbers, 1),
            "late": one["mean_s"] > limits()["outcome_delay_s"],
        }
        for one in rows
        if allowed is None or one["branch_point"] in allowed
    ]
