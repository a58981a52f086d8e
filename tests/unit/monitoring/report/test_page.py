"""The page is whole by itself and says first what each section means."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import pytest

from models.vocabulary import Vocabulary
from monitoring.report import for_outside, report_page
from monitoring.report.style import STYLE
from tests.lib.monitoring_report import UNTIL_US, asked, document, feature, group


def parsed(page: str) -> ET.Element:
    """As XML, which is stricter than HTML about what is open and what is quoted."""
    kind, _, rest = page.partition("\n")
    assert kind == "<!doctype html>"
    closed = re.sub(r"<meta ([^>]*)>", r"<meta \1/>", rest)
    return ET.fromstring(closed)  # noqa: S314 - our own


@pytest.fixture(params=["inside", "outside"])
def page(request: pytest.FixtureRequest, vocabulary: Vocabulary) -> str:
    given = document() if request.param == "inside" else for_outside(document())
    return report_page(given, vocabulary, UNTIL_US)


def test_a_page_parses_loads_nothing_and_runs_nothing(page: str) -> None:
    root = parsed(page)
    names = {one.tag for one in root.iter()}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    for one in root.iter():
        assert not {key for key in one.attrib if key.startswith("on")}
        assert not {"src", "href", "style", "data"} & set(one.attrib)
    assert "://" not in page
    assert "url(" not in page
    assert "@import" not in page


def test_headings_make_an_outline_and_tables_have_a_caption(page: str) -> None:
    root = parsed(page)
    assert root.get("lang") == "en"
    assert len(list(root.iter("h1"))) == 1
    for table in root.iter("table"):
        assert (table.findtext("caption") or "").strip()
        width = len(table.findall("thead/tr/th"))
        assert {len(row) for row in table.findall("tbody/tr")} <= {width}
        assert all(row[0].get("scope") == "row" for row in table.findall("tbody/tr"))


def test_every_picture_has_a_title_and_its_numbers(page: str) -> None:
    figures = list(parsed(page).iter("figure"))
    assert len(figures) >= 5
    for one in figures:
        assert one.findtext("svg/title")
        assert one.find("details/table") is not None


def test_every_section_of_a_model_begins_with_a_sentence(page: str) -> None:
    (body,) = parsed(page).iter("main")
    parts = list(body)
    for heading, following in pairwise(parts):
        if heading.tag == "h3":
            assert (following.tag, following.get("class")) == ("p", "said")


def test_what_is_said(vocabulary: Vocabulary) -> None:
    """Age differs by 0.6, sbp by 0.02; 26 of 100 with 22.5 expected; the chart signalled once."""
    page = report_page(document(), vocabulary, UNTIL_US)
    assert "2026-10-22 22:26 UTC to 2026-11-21 22:26 UTC (30d)" in page
    for said in (
        "In 1 of 2 inputs patients differ clearly from those the model was fitted on.",
        "26; 22.5 were expected, a ratio of 1.16",
        "High risks are told too high and low ones too low (slope 0.70)",
        "In none of 2 units is the number of events outside of what chance gives.",
        "Signals since the ledger began: ward-1 (more events than predicted).",
        "Death within 180 days, Intensive care review",
        "Age, years: then and now",
        "Brier score",
    ):
        assert said in page


def test_what_is_few_is_marked_inside_and_gone_outside(vocabulary: Vocabulary) -> None:
    units = [group("unit", "a", 50, 3, 4.125), group("unit", "b", 60, 20, 18.0),
             group("unit", "c", 90, 30, 30.0)]  # fmt: skip
    inside, outside = (
        report_page(given, vocabulary, UNTIL_US)
        for given in (document(units=units), for_outside(document(units=units)))
    )
    assert "<td>50*</td><td>3</td><td>4.1</td>" in inside
    assert "For use in the hospital." in inside
    assert '<th scope="row">a</th><td>withheld</td><td>withheld</td><td>-</td>' in outside
    assert "4.1<" not in outside
    assert "For readers outside the hospital" in outside
    assert "CUSUM" not in outside.replace(STYLE, "")


def test_names_cannot_break_out(vocabulary: Vocabulary) -> None:
    units = [group("unit", "<script>\"&'", 90, 30, 10.0)]
    odd = document(units=units)
    odd["drift"]["models"] = [asked([feature("<b>", 0.5, 0, 60, 240, 0, 0)])]
    page = report_page(odd, vocabulary, UNTIL_US)
    parsed(page)
    assert "<script" not in page
    assert "&lt;b&gt;" in page


EMPTY: dict[str, Any] = {
    part: [] for part in ("models", "units", "subgroups", "delays", "charts", "cards")
}


def test_a_model_without_outcomes_and_one_without_profile_still_make_a_page(
    vocabulary: Vocabulary,
) -> None:
    early = document(**EMPTY)
    early["drift"]["models"] = [
        asked([feature("age", None, 0, 2, 8, 0, 0)], answered=10, abstained=0,
              prediction_psi=None, explanation_drift=None)
    ]  # fmt: skip
    early["drift"]["without_profile"] = [{"model": "ward.sepsis", "digest": "sha256:00"}]
    page = report_page(early, vocabulary, UNTIL_US)
    parsed(page)
    assert "an index needs 200 assessments" in page
    assert "ward.sepsis: answers of a version whose bundle is not at hand" in page
    later = document()
    later["drift"]["models"] = []
    assert "22.5 were expected" in report_page(later, vocabulary, UNTIL_US)


def test_colours_are_told_for_light_for_dark_and_for_paper() -> None:
    for medium in ("prefers-color-scheme: dark", "@media print", "size: A4"):
        assert medium in STYLE
    for block in re.findall(r":root \{([^}]*)\}", STYLE):
        colours = dict(re.findall(r"--(\w+): (#\w{6})", block))
        paper = _luminance(colours["paper"])
        for name in ("ink", "faint", "now", "then", "alarm"):
            assert _contrast(_luminance(colours[name]), paper) >= 4.5, (name, colours[name])


def _luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: float, other: float) -> float:
    high, low = max(one, other), min(one, other)
    return (high + 0.05) / (low + 0.05)
