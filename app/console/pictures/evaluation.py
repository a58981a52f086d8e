"""An evaluation: discrimination, calibration, net benefit and subgroups, as far as it holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.console.frame.numbers import Numbers
from app.console.frame.words import Texts
from app.console.pictures.picture import DASHES, Picture, specification
from models.card.figures import main_figure, subgroups
from models.card.precision_recall import precision_recall
from models.card.said import number, numbers, part, parts

HEIGHT = 300
BELOW_ZERO, LOWEST_TOP = 0.25, 0.01
PERCENT = {"format": ".0%", "tickCount": 6}
WHOLE = {"domain": [0, 1]}
SHOWN_ROWS = 14
"""A step of a long curve in how many rows of the table; the picture draws all of it."""
Named = Callable[[str, str], str]


def pictures_of(
    evaluation: Mapping[str, Any], texts: Texts, told: Numbers, named: Named
) -> list[Picture]:
    """Every picture that the stored evaluation has the numbers for.

    Parameters
    ----------
    named : callable
        What a group is called, from what divides patients and its part.
    """
    kinds = (roc, precision, calibration, deciles, decision_curve)
    drawn = [draw(evaluation, texts, told) for draw in kinds]
    drawn.append(forest(evaluation, texts, told, named))
    return [one for one in drawn if one is not None]


def roc(evaluation: Mapping[str, Any], texts: Texts, told: Numbers) -> Picture | None:
    """Sensitivity against the false positive rate, threshold by threshold."""
    wrong = numbers(evaluation, "roc", "false_positive_rate")
    right = numbers(evaluation, "roc", "sensitivity")
    if len(wrong) != len(right) or len(wrong) < 2:
        return None
    rows = list(zip(wrong, right, strict=True))
    spec = specification(
        [{"x": a, "y": b, "order": i} for i, (a, b) in enumerate(rows)],
        height=HEIGHT,
        layer=[
            _diagonal(0.0, 1.0),
            {
                "mark": {"type": "line", "color": "@mark", "strokeWidth": 2.5},
                "encoding": {
                    "x": _axis("x", texts("pictures.false_positives"), PERCENT, WHOLE),
                    "y": _axis("y", texts("pictures.sensitivity"), PERCENT, WHOLE),
                    "order": {"field": "order", "type": "quantitative"},
                },
            },
        ],
    )
    area = number(evaluation, "auroc", "value")
    said = texts("pictures.roc_said", area="–" if area is None else told.fixed(area))
    heads = (texts("pictures.false_positives"), texts("pictures.sensitivity"))
    step = max(1, len(rows) // SHOWN_ROWS)
    table = [_percents(told, *row) for row in rows[::step]]
    return Picture(texts("pictures.roc"), said, spec, heads, table)


def precision(evaluation: Mapping[str, Any], texts: Texts, told: Numbers) -> Picture | None:
    """Of those above a threshold the share with the event, against the share of events found."""
    curve, share = precision_recall(evaluation), number(evaluation, "prevalence")
    if len(curve) < 2 or share is None:
        return None
    x = _axis("x", texts("pictures.recall"), PERCENT, WHOLE)
    y = _axis("y", texts("pictures.precision"), PERCENT, WHOLE)
    drawn = [(0.0, curve[0][1]), *curve]
    spec = specification(
        [{"x": a, "y": b, "order": i} for i, (a, b) in enumerate(drawn)],
        height=HEIGHT,
        layer=[
            _line_from((0.0, share), (1.0, share)),
            {
                # A straight line between two thresholds would promise what none between them gives.
                "mark": {"type": "line", "color": "@mark", "strokeWidth": 2.5,
                         "interpolate": "step-before"},
                "encoding": {"x": x, "y": y, "order": {"field": "order", "type": "quantitative"}},
            },
        ],
    )  # fmt: skip
    area, lower, upper = (number(evaluation, "auprc", key) for key in ("value", "lower", "upper"))
    between = (
        "" if lower is None or upper is None
        else f" ({told.fixed(lower)}–{told.fixed(upper)})"
    )  # fmt: skip
    said = texts(
        "pictures.precision_recall_said",
        area="–" if area is None else f"{told.fixed(area)}{between}",
        share=told.percent(share),
    )
    heads = (texts("pictures.recall"), texts("pictures.precision"))
    step = max(1, len(curve) // SHOWN_ROWS)
    table = [_percents(told, *row) for row in curve[::step]]
    return Picture(texts("pictures.precision_recall"), said, spec, heads, table)


def calibration(evaluation: Mapping[str, Any], texts: Texts, told: Numbers) -> Picture | None:
    """Observed share against predicted risk: a smooth curve with its band, and tenths of patients."""
    curve = [dict(one) for one in parts(evaluation, "calibration", "curve")]
    tenths = [dict(one) for one in parts(evaluation, "calibration", "deciles")]
    if len(curve) < 2:
        return None
    x = _axis("predicted", texts("pictures.predicted"), PERCENT, WHOLE)
    y = _axis("observed", texts("pictures.observed"), PERCENT, WHOLE)
    spec = specification(
        curve,
        height=HEIGHT,
        layer=[
            _diagonal(0.0, 1.0),
            {
                "mark": {"type": "area", "color": "@mark", "opacity": 0.25},
                "encoding": {"x": x, "y": {**y, "field": "lower"}, "y2": {"field": "upper"}},
            },
            {"mark": {"type": "line", "color": "@mark"}, "encoding": {"x": x, "y": y}},
            *_tenths(tenths, "observed", x, y),
        ],
    )
    heads = (
        texts("pictures.predicted"), texts("pictures.observed"), texts("pictures.interval_95"),
        texts("pictures.patients"),
    )  # fmt: skip
    rows = [
        (
            told.percent(one["mean_predicted"]),
            told.percent(one["observed"]),
            told.percents(one["lower"], one["upper"]),
            told.plain(one["n"]),
        )
        for one in tenths
        if _whole(one, "mean_predicted", "observed", "lower", "upper", "n")
    ]
    return Picture(
        texts("pictures.calibration"), texts("pictures.calibration_said"), spec, heads, rows
    )


def deciles(evaluation: Mapping[str, Any], texts: Texts, told: Numbers) -> Picture | None:
    """Mean observed against mean predicted amount, by tenths of the patients."""
    tenths = [
        dict(one)
        for one in parts(evaluation, "deciles")
        if _whole(one, "mean_predicted", "mean_observed", "lower", "upper")
    ]
    if len(tenths) < 2:
        return None
    reach = [one[key] for one in tenths for key in ("mean_predicted", "mean_observed", "upper")]
    x = _axis("mean_predicted", texts("pictures.predicted_amount"), {"tickCount": 6})
    y = _axis("mean_observed", texts("pictures.observed_amount"), {"tickCount": 6})
    spec = specification(
        tenths,
        height=HEIGHT,
        layer=[
            _diagonal(min(0.0, *reach), max(reach)),
            *_tenths(tenths, "mean_observed", x, y),
        ],
    )
    heads = (
        texts("pictures.predicted_amount"), texts("pictures.observed_amount"),
        texts("pictures.interval_95"),
    )  # fmt: skip
    rows = [
        (
            told.plain(round(one["mean_predicted"], 1)),
            told.plain(round(one["mean_observed"], 1)),
            f"{told.plain(round(one['lower'], 1))}–{told.plain(round(one['upper'], 1))}",
        )
        for one in tenths
    ]
    said = texts("pictures.deciles_said")
    return Picture(texts("pictures.calibration"), said, spec, heads, rows)


def decision_curve(evaluation: Mapping[str, Any], texts: Texts, told: Numbers) -> Picture | None:
    """Net benefit of acting on the model, on everybody and on nobody, threshold by threshold."""
    curves = part(evaluation, "net_benefit")
    at = numbers(curves, "thresholds")
    model, everybody = numbers(curves, "model"), numbers(curves, "treat_all")
    if not at or len(model) != len(at) or len(everybody) != len(at):
        return None
    names = [texts(f"pictures.{key}") for key in ("this_model", "treat_all", "treat_none")]
    data = [
        {"at": threshold, "benefit": benefit, "who": who}
        for who, line in zip(names, (model, everybody, [0.0] * len(at)), strict=True)
        for threshold, benefit in zip(at, line, strict=True)
    ]
    top = max(LOWEST_TOP, *model, *everybody) * 1.05
    among = {"domain": names}
    spec = specification(
        data,
        height=HEIGHT,
        mark={"type": "line", "clip": True, "strokeWidth": 2.5},
        encoding={
            "x": _axis("at", texts("pictures.threshold"), PERCENT, WHOLE),
            "y": _axis(
                "benefit",
                texts("pictures.net_benefit"),
                {"tickCount": 6},
                {"domain": [-BELOW_ZERO * top, top]},
            ),
            "color": {
                "field": "who", "type": "nominal", "title": None, "legend": DASHES,
                "scale": {**among, "range": ["@mark", "@mark-2", "@mark-5"]},
            },
            "strokeDash": {
                "field": "who", "type": "nominal", "title": None, "legend": DASHES,
                "scale": {**among, "range": [[1, 0], [8, 3], [2, 3]]},
            },
        },
    )  # fmt: skip
    heads = (texts("pictures.threshold"), *names[:2])
    rows = [
        (told.percent(a, 0), told.signed(b, 3), told.signed(c, 3))
        for a, b, c in zip(at, model, everybody, strict=True)
    ]
    said = texts("pictures.decision_said")
    return Picture(texts("pictures.decision_curve"), said, spec, heads, rows)


def forest(
    evaluation: Mapping[str, Any], texts: Texts, told: Numbers, named: Named
) -> Picture | None:
    """The main figure group by group, beside that of all patients."""
    name = main_figure(evaluation)
    overall = number(evaluation, name, "value")
    groups = [group for group in subgroups(evaluation) if group.figure is not None]
    if not groups or overall is None:
        return None
    data: list[dict[str, Any]] = [
        {
            "group": named(group.grouping, group.label),
            "value": group.figure.value,
            "lower": group.figure.lower,
            "upper": group.figure.upper,
        }
        for group in groups
        if group.figure is not None
    ]
    label = texts(f"models.{name}")
    y = {"field": "group", "type": "nominal", "sort": None, "title": None,
         "axis": {"ticks": False, "labelLimit": 200}}  # fmt: skip
    x = _axis("value", label, {"tickCount": 5}, {"zero": False})
    spec = specification(
        data,
        height={"step": 22},
        encoding={"y": y},
        layer=[
            {
                "data": {"values": [{"value": overall}]},
                "mark": {"type": "rule", "color": "@ink", "strokeDash": [6, 4]},
                "encoding": {"x": x, "y": {"value": 0}, "y2": {"value": "height"}},
            },
            {
                "transform": [{"filter": "isValid(datum.lower)"}],
                "mark": {"type": "rule", "color": "@mark", "strokeWidth": 2},
                "encoding": {"x": {**x, "field": "lower"}, "x2": {"field": "upper"}},
            },
            {
                "mark": {
                    "type": "point", "filled": True, "size": 70, "opacity": 1, "color": "@mark",
                },
                "encoding": {"x": x},
            },
        ],
    )  # fmt: skip
    heads = (texts("pictures.group"), label, texts("pictures.interval_95"))
    rows = [
        (
            one["group"],
            told.fixed(one["value"]),
            ""
            if one["lower"] is None or one["upper"] is None
            else f"{told.fixed(one['lower'])}–{told.fixed(one['upper'])}",
        )
        for one in data
    ]
    said = texts("pictures.forest_said", overall=told.fixed(overall))
    return Picture(texts("pictures.subgroups"), said, spec, heads, rows)


def _tenths(
    tenths: list[dict[str, Any]], observed: str, x: dict[str, Any], y: dict[str, Any]
) -> list[dict[str, Any]]:
    at = {"x": {**x, "field": "mean_predicted"}}
    return [
        {
            "data": {"values": tenths},
            "mark": {"type": "rule", "color": "@ink"},
            "encoding": {**at, "y": {**y, "field": "lower"}, "y2": {"field": "upper"}},
        },
        {
            "data": {"values": tenths},
            "mark": {"type": "point", "filled": True, "color": "@ink", "size": 55, "opacity": 1},
            "encoding": {**at, "y": {**y, "field": observed}},
        },
    ]


def _diagonal(lowest: float, highest: float) -> dict[str, Any]:
    """Where both axes say the same."""
    return _line_from((lowest, lowest), (highest, highest))


def _line_from(begin: tuple[float, float], end: tuple[float, float]) -> dict[str, Any]:
    """A dashed line to compare with."""
    ends = [{"a": a, "b": b} for a, b in (begin, end)]
    return {
        "data": {"values": ends},
        "mark": {"type": "line", "color": "@mark-5", "strokeDash": [6, 4]},
        "encoding": {
            "x": {"field": "a", "type": "quantitative"},
            "y": {"field": "b", "type": "quantitative"},
        },
    }


def _axis(
    field: str,
    title: str,
    axis: Mapping[str, Any],
    scale: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "field": field, "type": "quantitative", "title": title, "axis": dict(axis),
        "scale": dict(scale or {}),
    }  # fmt: skip


def _whole(one: Mapping[str, Any], *keys: str) -> bool:
    return all(number(one, key) is not None for key in keys)


def _percents(told: Numbers, *shares: float) -> tuple[str, ...]:
    # The ends of a curve are 0 and 1 themselves: no risk of anybody's, so written as they are.
    return tuple(
        told.percent(x) if 0 < x < 1 else f"{told.plain(100 * x)}\u202f%" for x in shares
    )  # fmt: skip
