"""Where the names of points stand, so that none covers another name or a point.

The place is worked out here for the plot of a telephone, which is the tightest: what is apart there is
apart on every wider screen. A name without room is left out; the table of the picture has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDE, HIGH = 225.0, 230.0
"""The plot of a telephone, in pixels."""
LETTER, LINE = 7.5, 16.0
LONGEST = 0.6
"""Part of the plot's width that a name may take; a longer one is cut there."""
RADIUS = 7.0
GAP = 3.0
NEAREST = 16.0
ABOVE = (NEAREST,)
LIFTS = (NEAREST, -NEAREST, 32.0, -32.0, 48.0, -48.0)
"""Above or below its point, the nearest first, in pixels."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Label:
    """A name beside its point.

    Attributes
    ----------
    align : str
        `left`, `center` or `right`: how it lies to the point's own place across, never over an edge.
    up : float
        How far above its point the middle of the name is, as a part of the plot's height.
    """

    align: str
    up: float

    @property
    def far(self) -> bool:
        """Whether a line must lead from the point to its name."""
        return abs(self.up) * HIGH > NEAREST


def labels(
    points: Sequence[tuple[float, float, str]],
    lifts: Sequence[float] = LIFTS,
    radius: float = RADIUS,
) -> list[Label | None]:
    """Place each name, the first before the others.

    Parameters
    ----------
    points : sequence of (float, float, str)
        Across and up as parts 0-1 of the plot, and the name; the most important first.
    lifts : sequence of float
        Where a name may stand, above or below its point in pixels.
    radius : float
        Of a point as it is drawn, in pixels.

    Returns
    -------
    list of Label or None
        In the order of the points; None where there is no room.

    Examples
    --------
    Two points of one place: one name above, one below; a third beside them takes the next line.

    >>> [one.up > 0 for one in labels([(0.5, 0.5, "icu-1"), (0.5, 0.5, "icu-2")])]
    [True, False]
    >>> labels([(0.0, 0.5, "icu-1")])[0].align, labels([(1.0, 0.5, "icu-1")])[0].align
    ('left', 'right')
    """
    dots = [_around(x * WIDE, y * HIGH, radius) for x, y, _ in points]
    taken: list[Box] = []
    found: list[Label | None] = []
    for x, y, name in points:
        half = _long(name) / 2 / WIDE
        align = "left" if x < half else "right" if x > 1 - half else "center"
        box = next(
            (
                (lift, own)
                for lift in lifts
                if _inside(own := _box(x * WIDE, y * HIGH + lift, name, align))
                and not any(_meet(own, other) for other in (*taken, *dots))
            ),
            None,
        )
        if box is None:
            found.append(None)
            continue
        lift, own = box
        taken.append(own)
        found.append(Label(align, lift / HIGH))
    return found


def _long(name: str) -> float:
    return min(len(name) * LETTER, LONGEST * WIDE)


def _box(x: float, y: float, name: str, align: str) -> Box:
    long = _long(name)
    left = x - {"left": 0.0, "center": long / 2, "right": long}[align]
    return left - GAP, left + long + GAP, y - LINE / 2, y + LINE / 2


def _around(x: float, y: float, radius: float) -> Box:
    return x - radius, x + radius, y - radius, y + radius


def _inside(box: Box) -> bool:
    return box[2] >= 0 and box[3] <= HIGH


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
