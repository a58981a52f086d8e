"""What became of what was predicted: ratios, calibration, the funnel of units, their control charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from app.console.frame.words import Texts
from app.console.pictures.labels import ABOVE, LONGEST, labels
from app.console.pictures.picture import DASHES, Picture, specification

SIDES = ("same", "more", "fewer")
SHAPES = ("circle", "triangle-up", "triangle-down")
COLOURS = ("@good", "@bad", "@warn")
INSIDE = "inside"
ROOM = 1.08
LETTERS, LINE = 38, 17
"""What a line of a telephone holds, and how high it is in pixels."""
TOP = 1.12
"""Where the axis of an observed share ends: a count stands above an interval that ends at 1."""
BEYOND = 1.3
"""How much of its limit a CUSUM's axis shows."""
DASH, DOTS = [6, 4], [2, 3]


def ratios(rows: Sequence[Mapping[str, Any]], texts: Texts) -> Picture:
    """Observed over expected of each model with its interval, beside 1.

    Parameters
    ----------
    rows : sequence of mapping
        `label`, `ratio`, `lower`, `upper`, `side` (`same`, `more` or `fewer`), `shown` and
        `interval` (written out).
    """
    named = {side: texts(f"figures.side_{side}") for side in SIDES}
    # A figure and its interval stay together.
    named_lines = [
        wrap(f"{row['label']}: {row['shown']}\u00a0({row['interval']})", LETTERS) for row in rows
    ]
    lines = max(len(own) for own in named_lines)
    data = [
        {
            **row,
            "side": named[row["side"]],
            "lines": [""] * (lines - len(own)) + own,
            "order": i,
        }
        for i, (row, own) in enumerate(zip(rows, named_lines, strict=True))
    ]
    end = ROOM * max(2.0, *(row["upper"] for row in rows))
    x = {"type": "quantitative", "title": texts("figures.ratio"), "scale": {"domain": [0, end]},
         "axis": {"tickCount": 5}}  # fmt: skip
    y = {
        "field": "label",
        "type": "nominal",
        "sort": {"field": "order"},
        "title": None,
        "axis": None,
    }
    side = {"field": "side", "type": "nominal", "title": None}
    below = 10 + LINE * (lines - 1) / 2
    spec = specification(
        data,
        height={"step": 36 + LINE * lines},
        layer=[
            {"data": {"values": [{}]}, "mark": {"type": "rule", "aria": False, "strokeDash": DASH},
             "encoding": {"x": {**x, "datum": 1}}},
            {
                "mark": {"type": "rule", "aria": False, "strokeWidth": 3, "yOffset": below, "color": "@mark"},
                "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 140, "opacity": 1, "yOffset": below},
                "encoding": {
                    "y": y, "x": {**x, "field": "ratio"},
                    "shape": {**side, "scale": {"domain": list(named.values()), "range": list(SHAPES)}},
                    "color": {**side, "legend": {"direction": "vertical"},
                              "scale": {"domain": list(named.values()), "range": list(COLOURS)}},
                },
            },
            {
                "mark": {"type": "text", "align": "left", "baseline": "line-bottom",
                         "lineHeight": LINE, "yOffset": below - 10 - LINE * (lines - 1)},
                "encoding": {"y": y, "x": {"datum": 0}, "text": {"field": "lines"}},
            },
        ],
    )  # fmt: skip
    heads = tuple(
        texts(f"figures.{key}") for key in ("model", "ratio", "ratio_interval", "verdict")
    )
    table = [(row["label"], row["shown"], row["interval"], named[row["side"]]) for row in rows]
    said = "; ".join(f"{label}: {ratio} ({between})" for label, ratio, between, _ in table)
    return Picture(texts("figures.ratios"), said, spec, heads, table)


