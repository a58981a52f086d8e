"""The table and the pictures of an evaluation."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import vl_convert
from rich.console import Console

from training.evaluation import draw, evaluate_binary, evaluate_numeric, summary_table

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(1)
    n = 400
    p = rng.uniform(0.05, 0.95, n)
    y = (rng.uniform(size=n) < p).astype(float)
    ward = ["a"] * 200 + ["b"] * 197 + ["c"] * 3
    return evaluate_binary(
        y,
        p,
        lower=p - 0.05,
        upper=p + 0.05,
        comparators={"physician": np.where(np.arange(n) < 250, p**2, np.nan), "score": p / 2},
        groups={"ward": ward},
        n_resamples=30,
    )


@pytest.fixture(scope="module")
def numeric():
    rng = np.random.default_rng(1)
    value = rng.gamma(2, 5000, 200)
    return evaluate_numeric(
        value * rng.uniform(0.5, 1.5, 200),
        value,
        lower=value / 2,
        upper=value * 2,
        groups={"sex": rng.choice(["female", "male"], 200).tolist()},
        n_resamples=30,
    )


def printed(table):
    out = io.StringIO()
    Console(file=out, width=120).print(table)
    return out.getvalue()


def words(svg):
    return " ".join("".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text"))  # noqa: S314


def test_the_table_shows_the_figures_with_their_intervals_and_comparators(binary):
    text = printed(summary_table("ward-round.sepsis", binary))
    auroc = binary["auroc"]
    assert "ward-round.sepsis" in text
    assert f"{auroc['value']:.3f} ({auroc['lower']:.3f} to {auroc['upper']:.3f})" in text
    assert "Beside physician" in text
    assert "AUROC, model minus comparator" in text


def test_the_table_says_of_a_withheld_group_that_it_has_fewer_than_five(binary):
    lines = printed(summary_table("m", binary)).splitlines()
    assert any(" c " in line and "fewer than 5" in line for line in lines)
    assert any(" b " in line and "n withheld" in line for line in lines)


def test_the_table_of_a_number_shows_its_errors(numeric):
    text = printed(summary_table("icu-review.cost_sek", numeric))
    assert "Mean absolute error" in text
    assert f"{numeric['mae']['value']:,.0f}" in text


def test_a_name_with_brackets_is_not_read_as_markup(numeric):
    assert "[bold]m" in printed(summary_table("[bold]m", numeric))


def test_pictures_of_a_probability(binary):
    pictures = draw("ward-round.sepsis", binary)
    assert set(pictures) == {"calibration.svg", "decision_curve.svg", "subgroups.svg"}
    for svg in pictures.values():
        assert "ward-round.sepsis" in words(svg)
    assert "Predicted risk" in words(pictures["calibration.svg"])
    curve = words(pictures["decision_curve.svg"])
    for line in ("Model", "physician", "score", "Treat all", "Treat none", "250 patients"):
        assert line in curve
    forest = words(pictures["subgroups.svg"])
    assert "fewer than 5" in forest
    assert "ward: c" in forest


def test_pictures_of_a_number(numeric):
    pictures = draw("icu-review.cost_sek", numeric)
    assert set(pictures) == {"deciles.svg", "subgroups.svg"}
    assert "Mean predicted value" in words(pictures["deciles.svg"])


def test_every_picture_can_be_painted(binary, numeric):
    for svg in [*draw("m", binary).values(), *draw("m", numeric).values()]:
        png = vl_convert.svg_to_png(svg.decode())
        assert png.startswith(b"\x89PNG")
        assert len(png) > 5000


def test_a_useless_model_of_a_rare_event_can_be_drawn():
    y = np.repeat([1.0, 0.0], [6, 594])
    p = np.full(600, 0.01)
    evaluation = evaluate_binary(y, p, lower=p, upper=p, comparators={}, groups={}, n_resamples=10)
    assert set(draw("m", evaluation)) == {"calibration.svg", "decision_curve.svg", "subgroups.svg"}
    printed(summary_table("m", evaluation))
