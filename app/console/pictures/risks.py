"""A risk on a scale, and the reasons that make it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.console.frame.numbers import Numbers
from app.console.frame.words import Texts
from app.console.pictures.picture import NAMES_ABOVE, Picture, specification

SHOWN = 10
"""Reasons that stand alone in a waterfall; the weaker ones are added up."""
WHOLE = 1.0


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
        "axis": {"format": ".0%", "tickCount": 6},
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


def waterfall(
    label: str,
    base: float,
    reasons: Sequence[Mapping[str, Any]],
    score: float,
    unit: str,
    texts: Texts,
    numbers: Numbers,
) -> Picture:
    """From the base value to the score, a step per reason; steps add up exactly.

    Parameters
    ----------
    base, score : float
        Where the steps begin and end, in log-odds or the outcome's unit.
    reasons : sequence of mapping
        `label`, `value` (written out) and `contribution`, strongest first.
    unit : str
        Of the axis, written out.
    """
    strong, weak = list(reasons[:SHOWN]), reasons[SHOWN:]
    steps = [(f"{one['label']}: {one['value']}", float(one["contribution"])) for one in strong]
    if weak:
        rest = sum(float(one["contribution"]) for one in weak)
        steps.append((texts("pictures.the_rest", count=len(weak)), rest))
    data: list[dict[str, Any]] = [
        {"what": texts("pictures.begins"), "from": 0.0, "to": base, "kind": "level",
         "shown": numbers.signed(base)}
    ]  # fmt: skip
    at = base
    for what, step in steps:
        kind = "raises" if step >= 0 else "lowers"
        arrow = "\u25b2" if step >= 0 else "\u25bc"
        data.append(
            {"what": what, "from": at, "to": at + step, "kind": kind,
             "shown": f"{arrow} {numbers.signed(step)}"}
        )  # fmt: skip
        at += step
    data.append({"what": texts("pictures.ends"), "from": 0.0, "to": score, "kind": "level",
                 "shown": numbers.signed(score)})  # fmt: skip
    for i, row in enumerate(data):
        row["order"] = i
        row["end"] = max(row["from"], row["to"])
    x = {
        "type": "quantitative",
        "title": unit,
        "scale": {"zero": False, "padding": 46},
        "axis": {"tickCount": 6},
    }
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
                "mark": {"type": "bar", "height": 18},
                "encoding": {
                    "x": {**x, "field": "from"},
                    "x2": {"field": "to"},
                    "color": {
                        "field": "kind", "type": "nominal", "legend": None,
                        "scale": {"domain": ["raises", "lowers", "level"],
                                  "range": ["@raises", "@lowers", "@mark-5"]},
                    },
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5},
                "encoding": {"x": {**x, "field": "end"}, "text": {"field": "shown"}},
            },
        ],
    )  # fmt: skip
    heads = (texts("pictures.reason"), unit)
    rows = [(row["what"], row["shown"]) for row in data]
    strongest = "; ".join(f"{what} {numbers.signed(step)}" for what, step in steps[:3])
    return Picture(label, texts("pictures.waterfall_said", steps=strongest), spec, heads, rows)


def trajectory(
    label: str, points: Sequence[Mapping[str, Any]], texts: Texts, numbers: Numbers
) -> Picture:
    """An outcome's risk over an episode, as it was answered each time.

    Parameters
    ----------
    points : sequence of mapping
        `at` (an ISO time), `when` and `where` (written out), `p`, `here` (whether it is the one shown).
    """
    # The padding keeps the first figure off the axis. Times are UTC, as everywhere on the page.
    at = {
        "field": "at", "type": "temporal", "title": None,
        "scale": {"type": "utc", "padding": 30},
        "axis": {"format": "%m-%d %H:%M", "tickCount": 4, "labelOverlap": True, "grid": False},
    }  # fmt: skip
    risk = {
        "field": "p", "type": "quantitative", "title": texts("pictures.risk"),
        "scale": {"domainMin": 0}, "axis": {"format": ".0%"},
    }  # fmt: skip
    spec = specification(
        [{**point, "shown": numbers.percent(point["p"])} for point in points],
        height=180,
        encoding={"x": at, "y": risk},
        layer=[
            {"mark": {"type": "line", "color": "@mark"}},
            {
                "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1, "color": "@mark"},
                "encoding": {"shape": {"field": "here", "type": "nominal", "legend": None,
                                       "scale": {"domain": [False, True], "range": ["circle", "diamond"]}}},
            },
            {"mark": {"type": "text", "dy": -14}, "encoding": {"text": {"field": "shown"}}},
        ],
    )  # fmt: skip
    heads = (texts("pictures.when"), texts("pictures.where"), texts("pictures.risk"))
    rows = [(point["when"], point["where"], numbers.percent(point["p"])) for point in points]
    said = "; ".join(f"{where}: {risk}" for _, where, risk in rows)
    return Picture(label, said, spec, heads, rows)