def calibration(bins: Sequence[Mapping[str, Any]], texts: Texts) -> Picture:
    """Observed share against mean prediction, group by group, with intervals and counts.

    Parameters
    ----------
    bins : sequence of mapping
        `bin` (written out), `n`, `predicted`, `observed`, `lower`, `upper` (shares) and, written
        out, `events`, `predicted_shown`, `observed_shown`, `interval`.
    """
    percent = {"format": ".0%", "tickCount": 6}
    x = {"field": "predicted", "type": "quantitative", "title": texts("figures.predicted"),
         "scale": {"domain": [0, 1]}, "axis": percent}  # fmt: skip
    y = {"field": "observed", "type": "quantitative", "title": texts("figures.observed"),
         "scale": {"domain": [0, TOP]}, "axis": {**percent, "values": [0, 0.2, 0.4, 0.6, 0.8, 1]}}  # fmt: skip
    most = max(one["n"] for one in bins)
    spec = specification(
        [dict(one) for one in bins],
        height=340,
        layer=[
            {
                "data": {"values": [{"predicted": 0, "observed": 0}, {"predicted": 1, "observed": 1}]},
                "mark": {"type": "line", "strokeDash": DASH, "color": "@ink"},
                "encoding": {"x": x, "y": y},
            },
            {
                "mark": {"type": "rule", "aria": False, "strokeWidth": 2, "color": "@mark"},
                "encoding": {"x": x, "y": {**y, "field": "lower"}, "y2": {"field": "upper"}},
            },
            {
                "mark": {"type": "point", "filled": True, "opacity": 1, "color": "@mark"},
                "encoding": {
                    "x": x, "y": y,
                    "size": {"field": "n", "type": "quantitative", "legend": None,
                             "scale": {"domain": [0, most], "range": [30, 260]}},
                },
            },
            {
                "data": {"values": _counts(bins)},
                "mark": {"type": "text", "align": {"expr": "datum.align"}, "fontSize": 12},
                "encoding": {"x": x, "y": {**y, "field": "at"}, "text": {"field": "n"}},
            },
        ],
    )  # fmt: skip
    keys = ("predicted", "patients", "events", "predicted", "observed", "ratio_interval")
    heads = [texts(f"figures.{key}") for key in keys]
    heads[0] = texts("figures.range_or_feature")
    rows = [
        (one["bin"], str(one["n"]), one["events"], one["predicted_shown"], one["observed_shown"],
         one["interval"])
        for one in bins
    ]  # fmt: skip
    said = "; ".join(f"{row[3]} \u2192 {row[4]} (n = {row[1]})" for row in rows)
    return Picture(texts("figures.calibration"), said, spec, heads, rows)


