"""Pictures of outcomes: calibration, the funnel of units, and their control charts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from monitoring.cusum import load_design
from monitoring.observed_expected import LEVEL, OUTER_LEVEL, funnel_limits
from monitoring.report.disclosure import MARK
from monitoring.report.drift_pictures import range_of
from monitoring.report.judged import INSIDE, Row, standing
from monitoring.report.plot import Picture, Plot
from monitoring.report.said import interval, number, or_withheld, percent, when

STANDARD_NORMAL_975 = 1.959964
HIGHEST_BAR = 0.25
"""Of the room: the bars of the counts stand behind the curve."""
STEPS = 160
ROOM = 1.08
WIDE, FLAT = 300, 150
SIGNS = {"worse": 1, "better": -1}


def wilson(observed: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson EB. J Am Stat Assoc 1927;22:209-212).

    Parameters
    ----------
    observed, n : int
        Events, and patients with and without; n above 0.

    Examples
    --------
    Of 5 in 10, 1/2 plus and minus 1.96 sqrt(10/4 + 0.9604) / (10 + 3.8415):

    >>> [round(end, 4) for end in wilson(5, 10)]
    [0.2366, 0.7634]
    """
    z = STANDARD_NORMAL_975
    share = min(max(observed / n, 0.0), 1.0)
    middle = (share * n + z * z / 2) / (n + z * z)
    half = z * sqrt(n * share * (1 - share) + z * z / 4) / (n + z * z)
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration(figures: Row) -> Picture | None:
    """Observed share against mean prediction, bin by bin; None where no bin can be shown."""
    told = [one for one in figures["curve"] if one["n"] is not None and one["n"] > 0]
    if not told:
        return None
    plot = Plot("Predicted risk", "Observed share", (0, 1), (0, 1), width=280, height=280)
    plot.line([(0, 0), (1, 1)], "same")
    most = max(one["n"] for one in told)
    for one in told:
        x, y = one["expected"] / one["n"], one["observed"] / one["n"]
        lower, upper = wilson(one["observed"], one["n"])
        plot.bar(x, HIGHEST_BAR * one["n"] / most)
        plot.line([(x, lower), (x, upper)], "span")
        plot.dot((x, y))
    rows = []
    for one in figures["curve"]:
        n, mark = one["n"], "*" if one[MARK] and one["n"] is not None else ""
        mean = one["expected"] / n if n else None
        seen = one["observed"] / n if n else None
        rows.append((range_of(one["bin"]), or_withheld(n) + mark,
                     or_withheld(one["observed"]), percent(mean), percent(seen)))  # fmt: skip
    title = "Predicted and observed risk"
    words = (
        "Dots: patients with about the same prediction, with 95 % intervals; on the dotted line as "
        "many had the event as predicted. Pale bars: how many patients."
    )
    headings = ("predicted", "patients", "events", "mean prediction", "observed share")
    return Picture(title, words, plot.drawn(title, words), headings, tuple(rows))


def funnel(units: Sequence[Row]) -> Picture | None:
    """Ratio against expected events of each unit, with the limits of chance; None without any."""
    told = [one for one in units if standing(one["figures"]) is not None]
    if not told:
        return None
    most = ROOM * max(one["figures"]["expected"] for one in told)
    expected = [most * (i + 1) / STEPS for i in range(STEPS)]
    highest = max(2.0, ROOM * max(one["figures"]["ratio"] for one in told))
    plot = Plot("Expected events", "Observed / expected", (0, most), (0, highest), width=400)
    plot.line([(0, 1), (most, 1)], "same")
    for level, kind in ((LEVEL, "limit"), (OUTER_LEVEL, "outer")):
        found = [(x, funnel_limits(x, level)) for x in expected]
        plot.line([(x, one.upper) for x, one in found], kind)
        plot.line([(x, one.lower) for x, one in found], kind)
    rows = []
    for one in units:
        own, where = one["figures"], standing(one["figures"])
        if where is not None:
            outside = where != INSIDE
            kind = "dot alarm" if outside else "dot"
            plot.dot((own["expected"], own["ratio"]), kind, one["unit"] if outside else "")
        mark = "*" if one[MARK] and own["n"] is not None else ""
        rows.append((one["unit"], or_withheld(own["n"]) + mark, or_withheld(own["observed"]),
                     number(own["expected"], 1), interval(own), where or "-"))  # fmt: skip
    title = "Units beside each other"
    words = (
        "Each dot is a unit. Between the dashed lines lie 95 % of units by chance alone, between "
        "the outer ones 99.8 %; above 1 more events than predicted."
    )
    headings = (
        "unit",
        "patients",
        "events",
        "expected",
        "ratio (95 % interval)",
        "limits of chance",
    )
    return Picture(title, words, plot.drawn(title, words), headings, tuple(rows))


