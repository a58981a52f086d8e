"""A risk on a scale, and the reasons that make it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, log, log10
from typing import Any, NamedTuple

from app.console.frame.numbers import Numbers
from app.console.frame.words import Texts
from app.console.pictures.picture import NAMES_ABOVE, Picture, specification
from models.risk.calibration import probability_of_one

SHOWN = 10
"""Reasons that stand alone in a waterfall; the weaker ones are added up."""
WHOLE = 1.0
NOT_CROWDED = {"labelOverlap": "greedy", "labelSeparation": 6}
LEVEL = "level"
RISKS_ON_AXIS = (
    0.0001, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8,
    0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999,
)  # fmt: skip
GRIDS = (RISKS_ON_AXIS, *(tuple(i / n for i in range(1, n)) for n in (20, 50, 100, 200, 1000)))
LEAST_MARKS = 5
ROUND_STEPS = (0.2, 0.5, 1, 2)
MOST_MARKS = 5
SLIGHT = 1e-9
BEYOND = 0.3
"""How far beyond its steps an axis of log-odds is read."""


def logit(p: float) -> float:
    """The log-odds of a probability.

    Examples
    --------
    >>> round(logit(0.2), 4), logit(0.5)
    (-1.3863, 0.0)
    """
    return log(p / (1 - p))


def risks_on_axis(lowest: float, highest: float) -> list[float]:
    """Round risks between two log-odds, in log-odds: the coarsest grid that marks at least five, if any.

    Examples
    --------
    From 25 % to 46 % only two of the usual risks would be marked; every fifth point is marked instead.

    >>> [round(100 * probability_of_one(at)) for at in risks_on_axis(logit(0.249), logit(0.46))]
    [25, 30, 35, 40, 45]
    """
    marks: list[float] = []
    for grid in GRIDS:
        marks = [at for at in map(logit, grid) if lowest <= at <= highest]
        if len(marks) >= LEAST_MARKS:
            break
    return marks


def marks_from_nothing(highest: float) -> list[float]:
    """Round numbers from 0 to the first that is not below the highest: two to six of them.

    Examples
    --------
    >>> marks_from_nothing(0.59), marks_from_nothing(16.3), marks_from_nothing(0.0)
    ([0.0, 0.2, 0.4, 0.6], [0.0, 5.0, 10.0, 15.0, 20.0], [0.0, 1.0])
    """
    if highest <= 0:
        return [0.0, WHOLE]
    power = 10.0 ** floor(log10(highest))
    step = next(power * one for one in ROUND_STEPS if power * one * MOST_MARKS >= highest)
    return [round(i * step, 12) for i in range(ceil(highest / step - SLIGHT) + 1)]


def scale(
    label: str, marks: Sequence[Mapping[str, Any]], texts: Texts, numbers: Numbers
) -> Picture:
    """One outcome's risk with its interval, beside the cohort's and a published score's.

    Parameters
    ----------
    marks : sequence of mapping
        `who` (a name to be shown), `kind` (`model`, `cohort` or `reference`), `p`, and, where known,
        `lower` and `upper`; probabilities.
    """
    data = [
        {**mark, "shown": numbers.percent(mark["p"]), "order": i} for i, mark in enumerate(marks)
    ]
    highest = max(max(mark.get("upper") or 0, mark["p"]) for mark in marks)
    end = min(WHOLE, max(0.1, 1.15 * highest))
    names = {
        "field": "who",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"ticks": False},
    }
    at = {
        "field": "p",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, end]},
        "axis": {"format": ".0%", "tickCount": 6, **NOT_CROWDED},
    }
    spec = specification(
        data,
        height={"step": 30},
        usermeta={NAMES_ABOVE: "who"},
        encoding={"y": names},
        layer=[
            {
                "transform": [{"filter": "isValid(datum.lower)"}],
                "mark": {"type": "bar", "height": 12, "opacity": 0.35, "color": "@mark"},
                "encoding": {"x": {**at, "field": "lower"}, "x2": {"field": "upper"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 160, "opacity": 1},
                "encoding": {
                    "x": at,
                    "shape": {
                        "field": "kind",
                        "type": "nominal",
                        "legend": None,
                        "scale": {
                            "domain": ["model", "cohort", "reference"],
                            "range": ["circle", "diamond", "square"],
                        },
                    },
                    "color": {
                        "field": "kind",
                        "type": "nominal",
                        "legend": None,
                        "scale": {
                            "domain": ["model", "cohort", "reference"],
                            "range": ["@mark", "@mark-5", "@mark-4"],
                        },
                    },
                },
            },
            {
                "mark": {"type": "text", "dy": -13, "fontWeight": "bold"},
                "encoding": {"x": at, "text": {"field": "shown"}},
            },
        ],
    )
    rows = [
        (
            mark["who"],
            numbers.percent(mark["p"]),
            numbers.percents(mark["lower"], mark["upper"]) if mark.get("lower") is not None else "",
        )
        for mark in marks
    ]
    said = "; ".join(
        f"{who} {p}" + (f" ({between})" if between else "") for who, p, between in rows
    )
    heads = (texts("pictures.who"), texts("pictures.risk"), texts("pictures.interval"))
    return Picture(label, said, spec, heads, rows)


class _Step(NamedTuple):
    """A row of a waterfall: where it begins and ends on the axis, and what is written beside it."""

    what: str
    begins: float
    ends: float
    kind: str
    shown: str


def waterfall(
    label: str,
    base: float,
    reasons: Sequence[Mapping[str, Any]],
    value: float,
    unit: str,
    texts: Texts,
    numbers: Numbers,
) -> Picture:
    """From the base value to the answer, a step per reason; steps add up exactly.

    Parameters
    ----------
    base, value : float
        Where the steps begin and end.
    reasons : sequence of mapping
        `label`, `value` (written out) and `contribution`, strongest first.
    unit : str
        Of the axis, written out.
    """

    def written(before: float, after: float) -> str:
        return numbers.signed(after - before)

    def level(at: float) -> str:
        return numbers.fixed(at, 2)

    steps = _steps(texts("pictures.begins_mean"), base, reasons, value, written, level, texts)
    axis = {"title": unit, "axis": {"tickCount": 6}}
    rows = [(step.what, step.shown) for step in steps]
    return _waterfall(label, steps, axis, (texts("pictures.reason"), unit), rows, texts)


def risk_waterfall(
    label: str,
    base: float,
    reasons: Sequence[Mapping[str, Any]],
    log_odds: float,
    texts: Texts,
    numbers: Numbers,
) -> Picture:
    """The same of a risk: laid out in log-odds, in which reasons add up, and read in per cent.

    Method
    ------
    What is written beside a step is by how many percentage points the risk moves from where the steps
    before it have brought it, strongest first. So told, steps add up to the risk as well; in another
    order each would be a little more or less, where the table's log-odds are the same in any.

    Parameters
    ----------
    base, log_odds : float
        Where the steps begin and end, in log-odds.
    reasons : sequence of mapping
        As for `waterfall`, in log-odds.
    """

    def written(before: float, after: float) -> str:
        return numbers.points(probability_of_one(after) - probability_of_one(before))

    def level(at: float) -> str:
        return numbers.percent(probability_of_one(at))

    steps = _steps(texts("pictures.begins"), base, reasons, log_odds, written, level, texts)
    ends = [end for step in steps for end in (step.begins, step.ends)]
    marks = risks_on_axis(min(ends) - BEYOND, max(ends) + BEYOND)
    axis = {
        "title": texts("pictures.risk_and_points"),
        "axis": {
            "values": marks,
            **NOT_CROWDED,
            "labelExpr": "format(1 / (1 + exp(-datum.value)), '.2~%')",
        },
    }
    heads = (texts("pictures.reason"), texts("pictures.points"), texts("pictures.log_odds"))
    rows = [
        (
            step.what,
            step.shown,
            numbers.signed(step.ends - (0 if step.kind == LEVEL else step.begins)),
        )
        for step in steps
    ]
    return _waterfall(label, steps, axis, heads, rows, texts)


def _steps(
    begins: str,
    base: float,
    reasons: Sequence[Mapping[str, Any]],
    end: float,
    written: Callable[[float, float], str],
    level: Callable[[float], str],
    texts: Texts,
) -> list[_Step]:
    strong, weak = list(reasons[:SHOWN]), reasons[SHOWN:]
    moves = [(f"{one['label']}: {one['value']}", float(one["contribution"])) for one in strong]
    if weak:
        rest = sum(float(one["contribution"]) for one in weak)
        moves.append((texts("pictures.the_rest", count=len(weak)), rest))
    steps, at = [_Step(begins, base, base, LEVEL, level(base))], base
    for what, move in moves:
        kind, arrow = ("raises", "\u25b2") if move >= 0 else ("lowers", "\u25bc")
        steps.append(_Step(what, at, at + move, kind, f"{arrow} {written(at, at + move)}"))
        at += move
    return [*steps, _Step(texts("pictures.ends"), end, end, LEVEL, level(end))]


def _waterfall(
    label: str,
    steps: Sequence[_Step],
    axis: Mapping[str, Any],
    heads: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    texts: Texts,
) -> Picture:
    data = [
        {
            "what": step.what, "from": step.begins, "to": step.ends, "kind": step.kind,
            "shown": step.shown, "order": order, "end": max(step.begins, step.ends),
        }
        for order, step in enumerate(steps)
    ]  # fmt: skip
    x = {"type": "quantitative", "scale": {"zero": False, "padding": 46}, **axis}
    spec = specification(
        data,
        height={"step": 28},
        usermeta={NAMES_ABOVE: "what"},
        encoding={
            "y": {"field": "what", "type": "nominal", "sort": {"field": "order"}, "title": None,
                  "axis": {"ticks": False}}
        },
        layer=[
            {
                "transform": [{"filter": f"datum.kind != '{LEVEL}'"}],
                "mark": {"type": "bar", "height": 18},
                "encoding": {
                    "x": {**x, "field": "from"},
                    "x2": {"field": "to"},
                    "color": {
                        "field": "kind", "type": "nominal", "legend": None,
                        "scale": {"domain": ["raises", "lowers"], "range": ["@raises", "@lowers"]},
                    },
                },
            },
            {
                "transform": [{"filter": f"datum.kind == '{LEVEL}'"}],
                "mark": {"type": "point", "shape": "diamond", "filled": True, "size": 160, "opacity": 1,
                         "color": "@mark-5"},
                "encoding": {"x": {**x, "field": "to"}},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 8},
                "encoding": {"x": {**x, "field": "end"}, "text": {"field": "shown"}},
            },
        ],
    )  # fmt: skip
    strongest = "; ".join(f"{step.what} {step.shown}" for step in steps[1:4])
    return Picture(label, texts("pictures.waterfall_said", steps=strongest), spec, heads, rows)


def trajectory(
    label: str, points: Sequence[Mapping[str, Any]], unit: str | None, texts: Texts
) -> Picture:
    """An outcome's answers over an episode, as they were given.

    Parameters
    ----------
    points : sequence of mapping
        `at` (an ISO time), `when` and `where` (written out), `figure` (a probability, or a number) and
        `shown` (the same written out), `here` (whether it is the one shown) and `stranger` (whether it
        seems to be about somebody else). No line joins two people.
    unit : str or None
        Of the number, written out; None of a probability.
    """
    # The padding keeps the first figure off the axis. Times are UTC, as everywhere on the page.
    at = {
        "field": "at", "type": "temporal", "title": None,
        "scale": {"type": "utc", "padding": 30},
        "axis": {"format": "%m-%d %H:%M", "tickCount": 4, "labelOverlap": True, "grid": False},
    }  # fmt: skip
    title = texts("pictures.risk") if unit is None else unit
    marks = marks_from_nothing(max(point["figure"] for point in points))
    answer = {
        "field": "figure", "type": "quantitative", "title": title,
        "scale": {"domain": [0, marks[-1]]},
        "axis": {"values": marks, "format": ".2~%" if unit is None else "~g"},
    }  # fmt: skip
    stretch, data = 0, []
    for i, point in enumerate(points):
        stretch += i > 0 and point["stranger"] != points[i - 1]["stranger"]
        kind = "stranger" if point["stranger"] else "here" if point["here"] else "other"
        data.append({**point, "kind": kind, "stretch": stretch})
    kinds = {"field": "kind", "type": "nominal", "legend": None}
    order = ["other", "here", "stranger"]
    spec = specification(
        data,
        height=200,
        padding={"top": 24, "bottom": 5, "left": 5, "right": 5},  # a figure stands above its point
        encoding={"x": at, "y": answer},
        layer=[
            {
                "transform": [{"filter": "!datum.stranger"}],
                "mark": {"type": "line", "color": "@mark"},
                "encoding": {"detail": {"field": "stretch", "type": "nominal"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
                "encoding": {
                    "shape": {**kinds, "scale": {"domain": order,
                                                 "range": ["circle", "diamond", "cross"]}},
                    "color": {**kinds, "scale": {"domain": order,
                                                 "range": ["@mark", "@mark", "@mark-5"]}},
                },
            },
            {"mark": {"type": "text", "dy": -14}, "encoding": {"text": {"field": "shown"}}},
        ],
    )  # fmt: skip
    heads = (texts("pictures.when"), texts("pictures.where"), title)
    rows = [
        (
            point["when"],
            point["where"] + (f" ({texts('pictures.stranger')})" if point["stranger"] else ""),
            point["shown"],
        )
        for point in points
    ]
    said = "; ".join(f"{where}: {shown}" for _, where, shown in rows)
    return Picture(label, said, spec, heads, rows)
