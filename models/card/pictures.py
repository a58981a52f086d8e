"""An evaluation as SVG: text, small, and without a drawing library.

Each picture brings what it draws as rows of numbers too, so no picture is the only way to read something.
Lines differ in dashes and not in colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from math import ceil, floor, log10
from typing import Any

from models.card.figures import LABELS, main_figure, subgroups
from models.card.precision_recall import precision_recall
from models.card.said import number, numbers, part, parts

# Okabe and Ito's colours that are dark enough on white.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"
INK, GREY, PALE = "#222222", "#767676", "#E6E6E6"
LOOKS = ((ORANGE, "8 3"), (GREEN, "2 3"), (PURPLE, "10 3 2 3"))
SIZE, LEFT, TOP, BOTTOM, RIGHT = 320, 64, 12, 56, 12
ROW, NAMES, BARS = 22, 250, 300
TICKS = 5
BELOW_ZERO, LOWEST_TOP = 0.25, 0.01

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with what it shows, in words and in numbers.

    Attributes
    ----------
    headings, rows
        The numbers; no rows where another table of the page has them.
    """

    title: str
    words: str
    svg: str = field(repr=False)
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def pictures(evaluation: Mapping[str, Any]) -> list[Picture]:
    """Calibration, ROC, precision, decision curve and subgroups, as far as the evaluation tells them."""
    drawn = (_calibration, _roc, _precision_recall, _decision_curve, _deciles, _forest)
    return [picture for draw in drawn if (picture := draw(evaluation)) is not None]


def _calibration(evaluation: Mapping[str, Any]) -> Picture | None:
    curve = parts(evaluation, "calibration", "curve")
    line = _points(curve, "predicted", "observed")
    if len(line) < 2:
        return None
    plot = _Plot("Predicted risk", "Observed share", (0, 1), (0, 1))
    band = _points(curve, "predicted", "upper") + _points(curve, "predicted", "lower")[::-1]
    tenths = parts(evaluation, "calibration", "deciles")
    plot.area(band, BLUE)
    plot.line([(0, 0), (1, 1)], GREY, "6 4")
    plot.line(line, BLUE)
    for group in tenths:
        plot.span(group, "mean_predicted")
    plot.dots(_points(tenths, "mean_predicted", "observed"))
    words = (
        "Predicted risk against the observed share of patients. Line: flexible curve with its 95% "
        "band; dots: tenths of the patients with 95% intervals; dashed: perfect agreement."
    )
    headings = ("predicted", "observed", "95 % interval")
    return plot.picture("Calibration", words, headings, _tenths(tenths, "observed"))


def _roc(evaluation: Mapping[str, Any]) -> Picture | None:
    wrong = numbers(evaluation, "roc", "false_positive_rate")
    right = numbers(evaluation, "roc", "sensitivity")
    if len(wrong) != len(right) or len(wrong) < 2:
        return None
    plot = _Plot("False positive rate", "Sensitivity", (0, 1), (0, 1))
    plot.line([(0, 0), (1, 1)], GREY, "6 4")
    plot.line(list(zip(wrong, right, strict=True)), BLUE)
    area = number(evaluation, "auroc", "value")
    words = "Sensitivity against the false positive rate, threshold by threshold" + (
        "." if area is None else f"; the area below is {area:.3f}."
    )
    rows = [_three(a, b) for a, b in zip(wrong, right, strict=True)]
    headings = ("false positive rate", "sensitivity")
    return plot.picture("ROC curve", f"{words} Dashed: a coin.", headings, rows)


def _precision_recall(evaluation: Mapping[str, Any]) -> Picture | None:
    curve, share = precision_recall(evaluation), number(evaluation, "prevalence")
    if len(curve) < 2 or share is None:
        return None
    plot = _Plot("Sensitivity (recall)", "Precision", (0, 1), (0, 1))
    plot.line([(0, share), (1, share)], GREY, "6 4")
    # In steps: a straight line between two thresholds would promise what none between them gives.
    steps = pairwise([(0.0, share), *curve])
    plot.line([(x, y) for (before, _), (recall, y) in steps for x in (before, recall)], BLUE)
    area = number(evaluation, "auprc", "value")
    words = (
        "Of those above a threshold, the share that has the event, against the share of events found"
        + ("." if area is None else f"; the area below (average precision) is {area:.3f}.")
    )
    rows = [_three(a, b) for a, b in curve]
    return plot.picture(
        "Precision-recall curve", f"{words} Dashed: the share of events among all.",
        ("recall", "precision"), rows,
    )  # fmt: skip


