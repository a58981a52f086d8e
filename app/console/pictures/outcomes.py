"""What became of what was predicted: ratios, calibration, the funnel of units, their control charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.console.frame.words import Texts
from app.console.pictures.picture import Picture, specification

SIDES = ("same", "more", "fewer")
SHAPES = ("circle", "triangle-up", "triangle-down")
COLOURS = ("@good", "@bad", "@warn")
INSIDE = "inside"
ROOM = 1.08
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
    data = [
        {
            **row,
            "side": named[row["side"]],
            "said": f"{row['shown']} ({row['interval']})",
            "order": i,
        }
        for i, row in enumerate(rows)
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
    spec = specification(
        data,
        height={"step": 52},
        layer=[
            {"data": {"values": [{}]}, "mark": {"type": "rule", "aria": False, "strokeDash": DASH},
             "encoding": {"x": {**x, "datum": 1}}},
            {
                "mark": {"type": "rule", "aria": False, "strokeWidth": 3, "yOffset": 9, "color": "@mark"},
                "encoding": {"y": y, "x": {**x, "field": "lower"}, "x2": {"field": "upper"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 140, "opacity": 1, "yOffset": 9},
                "encoding": {
                    "y": y, "x": {**x, "field": "ratio"},
                    "shape": {**side, "scale": {"domain": list(named.values()), "range": list(SHAPES)}},
                    "color": {**side, "legend": {"direction": "vertical"},
                              "scale": {"domain": list(named.values()), "range": list(COLOURS)}},
                },
            },
            {
                "transform": [{"calculate": "datum.label + ': ' + datum.said", "as": "line"}],
                "mark": {"type": "text", "align": "left", "yOffset": -10},
                "encoding": {"y": y, "x": {"datum": 0}, "text": {"field": "line"}},
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
         "scale": {"domain": [0, 1.06]}, "axis": percent}  # fmt: skip
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
                "mark": {"type": "text", "align": "left", "dx": 9, "dy": 9, "fontSize": 11},
                "encoding": {"x": x, "y": y, "text": {"field": "n"}},
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
         "scale": {"domain": [0, most]}}  # fmt: skip
    y = {"type": "quantitative", "title": texts("figures.ratio"), "scale": {"domain": [0, highest]}}
    named = {level: texts(f"figures.limits_{level}") for level in ("95", "998")}
    lines = [
        {"expected": one["expected"], "level": named[one["level"]], "side": side,
         "ratio": min(one[side], highest)}
        for one in limits
        for side in ("lower", "upper")
    ]  # fmt: skip
    spec = specification(
        [{**one, "outside": one["standing"] != INSIDE} for one in units],
        height=300,
        layer=[
            {
                "data": {"values": lines},
                "mark": {"type": "line", "color": "@mark-5", "interpolate": "step-after"},
                "encoding": {
                    "x": x, "y": {**y, "field": "ratio"},
                    "detail": {"field": "side"},
                    "strokeDash": {"field": "level", "type": "nominal", "title": None, "sort": None,
                                   "scale": {"domain": list(named.values()), "range": [DASH, [1, 0]]}},
                },
            },
            {"data": {"values": [{}]}, "mark": {"type": "rule", "aria": False, "strokeDash": DOTS},
             "encoding": {"y": {**y, "datum": 1}}},
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
                "mark": {"type": "text", "align": "right", "dx": -9, "dy": -9},
                "encoding": {"x": x, "y": {**y, "field": "ratio"}, "text": {"field": "unit"}},
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
        height=170,
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
    y = {"type": "quantitative", "title": texts("figures.cusum_axis")}
    way = {"field": "way", "type": "nominal", "title": None,
           "scale": {"domain": list(named.values()), "range": ["@raises", "@lowers"]}}  # fmt: skip
    marked = [
        {"at": signs[one] * limit, "said": f"{texts('figures.limit')}: {named[one]}"}
        for one, limit in limits.items()
    ]
    spec = specification(
        data,
        height=220,
        layer=[
            {"data": {"values": marked}, "mark": {"type": "rule", "aria": False, "strokeDash": DASH, "color": "@bad"},
             "encoding": {"y": {**y, "field": "at"}}},
            {"data": {"values": marked}, "mark": {"type": "text", "align": "left", "dy": -7},
             "encoding": {"y": {**y, "field": "at"}, "x": {"datum": 1}, "text": {"field": "said"}}},
            {"mark": {"type": "line"},
             "encoding": {"x": x, "y": {**y, "field": "value"}, "color": way,
                          "strokeDash": {**way, "scale": {"domain": list(named.values()),
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
