"""How far what is asked, answered and explained has moved since a model was fitted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.console.frame.words import Texts
from app.console.pictures.picture import DASHES, Picture, specification

BARS = 12
"""Features that a picture shows; its table has all."""
END = 1.0
"""Where bars of an index end: what is further is told in figures, so that the limits stay in sight."""
ROOM = 1.35
"""How much longer an axis is than its longest bar: for the figure behind it, on a telephone too."""
QUARTERS = (0, 0.25, 0.5, 0.75, 1)
ARROW = " \u2192 "
STRIP = 0.6
"""Of a row's height: what is above it is for the name."""
SHAPES = ("circle", "triangle-up", "diamond")
COLOURS = ("@good", "@warn", "@bad")
SHIFTS = ("not", "somewhat", "clearly")


def ranking(
    features: Sequence[Mapping[str, Any]], limits: Mapping[str, tuple[float, str]], texts: Texts
) -> Picture:
    """The stability index of features, largest first, beside the limits that alerts have.

    Parameters
    ----------
    features : sequence of mapping
        `label`, `psi`, `shown`, `js` (written out) and `shift` (`not`, `somewhat` or `clearly`).
    limits : mapping
        `moderate` and `large`, each with how it is written, in the order of their size.
    """
    named = {one: texts(f"figures.shift_{one}") for one in SHIFTS}
    data = [
        {
            "label": one["label"],
            "from": 0.0,
            "to": min(one["psi"], END),
            "verdict": named[one["shift"]],
            "said": one["shown"] + (" \u2192" if one["psi"] > END else ""),
            "order": i,
        }
        for i, one in enumerate(features[:BARS])
    ]
    rules = [
        {"limit": texts(f"figures.limit_{name}", value=shown), "at": limit}
        for name, (limit, shown) in limits.items()
    ]
    x = {"type": "quantitative", "title": texts("figures.psi"),
         "scale": {"domain": [0, END * 1.22]}, "axis": {"tickCount": 5}}  # fmt: skip
    y = {
        "field": "label",
        "type": "nominal",
        "sort": {"field": "order"},
        "title": None,
        "axis": None,
    }
    verdict = {"field": "verdict", "type": "nominal", "title": None,
               "legend": {"direction": "vertical"}}  # fmt: skip
    spec = specification(
        data,
        height={"step": 46},
        layer=[
            {
                "mark": {"type": "bar", "height": 13, "yOffset": 8},
                "encoding": {
                    "y": y, "x": {**x, "field": "from"}, "x2": {"field": "to"},
                    "color": {**verdict, "legend": None,
                              "scale": {"domain": list(named.values()), "range": list(COLOURS)}},
                },
            },
            {
                "data": {"values": rules},
                "mark": {"type": "rule", "aria": False, "color": "@ink"},
                "encoding": {
                    "x": {**x, "field": "at"},
                    "strokeDash": {"field": "limit", "type": "nominal", "title": None, "sort": None,
                                   "legend": DASHES,
                                   "scale": {"domain": [one["limit"] for one in rules],
                                             "range": [[2, 3], [7, 3]]}},
                },
            },
            {
                "mark": {"type": "text", "align": "left", "yOffset": -8},
                "encoding": {"y": y, "x": {"datum": 0}, "text": {"field": "label"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "yOffset": 8},
                "encoding": {
                    "y": y, "x": {**x, "field": "to"},
                    "shape": {**verdict, "scale": {"domain": list(named.values()), "range": list(SHAPES)}},
                    "color": {**verdict,
                              "scale": {"domain": list(named.values()), "range": list(COLOURS)}},
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 9, "yOffset": 8},
                "encoding": {"y": y, "x": {**x, "field": "to"}, "text": {"field": "said"}},
            },
        ],
    )  # fmt: skip
    heads = tuple(texts(f"figures.{key}") for key in ("feature", "psi", "js", "verdict"))
    rows = [(one["label"], one["shown"], one["js"], named[one["shift"]]) for one in features]
    said = "; ".join(f"{label}: {shown} ({verdict})" for label, shown, _, verdict in rows[:3])
    return Picture(texts("figures.ranking"), said, spec, heads, rows)


def then_and_now(
    title: str,
    pairs: Sequence[Mapping[str, Any]],
    axis: str,
    texts: Texts,
    *,
    percent: bool = True,
    counts: bool = False,
) -> Picture:
    """Two bars for each row: when the model was fitted (outlined), and now (filled).

    Parameters
    ----------
    pairs : sequence of mapping
        `label`; `then` and `now` (numbers or None), `then_shown` and `now_shown` (written out),
        `count` (written out) with `counts`.
    """
    whens = {"then": texts("figures.then"), "now": texts("figures.now")}
    data = [
        {"label": one["label"], "when": whens[when], "value": one[when],
         "shown": one[f"{when}_shown"]}
        for one in pairs
        for when in whens
        if one[when] is not None
    ]  # fmt: skip
    most = max((row["value"] for row in data), default=0.0) or 1.0
    x = {"field": "value", "type": "quantitative", "title": axis,
         "scale": {"domain": [0, ROOM * most]}, "axis": {"tickCount": 4}}  # fmt: skip
    if percent:
        # Of more than all there is none: the room beyond is for the figures.
        x["axis"] = {
            "format": ".0%",
            **({"values": QUARTERS} if ROOM * most > 1 else {"tickCount": 4}),
        }
    when = {"field": "when", "type": "nominal", "sort": list(whens.values()), "title": None}
    place = {
        "y": {
            "field": "label",
            "type": "nominal",
            "sort": [one["label"] for one in pairs],
            "title": None,
            "axis": {"ticks": False, "labelLimit": {"expr": "0.4 * containerSize()[0]"}},
        },
        "yOffset": when,
        "x": x,
    }  # fmt: skip
    spec = specification(
        data,
        height={"step": 17},
        encoding=place,
        layer=[
            {
                "mark": {"type": "bar", "strokeWidth": 1.5},
                "encoding": {
                    "color": {**when, "scale": {"domain": list(whens.values()),
                                                "range": ["transparent", "@mark"]}},
                    "stroke": {**when, "scale": {"domain": list(whens.values()),
                                                 "range": ["@ink", "@mark"]}},
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"field": "shown"}},
            },
        ],
    )  # fmt: skip
    heads = [texts("figures.range_or_feature"), whens["then"], whens["now"]]
    rows = [[one["label"], one["then_shown"], one["now_shown"]] for one in pairs]
    if counts:
        heads.append(texts("figures.patients_now"))
        for row, one in zip(rows, pairs, strict=True):
            row.append(one["count"])
    said = "; ".join(
        f"{one['label']}: {one['then_shown']} \u2192 {one['now_shown']}" for one in pairs[:4]
    )
    return Picture(title, f"{whens['then']} \u2192 {whens['now']}. {said}", spec, heads, rows)