def _counts(bins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many patients each interval is of, where there is room; large groups first."""
    large = sorted(bins, key=lambda one: -one["n"])
    points = [(one["predicted"], one["upper"] / TOP, str(one["n"])) for one in large]
    places = labels(points, ABOVE, radius=0.0)
    return [
        {"predicted": one["predicted"], "at": one["upper"] + TOP * place.up, "align": place.align,
         "n": one["n"]}
        for one, place in zip(large, places, strict=True)
        if place is not None
    ]  # fmt: skip


def _names(units: Sequence[Mapping[str, Any]], most: float, highest: float) -> list[dict[str, Any]]:
    """Units by name, where there is room; those outside the limits first, then the large ones."""
    first = sorted(units, key=lambda one: (one["standing"] == INSIDE, -one["expected"]))
    places = labels([(u["expected"] / most, u["ratio"] / highest, u["unit"]) for u in first])
    return [
        {"expected": one["expected"], "at": one["ratio"] + highest * place.up, "align": place.align,
         "unit": one["unit"], "ratio": one["ratio"], "far": place.far}
        for one, place in zip(first, places, strict=True)
        if place is not None
    ]  # fmt: skip


def funnel(
    units: Sequence[Mapping[str, Any]], limits: Sequence[Mapping[str, Any]], texts: Texts
) -> Picture:
    """Ratio of each unit against its expected events, between the limits of chance.

    Parameters
    ----------
    units : sequence of mapping
        `unit`, `expected`, `ratio`, `standing`, and written out `patients`, `events`,
        `expected_shown`, `shown`, `said`.
    limits : sequence of mapping
        `expected`, `lower`, `upper`, `level` (`95` or `998`).
    """
    most = ROOM * max(one["expected"] for one in units)
    highest = ROOM * max(2.0, *(one["ratio"] for one in units))
    x = {"field": "expected", "type": "quantitative", "title": texts("figures.expected"),
         "scale": {"domain": [0, most]}, "axis": {"tickCount": 6}}  # fmt: skip
    y = {"type": "quantitative", "title": texts("figures.ratio"), "scale": {"domain": [0, highest]}}
    named = {level: texts(f"figures.limits_{level}") for level in ("95", "998")}
    names = _names(units, most, highest)
    lines = [
        {"expected": one["expected"], "level": named[one["level"]], "side": side,
         "ratio": one[side]}
        for one in limits
        for side in ("lower", "upper")
    ]  # fmt: skip
    spec = specification(
        [{**one, "outside": one["standing"] != INSIDE} for one in units],
        height=340,
        layer=[
            {
                "data": {"values": lines},
                "mark": {"type": "line", "color": "@mark-5", "interpolate": "step-after", "clip": True},
                "encoding": {
                    "x": x, "y": {**y, "field": "ratio"},
                    "detail": {"field": "side"},
                    "strokeDash": {"field": "level", "type": "nominal", "title": None, "sort": None,
                                   "legend": DASHES,
                                   "scale": {"domain": list(named.values()), "range": [DASH, [1, 0]]}},
                },
            },
            {"data": {"values": [{}]}, "mark": {"type": "rule", "aria": False, "strokeDash": DOTS},
             "encoding": {"y": {**y, "datum": 1}}},
            {
                "data": {"values": names},
                "transform": [{"filter": "datum.far"}],
                "mark": {"type": "rule", "aria": False},
                "encoding": {"x": x, "y": {**y, "field": "ratio"}, "y2": {"field": "at"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 130, "opacity": 1},
                "encoding": {
                    "x": x, "y": {**y, "field": "ratio"},
                    "shape": {"field": "outside", "type": "nominal", "legend": None,
                              "scale": {"domain": [False, True], "range": ["circle", "diamond"]}},
                    "color": {"field": "outside", "type": "nominal", "legend": None,
                              "scale": {"domain": [False, True], "range": ["@mark", "@bad"]}},
                },
            },
            {
                "data": {"values": names},
                "mark": {"type": "text", "align": {"expr": "datum.align"},
                         "limit": {"expr": f"{LONGEST} * width"}},
                "encoding": {"x": x, "y": {**y, "field": "at"}, "text": {"field": "unit"}},
            },
        ],
    )  # fmt: skip
    keys = ("unit", "patients", "events", "expected", "ratio", "standing")
    heads = tuple(texts(f"figures.{key}") for key in keys)
    rows = [
        (one["unit"], one["patients"], one["events"], one["expected_shown"], one["shown"], one["said"])
        for one in units
    ]  # fmt: skip
    said = "; ".join(f"{row[0]}: {row[4]}, {row[5]}" for row in rows)
    return Picture(texts("figures.funnel"), said, spec, heads, rows)


def vlad(unit: str, points: Sequence[Mapping[str, Any]], texts: Texts) -> Picture:
    """Expected less observed events, patient by patient; each with `at` and `vlad_shown`."""
    x = {"field": "patient", "type": "quantitative", "title": texts("figures.patient_number"),
         "axis": {"tickMinStep": 1}}  # fmt: skip
    y = {"type": "quantitative", "title": texts("figures.vlad_axis")}
    spec = specification(
        [{"patient": i, "vlad": one["vlad"]} for i, one in enumerate(points, start=1)],
        height=230,
        layer=[
            {"data": {"values": [{}]}, "mark": {"type": "rule", "aria": False, "strokeDash": DOTS},
             "encoding": {"y": {**y, "datum": 0}}},
            {"mark": {"type": "line", "color": "@mark"},
             "encoding": {"x": x, "y": {**y, "field": "vlad"}}},
        ],
    )  # fmt: skip
    heads = tuple(texts(f"figures.{key}") for key in ("patient_number", "counted", "vlad_axis"))
    rows = [(str(i), one["when"], one["vlad_shown"]) for i, one in enumerate(points, start=1)]
    return Picture(texts("figures.vlad", unit=unit), f"n = {len(points)}: {rows[-1][2]}", spec,
                   heads, rows)  # fmt: skip


def cusum(
    unit: str, points: Sequence[Mapping[str, Any]], limits: Mapping[str, float], texts: Texts
) -> Picture:
    """Both risk-adjusted CUSUMs with their limits, that for better turned downwards.

    Parameters
    ----------
    points : sequence of mapping
        `worse`, `better`, `signal` (a direction or None), and written out `when`, `worse_shown`,
        `better_shown`.
    limits : mapping
        By direction; empty while too few patients are known.
    """
    signs = {"worse": 1, "better": -1}
    named = {way: texts(f"figures.{way}") for way in signs}
    data = [
        {"patient": i, "way": named[way], "value": sign * one[way], "signal": one["signal"] == way}
        for i, one in enumerate(points, start=1)
        for way, sign in signs.items()
    ]
    x = {"field": "patient", "type": "quantitative", "title": texts("figures.patient_number"),
         "axis": {"tickMinStep": 1}}  # fmt: skip
    end = BEYOND * max(*limits.values(), *(one[sign] for one in points for sign in signs))
    y = {"type": "quantitative", "title": texts("figures.cusum_axis"),
         "scale": {"domain": [-end, end]} if limits else {}}  # fmt: skip
    way = {"field": "way", "type": "nominal", "title": None,
           "scale": {"domain": list(named.values()), "range": ["@raises", "@lowers"]}}  # fmt: skip
    marked = [
        {"at": signs[one] * limit, "said": f"{texts('figures.limit')}: {named[one]}"}
        for one, limit in limits.items()
    ]
    spec = specification(
        data,
        height=270,
        layer=[
            {"data": {"values": marked}, "mark": {"type": "rule", "aria": False, "strokeDash": DASH, "color": "@bad"},
             "encoding": {"y": {**y, "field": "at"}}},
            {"data": {"values": marked}, "mark": {"type": "text", "align": "left", "dy": -10},
             "encoding": {"y": {**y, "field": "at"}, "x": {"datum": 1}, "text": {"field": "said"}}},
            {"mark": {"type": "line"},
             "encoding": {"x": x, "y": {**y, "field": "value"}, "color": {**way, "legend": DASHES},
                          "strokeDash": {**way, "legend": DASHES, "scale": {"domain": list(named.values()),
                                                          "range": [[1, 0], [5, 3]]}}}},
            {"transform": [{"filter": "datum.signal"}],
             "mark": {"type": "point", "shape": "cross", "aria": False, "filled": True, "size": 160, "color": "@bad",
                      "opacity": 1},
             "encoding": {"x": x, "y": {**y, "field": "value"}}},
        ],
    )  # fmt: skip
    keys = ("patient_number", "counted", "worse", "better", "signal")
    heads = tuple(texts(f"figures.{key}") for key in keys)
    rows = [
        (str(i), one["when"], one["worse_shown"], one["better_shown"],
         "" if one["signal"] is None else named[one["signal"]])
        for i, one in enumerate(points, start=1)
    ]  # fmt: skip
    said = f"{named['worse']}: {rows[-1][2]}; {named['better']}: {rows[-1][3]}"
    return Picture(texts("figures.cusum", unit=unit), said, spec, heads, rows)
