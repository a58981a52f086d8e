"""Values lie where they belong, counted out by hand, and stand beside the pictures as numbers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from monitoring.report import drift_pictures, outcome_pictures
from monitoring.report.disclosure import for_outside, marked
from monitoring.report.plot import BARS, LEFT, NAMES, TOP, Pair, Plot, bars, ticks
from tests.lib.monitoring_report import NAME, chart, document, figures, group


def elements(svg: str, name: str, kind: str = "") -> list[ET.Element]:
    found = ET.fromstring(svg).iter(name)  # noqa: S314 - our own
    return [one for one in found if not kind or kind in one.get("class", "").split()]


def points(one: ET.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in one.get("points", "").split()]  # type: ignore[misc]


def widths(svg: str, kind: str) -> list[float]:
    """Of the bars, without the legend."""
    return [float(one.get("width", "")) for one in elements(svg, "rect", kind)][:-1]


def test_bars_are_as_long_as_their_shares_of_the_longest() -> None:
    svg = bars("t", "w", [Pair("a", 0.8, 0.4), Pair("b", 0.2, 0.6)])
    assert widths(svg, "then") == [BARS, BARS / 4]
    assert widths(svg, "now") == [BARS / 2, 0.75 * BARS]
    assert {one.get("x") for one in elements(svg, "rect")} >= {str(NAMES)}


def test_a_point_lies_at_its_share_of_the_axes() -> None:
    plot = Plot("x", "y", (0, 10), (-1, 1), width=200, height=100)
    assert plot.at((0, -1)) == (LEFT, TOP + 100)
    assert plot.at((5, 0)) == (LEFT + 100, TOP + 50)
    assert plot.at((10, 1)) == (LEFT + 200, TOP)


def test_what_leaves_the_axes_is_cut_but_a_dot_on_the_edge_is_whole() -> None:
    plot = Plot("x", "y", (0, 1), (0, 1), width=200, height=100)
    plot.line([(0, 0), (1, 5)], "line")
    plot.dot((1, 1))
    root = ET.fromstring(plot.drawn("t", "w"))  # noqa: S314 - our own
    (frame,) = (one for one in root if one.tag == "svg")
    assert [one.tag for one in frame] == ["polyline"]
    assert [one.get("cx") for one in root if one.tag == "circle"] == [f"{LEFT + 200:.1f}"]
    assert (frame.get("x"), frame.get("viewBox")) == (str(LEFT), f"{LEFT} {TOP} 200 100")


@pytest.mark.parametrize(
    ("ends", "expected"),
    [((0, 3), [0, 1, 2, 3]), ((-30, 12), [-30, -20, -10, 0, 10]), ((2, 2), [2])],
)
def test_ticks_are_round(ends: tuple[float, float], expected: list[float]) -> None:
    assert ticks(*ends) == expected


def test_a_distribution_shows_shares_of_all_that_were_asked() -> None:
    (model,) = marked(document())["drift"]["models"]
    age = model["features"][1]
    picture = drift_pictures.feature(model, age, "Age, years")
    # 60 and 240 of 300; nobody implausible or unseen, so those bins are in the table alone.
    assert widths(picture.svg, "now") == [0.0, BARS / 4, BARS]
    assert [row[2] for row in picture.rows] == ["0 %", "20 %", "80 %", "0 %", "0 %"]
    assert picture.rows[1] == ("range 0", "20 %", "20 %", "60")
    assert picture.title == "Age, years: then and now"


def test_a_withheld_bin_has_no_bar() -> None:
    given = document()
    given["drift"]["models"][0]["features"][1]["bins"][0]["count"] = 3
    given["drift"]["models"][0]["features"][1]["bins"][1]["count"] = 57
    (inside,), (outside,) = (
        make(given)["drift"]["models"] for make in (marked, for_outside)
    )  # fmt: skip
    told = drift_pictures.feature(inside, inside["features"][1], "Age")
    assert [row[3] for row in told.rows] == ["3*", "57*", "240", "0", "0"]
    withheld = drift_pictures.feature(outside, outside["features"][1], "Age")
    assert [row[2:] for row in withheld.rows][:3] == [
        ("-", "withheld"), ("-", "withheld"), ("80 %", "240"),
    ]  # fmt: skip
    assert widths(withheld.svg, "now") == [BARS]


def test_reasons_are_shares_of_the_whole_explanation() -> None:
    """Now 0.3 and 0.9, when fitted 0.3 and 0.3."""
    (model,) = marked(document())["drift"]["models"]
    picture = drift_pictures.reasons(model, {"age": "Age"})
    assert picture is not None
    assert picture.rows == (("Age", "50 %", "75 %", "25.0"), ("sbp", "50 %", "25 %", "-25.0"))
    assert widths(picture.svg, "now") == [BARS, pytest.approx(BARS / 3, abs=0.05)]
    nothing = {**model, "features": [{**model["features"][0], "mean_absolute_contribution": None}]}
    assert drift_pictures.reasons(nothing, {}) is None


def test_a_bin_of_the_calibration_curve_lies_at_its_mean_prediction_and_share() -> None:
    """4.5 expected and 6 observed of 60: (0.075, 0.1); 18 and 20 of 40: (0.45, 0.5)."""
    own = marked(document())["performance"]["models"][0]["figures"]
    picture = outcome_pictures.calibration(own)
    assert picture is not None
    dots = [(one.get("cx"), one.get("cy")) for one in elements(picture.svg, "circle")]
    side = 280
    assert dots == [
        (f"{LEFT + 0.075 * side:.1f}", f"{TOP + 0.9 * side:.1f}"),
        (f"{LEFT + 0.45 * side:.1f}", f"{TOP + 0.5 * side:.1f}"),
    ]
    # Wilson of 20 in 40: 1/2 +- 1.96 sqrt(10 + 0.9604) / 43.8415.
    span = points(elements(picture.svg, "polyline", "span")[1])
    assert [y for _, y in span] == pytest.approx(
        [TOP + side * (1 - 0.352), TOP + side * (1 - 0.648)], abs=0.06
    )
    assert picture.rows[0] == ("0.05 to 0.1", "60", "6", "8 %", "10 %")
    assert outcome_pictures.calibration(figures(0, 0, 1.0)) is None


def test_the_funnel_has_its_units_inside_its_limits_or_named() -> None:
    """With 1 expected event three are inside 95 %; 32 for 16 are four standard deviations too many."""
    units = [group("unit", "ward-1", 40, 3, 1.0), group("unit", "ward-2", 90, 32, 16.0)]
    found = marked(document(units=units))["performance"]["units"]
    picture = outcome_pictures.funnel(found)
    assert picture is not None
    inside, outside = elements(picture.svg, "circle", "dot")
    most, highest = 1.08 * 16, 1.08 * 3.0
    at = (f"{LEFT + 400 / most:.1f}", f"{TOP + 240 * (1 - 3 / highest):.1f}")
    assert (inside.get("cx"), inside.get("cy"), inside.get("class")) == (*at, "dot")
    assert outside.get("class") == "dot alarm"
    words = [one.text for one in elements(picture.svg, "text")]
    assert "ward-2" in words
    assert "ward-1" not in words
    assert len(elements(picture.svg, "polyline", "limit")) == 2
    assert len(elements(picture.svg, "polyline", "outer")) == 2
    assert [row[-1] for row in picture.rows] == ["inside", "far above"]
    # The inner limits lie within the outer ones all the way.
    for inner, outer in zip(
        elements(picture.svg, "polyline", "limit"), elements(picture.svg, "polyline", "outer"),
        strict=True,
    ):  # fmt: skip
        middle = TOP + 240 * (1 - 1 / highest)
        for (_, near), (_, far) in zip(points(inner), points(outer), strict=True):
            assert abs(near - middle) <= abs(far - middle) + 0.05


def test_a_cusum_signals_at_its_limit_and_begins_anew() -> None:
    (own,) = document()["performance"]["charts"]
    picture = outcome_pictures.cusum(own)
    assert picture is not None
    (sign,) = elements(picture.svg, "path", "signal")
    # 0 to 2.5 upwards and 1 downwards, with a twentieth of 3.5 as room at both ends: 3.85 in all.
    at = re.match(r"M([\d.]+) ([\d.]+)", sign.get("d", ""))
    assert at is not None
    assert float(at[1]) + 5 == pytest.approx(LEFT + 150, abs=0.06)
    assert float(at[2]) + 5 == pytest.approx(TOP + 150 * 0.175 / 3.85, abs=0.06)
    limits = [points(one)[0][1] for one in elements(picture.svg, "polyline", "limit")]
    assert limits == pytest.approx([TOP + 150 * 0.675 / 3.85, TOP + 150 * 3.675 / 3.85], abs=0.06)
    before, after, _ = (points(one) for one in elements(picture.svg, "polyline", "line"))
    zero = TOP + 150 * 2.675 / 3.85
    assert len(before) == 2
    assert after[0] == (pytest.approx(LEFT + 150), pytest.approx(zero, abs=0.06))
    assert picture.rows[1] == ("2", "2026-11-01 01:00", "2.50", "0.00", "worse")


def test_a_vlad_goes_down_with_every_event_that_was_not_expected() -> None:
    own = chart("w", (0, 0, 0.25, None), (0, 0, -0.5, None), (0, 0, -0.25, None))
    picture = outcome_pictures.vlad(own)
    assert picture is not None
    heights = [y for _, y in points(elements(picture.svg, "polyline", "line")[0])]
    down, up = (b - a for a, b in pairwise(heights))
    assert down == pytest.approx(-3 * up, abs=0.2)
    assert [row[2] for row in picture.rows] == ["0.25", "-0.50", "-0.25"]
    assert outcome_pictures.vlad(chart("w", (0, 0, 0.25, None))) is None
    assert outcome_pictures.cusum(chart("w")) is None


def test_every_picture_says_what_it_shows() -> None:
    found = marked(document())
    told = found["performance"]
    (model,) = found["drift"]["models"]
    assert model["model"] == NAME
    for picture in (
        drift_pictures.predictions(model), drift_pictures.reasons(model, {}),
        outcome_pictures.calibration(told["models"][0]["figures"]),
        outcome_pictures.funnel(told["units"]), outcome_pictures.vlad(told["charts"][0]),
        outcome_pictures.cusum(told["charts"][0]),
    ):  # fmt: skip
        assert picture is not None
        root = ET.fromstring(picture.svg)  # noqa: S314 - our own
        assert root.get("role") == "img"
        assert root.findtext("title") == picture.title
        assert root.findtext("desc") == picture.words
        assert {len(row) for row in picture.rows} == {len(picture.headings)}