def over_time(
    title: str,
    courses: Sequence[Mapping[str, Any]],
    parts: Sequence[tuple[str, str]],
    texts: Texts,
) -> Picture:
    """A strip for each row in which a share rises and falls, over the share when the model was fitted.

    Parameters
    ----------
    courses : sequence of mapping
        `label`; `now`, a share or None for each part of the window, with `shown` (written out); `then`
        and `then_shown`.
    parts : sequence of (str, str)
        Of the window, oldest first: when each begins, for the axis and for the table.
    """
    whens = {"then": texts("figures.then"), "now": texts("figures.now")}
    data: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    fitted: list[dict[str, Any]] = []
    for i, one in enumerate(courses):
        foot = i + 1.0
        told = [(k, share) for k, share in enumerate(one["now"]) if share is not None]
        data += [
            {"part": k, "row": i, "y": foot - STRIP * share, "foot": foot} for k, share in told
        ]
        fitted.append({"y": foot - STRIP * one["then"], "when": whens["then"]})
        ends = [one["shown"][k] for k, _ in (told[:1] + told[-1:])]
        names.append({"y": foot - 1, "text": f"{one['label']}: {ARROW.join(ends)}"})
    last = len(parts) - 1
    x = {
        "field": "part", "type": "quantitative", "title": None,
        "scale": {"domain": [0, last], "nice": False},
        "axis": {
            "values": [0, last // 2, last], "grid": False,
            "labelExpr": f"{json.dumps([begins for begins, _ in parts])}[datum.value]",
        },
    }  # fmt: skip
    y = {"field": "y", "type": "quantitative", "axis": None,
         "scale": {"domain": [len(courses), 0], "nice": False}}  # fmt: skip
    of_row = {"field": "row", "type": "nominal"}
    spec = specification(
        data,
        height=64 * len(courses),
        layer=[
            {
                "mark": {"type": "area", "opacity": 0.35, "color": "@mark", "line": {"color": "@mark"}},
                "encoding": {"x": x, "y": y, "y2": {"field": "foot"}, "detail": of_row},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 36, "opacity": 1, "color": "@mark"},
                "encoding": {"x": x, "y": y, "detail": of_row},
            },
            {
                "data": {"values": fitted},
                "mark": {"type": "rule", "aria": False, "color": "@ink"},
                "encoding": {
                    "y": y,
                    "strokeDash": {"field": "when", "type": "nominal", "title": None,
                                   "legend": DASHES,
                                   "scale": {"domain": [whens["then"]], "range": [[5, 4]]}},
                },
            },
            {
                "data": {"values": names},
                "mark": {"type": "text", "align": "left", "baseline": "top", "dy": 3,
                         "limit": {"expr": "width"}},
                "encoding": {"y": y, "x": {"value": 0}, "text": {"field": "text"}},
            },
        ],
    )  # fmt: skip
    heads = [texts("figures.feature"), whens["then"], *(begins for _, begins in parts)]
    rows = [[one["label"], one["then_shown"], *one["shown"]] for one in courses]
    return Picture(title, "; ".join(str(name["text"]) for name in names[:4]), spec, heads, rows)