def _decision_curve(evaluation: Mapping[str, Any]) -> Picture | None:
    curves = part(evaluation, "net_benefit")
    at = numbers(curves, "thresholds")
    model, everybody = numbers(curves, "model"), numbers(curves, "treat_all")
    if not at or len(model) != len(at) or len(everybody) != len(at):
        return None
    top = max(LOWEST_TOP, *model, *everybody) * 1.05
    plot = _Plot(
        "Threshold: risk at which one would act", "Net benefit", (0, 1), (-BELOW_ZERO * top, top)
    )
    plot.line([(0, 0), (1, 0)], INK, name="nobody")
    plot.line(list(zip(at, everybody, strict=True)), GREY, "4 2", name="everybody")
    for (colour, dash), (name, own) in zip(
        LOOKS, part(curves, "comparators").items(), strict=False
    ):
        line = numbers(own, "comparator")
        # On the same patients only; the others stand in the table of comparators.
        if len(line) == len(at) and numbers(own, "model") == model:
            plot.line(list(zip(at, line, strict=True)), colour, dash, name=name.replace("_", " "))
    plot.line(list(zip(at, model, strict=True)), BLUE, name="this model")
    words = (
        "Net benefit of acting on this model, on everybody and on nobody, at each threshold at which "
        "the action would be reasonable; higher is better."
    )
    rows = [_three(*row) for row in zip(at, model, everybody, strict=True)]
    headings = ("threshold", "this model", "everybody")
    return plot.picture("Decision curve", words, headings, rows)


def _deciles(evaluation: Mapping[str, Any]) -> Picture | None:
    groups = parts(evaluation, "deciles")
    dots = _points(groups, "mean_predicted", "mean_observed")
    if len(dots) < 2:
        return None
    reach = [value for dot in dots for value in dot]
    reach += [x for group in groups if (x := number(group, "upper")) is not None]
    both = (min(0.0, *reach), max(reach))
    plot = _Plot("Mean predicted value", "Mean observed value", both, both)
    plot.line([(both[0], both[0]), (both[1], both[1])], GREY, "6 4")
    for group in groups:
        plot.span(group, "mean_predicted")
    plot.dots(dots)
    words = (
        "Mean observed against mean predicted value, by tenths of the patients, with 95% intervals, "
        "in the outcome's own unit. Dashed: perfect agreement."
    )
    headings = ("predicted", "observed", "95 % interval")
    return plot.picture("Observed and predicted", words, headings, _tenths(groups, "mean_observed"))


def _forest(evaluation: Mapping[str, Any]) -> Picture | None:
    name = main_figure(evaluation)
    groups = [group for group in subgroups(evaluation) if group.figure]
    overall = number(evaluation, name, "value")
    if not groups or overall is None:
        return None
    ends = [overall]
    for group in groups:
        figure = group.figure
        if figure:
            ends += [x for x in (figure.value, figure.lower, figure.upper) if x is not None]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.06 or 0.01
    low, high = low - room, high + room

    def x(value: float) -> str:
        return f"{NAMES + (value - low) / (high - low) * BARS:.1f}"

    bottom = ROW * len(groups) + 8
    drawn = [
        f'<line x1="{x(overall)}" x2="{x(overall)}" y1="4" y2="{bottom}" stroke="{GREY}" '
        'stroke-dasharray="6 4"/>'
    ]
    for i, group in enumerate(groups):
        figure, y = group.figure, ROW * i + 18
        if figure is None:
            continue
        drawn.append(_text(NAMES - 10, y + 4, group.name, "end"))
        if figure.lower is not None and figure.upper is not None:
            drawn.append(
                f'<line x1="{x(figure.lower)}" x2="{x(figure.upper)}" y1="{y}" y2="{y}" '
                f'stroke="{BLUE}" stroke-width="2"/>'
            )
        drawn.append(f'<circle cx="{x(figure.value)}" cy="{y}" r="4" fill="{BLUE}"/>')
    drawn += [
        _text(float(x(tick)), bottom + 16, f"{tick:.3g}", "middle") for tick in _ticks(low, high)
    ]
    drawn.append(_text(NAMES + BARS / 2, bottom + 34, f"{LABELS[name]}, 95% interval", "middle"))
    title = f"{LABELS[name]} by subgroup"
    words = (
        "Dots with 95% intervals, group by group; dashed: all patients. Small groups are withheld."
    )
    return Picture(
        title, words, _svg(title, words, NAMES + BARS + RIGHT, bottom + 42, drawn)
    )  # fmt: skip


