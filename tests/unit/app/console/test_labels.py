"""Names of points lie apart from each other, from the points and within the picture."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from app.console.pictures.labels import HIGH, LETTER, LINE, LONGEST, RADIUS, WIDE, labels
from tests.lib.properties import LAW

SHARE = st.floats(0, 1)
POINTS = st.lists(st.tuples(SHARE, SHARE, st.text("abc", min_size=1, max_size=40)), max_size=12)


def edges(x: float, y: float, name: str, align: str, up: float) -> tuple[float, ...]:
    long = min(len(name) * LETTER, LONGEST * WIDE)
    left = x * WIDE - {"left": 0, "center": long / 2, "right": long}[align]
    middle = (y + up) * HIGH
    return left, left + long, middle - LINE / 2, middle + LINE / 2


@LAW
@given(POINTS)
def test_no_name_covers_another_or_a_point_or_an_edge(points: list[tuple[float, float, str]]):
    boxes = [
        edges(*point, label.align, label.up)
        for point, label in zip(points, labels(points), strict=True)
        if label is not None
    ]
    for a, b in combinations(boxes, 2):
        assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] + 1e-6 or b[3] <= a[2] + 1e-6
    for left, right, low, high in boxes:
        assert left >= 0
        assert right <= WIDE
        assert low >= -1e-6
        assert high <= HIGH + 1e-6
        for x, y, _ in points:
            across = left < x * WIDE + RADIUS and x * WIDE - RADIUS < right
            assert not (
                across and low < y * HIGH + RADIUS - 1e-6 and y * HIGH - RADIUS < high - 1e-6
            )


def test_one_name_stands_above_its_point_and_below_at_the_top():
    [alone] = labels([(0.5, 0.5, "icu-1")])
    [at_the_top] = labels([(0.5, 1.0, "icu-1")])
    assert alone is not None
    assert at_the_top is not None
    assert alone.up > 0 > at_the_top.up


def test_where_many_are_of_one_place_the_first_are_named():
    found = labels([(0.5, 0.5, f"icu-{i}") for i in range(12)])
    assert [one is not None for one in found] == [True] * 6 + [False] * 6
