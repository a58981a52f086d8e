"""Pictures as SVG, by hand: bars side by side, and axes with lines and dots upon them.

Colours are classes, so that the page's style gives them in light, in dark and on paper. What is told
apart by colour is told apart by form too: then is an outline and now is filled, limits are dashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, isfinite, log10

from monitoring.report.sentences import share

NAMES, BARS, ROW, BAR = 170, 220, 32, 12
"""Places in pixels: names, the longest bar, a row of two bars, one of them."""
AFTER = 58
LONGEST_NAME = 26
LEFT, TOP, RIGHT, BOTTOM = 52, 10, 14, 44
TICKS = 5
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with what it shows, in words and in numbers.

    Attributes
    ----------
    headings, rows
        The same as a table.
    """

    title: str
    words: str
    svg: str = field(repr=False)
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A share when the model was fitted and now; None is not known, or withheld."""

    name: str
    then: float | None
    now: float | None


def bars(title: str, words: str, pairs: Sequence[Pair]) -> str:
    """Two bars for each pair, the longest of all as wide as the room.

    Parameters
    ----------
    pairs : sequence of Pair
        From the top down.

    Examples
    --------
    >>> drawn = bars("Age", "Shares.", [Pair("up to 60", 0.5, 0.25)])
    >>> drawn.count('width="220.0"'), drawn.count('width="110.0"')
    (1, 1)
    """
    longest = max((x for pair in pairs for x in (pair.then, pair.now) if x), default=1.0)
    drawn = []
    for i, pair in enumerate(pairs):
        y = i * ROW + 4
        drawn.append(text(NAMES - 8, y + BAR + 4, shortened(pair.name), "end"))
        for value, kind, at in ((pair.then, "then", y), (pair.now, "now", y + BAR)):
            if value is None:
                drawn.append(
                    text(
                        NAMES + 4,
                        at + BAR - 2,
                        "withheld" if kind == "now" else "not known",
                        "start",
                        "small",
                    )
                )
                continue
            width = value / longest * BARS
            drawn.append(
                f'<rect class="{kind}" x="{NAMES}" y="{at}" width="{width:.1f}" height="{BAR - 1}"/>'
            )
            drawn.append(text(NAMES + width + 5, at + BAR - 2, share(value), "start", "small"))
    height = len(pairs) * ROW + 4
    legend = (("then", "when fitted"), ("now", "now"))
    for place, (kind, name) in enumerate(legend):
        x = NAMES + place * 110
        drawn.append(f'<rect class="{kind}" x="{x}" y="{height}" width="14" height="11"/>')
        drawn.append(text(x + 20, height + 10, name, "start"))
    return drawing(title, words, NAMES + BARS + AFTER, height + 20, drawn)


class Plot:
    """Axes, and what is drawn upon them.

    Parameters
    ----------
    across, up : str
        What the axes show.
    x, y : (float, float)
        What they reach over.
    width, height : int
        Of the room between the axes, in pixels.
    """

    def __init__(
        self,
        across: str,
        up: str,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        width: int = 320,
        height: int = 240,
    ) -> None:
        self._labels, self._x, self._y = (across, up), x, y
        self._width, self._height = width, height
        self._drawn: list[str] = []
        self._marks: list[str] = []

    def at(self, point: Point) -> Point:
        """Where a point lies, in pixels from the left and from the top."""
        (left, right), (low, high) = self._x, self._y
        x = LEFT + (point[0] - left) / ((right - left) or 1.0) * self._width
        y = TOP + self._height - (point[1] - low) / ((high - low) or 1.0) * self._height
        return x, y

    def line(self, points: Sequence[Point], kind: str) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self.at, points))
        self._drawn.append(f'<polyline class="{kind}" points="{path}"/>')

    def dot(self, point: Point, kind: str = "dot", name: str = "") -> None:
        """A dot; its name stands beside it."""
        x, y = self.at(point)
        self._marks.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        if name:
            to_left = x > LEFT + 0.75 * self._width
            place = (x - 7, "end") if to_left else (x + 7, "start")
            self._marks.append(text(place[0], y - 5, shortened(name), place[1], "small"))

    def cross(self, point: Point) -> None:
        """A mark for a signal, of another form than a dot."""
        x, y = self.at(point)
        path = f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"
        self._marks.append(f'<path class="signal" d="{path}"/>')

    def bar(self, x: float, share_of_height: float) -> None:
        """A pale bar from the bottom, behind what is drawn later."""
        high = share_of_height * self._height
        left, bottom = self.at((x, self._y[0]))
        self._drawn.insert(
            0,
            f'<rect class="pale" x="{left - 4:.1f}" y="{bottom - high:.1f}" width="8" '
            f'height="{high:.1f}"/>',
        )

    def drawn(self, title: str, words: str) -> str:
        """The picture; lines are cut off at the axes, dots and crosses are not."""
        room = f'x="{LEFT}" y="{TOP}" width="{self._width}" height="{self._height}"'
        view = f'viewBox="{LEFT} {TOP} {self._width} {self._height}"'
        inner = [f"<svg {room} {view}>", *self._drawn, "</svg>"]
        size = LEFT + self._width + RIGHT, TOP + self._height + BOTTOM
        return drawing(title, words, *size, [*self._axes(), *inner, *self._marks])

    def _axes(self) -> Iterator[str]:
        right, bottom = LEFT + self._width, TOP + self._height
        for tick in ticks(*self._x):
            x, _ = self.at((tick, 0))
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>'
            yield text(x, bottom + 15, f"{tick:.4g}", "middle", "small")
        for tick in ticks(*self._y):
            _, y = self.at((0, tick))
            yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield text(LEFT - 5, y + 4, f"{tick:.4g}", "end", "small")
        across, up = self._labels
        yield text(LEFT + self._width / 2, bottom + 34, across, "middle")
        middle = TOP + self._height / 2
        yield f'<g transform="rotate(-90 12 {middle:g})">{text(12, middle, up, "middle")}</g>'


def ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two ends, about five.

    Examples
    --------
    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / TICKS
    if not (rough > 0 and isfinite(rough)):
        return [low]
    power = 10.0 ** floor(log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= 0.999 * rough)
    return [i * step for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    """Words at a place."""
    of = f' class="{kind}"' if kind else ""
    return f'<text{of} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def drawing(title: str, words: str, width: float, height: float, drawn: Iterable[str]) -> str:
    """The SVG element, which says what it shows to who cannot see it."""
    return (
        f'<svg role="img" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}"><title>{escape(title)}</title><desc>{escape(words)}</desc>'
        f"{''.join(drawn)}</svg>"
    )