def vlad(chart: Row) -> Picture | None:
    """Expected less observed events, patient by patient; None without two patients."""
    points = chart["points"]
    if len(points) < 2:
        return None
    course = [(i + 1, point["vlad"]) for i, point in enumerate(points)]
    ends = [0.0, *(y for _, y in course)]
    reach = _reach(min(ends), max(ends))
    plot = Plot("Patients", "Expected - observed", (1, len(points)), reach, width=WIDE, height=FLAT)
    plot.line([(1, 0), (len(points), 0)], "same")
    plot.line(course, "line")
    title = f"{chart['unit']}: VLAD"
    words = (
        f"Expected less observed events over the window's newest {len(points)} patients: falling is "
        "more events than predicted."
    )
    headings = ("patient", "counted (UTC)", "events fewer than expected")
    rows = tuple(
        (str(i), when(point["at"]), number(point["vlad"]))
        for i, point in enumerate(points, start=1)
    )
    return Picture(title, words, plot.drawn(title, words), headings, rows)


def cusum(chart: Row) -> Picture | None:
    """Both risk-adjusted CUSUMs, that for better turned downwards; None without two patients."""
    points, limits = chart["points"], chart["limits"]
    if len(points) < 2:
        return None
    ends = [sign * value for way, sign in SIGNS.items()
            for value in (limits.get(way, 0.0), *(point[way] for point in points))]  # fmt: skip
    reach = _reach(min(ends), max(ends))
    last = len(points)
    plot = Plot("Patients", "Evidence of a change", (1, last), reach, width=WIDE, height=FLAT)
    for way, sign in SIGNS.items():
        if way in limits:
            plot.line([(1, sign * limits[way]), (last, sign * limits[way])], "limit")
        for part in _parts(points, way):
            plot.line([(i, sign * value) for i, value in part], "line")
        for i, point in enumerate(points, start=1):
            if point["signal"] == way:
                plot.cross((i, sign * point[way]))
    title, ratios = f"{chart['unit']}: CUSUM", load_design().odds_ratios
    words = (
        f"Evidence that the odds of the event are {ratios['worse']:g} times (above) or "
        f"{ratios['better']:g} times (below) what was predicted; beyond a dashed limit, as it is "
        "today, the chart signals (cross) and begins anew."
    )
    headings = ("patient", "counted (UTC)", "worse", "better", "signal")
    rows = tuple(
        (str(i), when(one["at"]), number(one["worse"]), number(one["better"]), one["signal"] or "-")
        for i, one in enumerate(points, start=1)
    )
    return Picture(title, words, plot.drawn(title, words), headings, rows)


def _parts(points: Sequence[Row], way: str) -> list[list[tuple[int, float]]]:
    """The course between signals: after one it begins anew."""
    parts: list[list[tuple[int, float]]] = [[(1, points[0][way])]]
    for i, (before, point) in enumerate(pairwise(points), start=2):
        if before["signal"] == way:
            parts.append([(i - 1, 0.0)])
        parts[-1].append((i, point[way]))
    return parts


def _reach(low: float, high: float) -> tuple[float, float]:
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room