class _Plot:
    """Axes, and lines upon them."""

    def __init__(
        self, across: str, up: str, reach_x: tuple[float, float], reach_y: tuple[float, float]
    ) -> None:
        self._x, self._y = reach_x, reach_y
        self._labels = (across, up)
        self._drawn: list[str] = []
        self._named: list[tuple[str, str, str]] = []

    def line(self, points: Sequence[Point], colour: str, dash: str = "", name: str = "") -> None:
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._drawn.append(
            f'<polyline points="{self._path(points)}" fill="none" stroke="{colour}" '
            f'stroke-width="2"{dashes}/>'
        )
        if name:
            self._named.append((name, colour, dashes))

    def area(self, points: Sequence[Point], colour: str) -> None:
        self._drawn.append(
            f'<polygon points="{self._path(points)}" fill="{colour}" fill-opacity="0.18"/>'
        )

    def dots(self, points: Iterable[Point]) -> None:
        for point in points:
            x, y = self._at(point)
            self._drawn.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="white" stroke="{INK}"/>'
            )

    def span(self, group: Mapping[str, Any], where: str) -> None:
        x, lower, upper = (number(group, name) for name in (where, "lower", "upper"))
        if x is not None and lower is not None and upper is not None:
            self._drawn.append(
                f'<polyline points="{self._path([(x, lower), (x, upper)])}" fill="none" '
                f'stroke="{INK}"/>'
            )

    def picture(
        self, title: str, words: str, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]
    ) -> Picture:
        height = TOP + SIZE + BOTTOM
        legend = []
        for i, (name, colour, dashes) in enumerate(self._named):
            y = height + 18 * i
            legend.append(
                f'<line x1="{LEFT}" x2="{LEFT + 34}" y1="{y}" y2="{y}" stroke="{colour}" '
                f'stroke-width="2"{dashes}/>'
            )
            legend.append(_text(LEFT + 42, y + 4, name, "start"))
        whole = height + 18 * len(self._named) - (0 if self._named else BOTTOM - 42)
        # What lies outside the axes, as a net benefit far below zero does, is cut off by this.
        frame = f'<svg x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}">'
        inner = [frame, *self._drawn, "</svg>"]
        drawing = _svg(title, words, LEFT + SIZE + RIGHT, whole, [*self._axes(), *inner, *legend])
        return Picture(title, words, drawing, headings, tuple(rows))

    def _axes(self) -> list[str]:
        drawn = []
        for tick in _ticks(*self._x):
            x = LEFT + self._at((tick, 0))[0]
            drawn.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + SIZE}" stroke="{PALE}"/>'
            )
            drawn.append(_text(x, TOP + SIZE + 16, f"{tick:.3g}", "middle"))
        for tick in _ticks(*self._y):
            y = TOP + self._at((0, tick))[1]
            drawn.append(
                f'<line x1="{LEFT}" x2="{LEFT + SIZE}" y1="{y:.1f}" y2="{y:.1f}" stroke="{PALE}"/>'
            )
            drawn.append(_text(LEFT - 6, y + 4, f"{tick:.3g}", "end"))
        across, up = self._labels
        middle = TOP + SIZE / 2
        drawn.append(_text(LEFT + SIZE / 2, TOP + SIZE + 34, across, "middle"))
        drawn.append(
            f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, up, "middle")}</g>'
        )
        return drawn

    def _path(self, points: Sequence[Point]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._at, points))

    def _at(self, point: Point) -> Point:
        (left, right), (low, high) = self._x, self._y
        x = (point[0] - left) / ((right - left) or 1.0) * SIZE
        y = SIZE - (point[1] - low) / ((high - low) or 1.0) * SIZE
        return x, y


def _tenths(groups: Iterable[Mapping[str, Any]], observed: str) -> Iterator[tuple[str, ...]]:
    for group in groups:
        names = ("mean_predicted", observed, "lower", "upper")
        told = [value for name in names if (value := number(group, name)) is not None]
        if len(told) == len(names):
            predicted, seen, lower, upper = _three(*told)
            yield predicted, seen, f"{lower} to {upper}"


def _three(*values: float) -> tuple[str, ...]:
    return tuple(f"{value:.3f}" for value in values)


def _points(groups: Iterable[Mapping[str, Any]], x: str, y: str) -> list[Point]:
    pairs = ((number(group, x), number(group, y)) for group in groups)
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about five of them."""
    rough = (high - low) / TICKS
    if rough <= 0:
        return [low]
    power = 10.0 ** floor(log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
    return [i * step for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" fill="{INK}">'
        f"{escape(words)}</text>"
    )


def _svg(title: str, words: str, width: float, height: float, drawn: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="DejaVu Sans, Verdana, sans-serif">'
        f"<title>{escape(title)}</title><desc>{escape(words)}</desc>{''.join(drawn)}</svg>"
    )
