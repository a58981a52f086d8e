"""A page that everybody can read, that runs nothing, and that no card can break."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.card import card_page, chai_card
from models.card.pictures import pictures
from tests.lib.model_card import full_card, numeric_card
from tests.lib.properties import LAW

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>&'


def _keys(document: object) -> set[str]:
    if isinstance(document, dict):
        return set(document) | {key for value in document.values() for key in _keys(value)}
    return (
        {key for item in document for key in _keys(item)} if isinstance(document, list) else set()
    )


NAMES = st.sampled_from(sorted(_keys(full_card()) | _keys(numeric_card())))
LEAVES = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=20), st.just(EVIL)
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=40,
)  # fmt: skip


class Reader(HTMLParser):
    """What a screen reader or a browser would find."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def changed(document: dict, path: tuple[str, ...], value: object) -> dict:
    first, *rest = path
    inner = document.get(first)
    if not rest or not isinstance(inner, dict):
        return document | {first: value}
    return document | {first: changed(inner, tuple(rest), value)}


def paths(document: object, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(document, dict):
        return [at]
    return [at] * bool(at) + [
        p for key, value in document.items() for p in paths(value, (*at, key))
    ]


@LAW
@given(st.sampled_from([*paths(full_card())]), ANYTHING)
def test_a_card_with_anything_anywhere_is_shown_and_runs_nothing(path: tuple, value: object):
    card = changed(full_card(), path, value)
    page = Reader(card_page(card, {"Version": EVIL}))
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "base", "form", "link", "a"}
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on") or a == "style"]
    ET.fromstring(chai_card(card, {"version": EVIL}))  # noqa: S314 - our own output


@LAW
@given(st.dictionaries(NAMES, ANYTHING, max_size=12))
def test_any_document_is_shown_as_a_card(card: dict):
    assert "<h1>" in card_page(card)
    ET.fromstring(chai_card(card))  # noqa: S314 - our own output


def test_what_is_not_said_reads_so():
    page = card_page({})
    assert page.count("Not stated") > 29
    assert "None" not in "".join(Reader(page).text)


@pytest.mark.parametrize("card", [full_card(), numeric_card()], ids=["binary", "numeric"])
def test_the_page_has_an_outline_headers_and_words_for_every_picture(card: dict):
    page = Reader(card_page(card))
    assert ("html", {"lang": "en"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    counted = {name: sum(tag == name for tag, _ in page.tags)
               for name in ("table", "caption", "figure", "figcaption", "desc")}  # fmt: skip
    assert counted["table"] == counted["caption"] > 5
    assert (
        counted["figure"]
        == counted["figcaption"]
        == counted["desc"]
        == len(pictures(card["evaluation"]))
    )
    roots = [attrs for tag, attrs in page.tags if tag == "svg" and "role" in attrs]
    assert len(roots) == counted["figure"]
    assert all(attrs["scope"] in ("col", "row") for tag, attrs in page.tags if tag == "th")


def test_a_card_says_what_it_is_for_and_not_for_and_how_well_it_does():
    text = " ".join("".join(Reader(card_page(full_card(), {"Gate": "passed"})).text).split())
    for said in (
        "Prognosis for a seriously ill adult", "children", "A cohort, five centres", "MIT",
        "0.819", "0.801 to 0.836", "sex: female", "withheld: fewer than 5", "0.98",
        "No other hospital has been tested.", "It abstains when a required input is missing",
        "physicians", "Gate", "passed", "6829", "2272", "made with, numpy",
    ):  # fmt: skip
        assert said in text, said


def test_simulated_patients_are_named_before_anything_else():
    page = card_page(full_card() | {"training_data": "synthetic"})
    assert page.index("proves nothing about real ones") < page.index("<h2>")


def test_pictures_are_those_that_the_evaluation_tells():
    titles = [picture.title for picture in pictures(full_card()["evaluation"])]
    assert titles == [
        "Calibration", "ROC curve", "Precision-recall curve", "Decision curve", "AUROC by subgroup",
    ]  # fmt: skip
    titles = [picture.title for picture in pictures(numeric_card()["evaluation"])]
    assert titles == ["Observed and predicted", "Mean absolute error by subgroup"]
    assert pictures({}) == []


def test_a_point_is_drawn_where_it_belongs():
    """In a plot of 320 by 320, (0.3, 0.8) lies 96 from the left and 64 from the top."""
    [roc] = [p for p in pictures(full_card()["evaluation"]) if p.title == "ROC curve"]
    assert 'points="0.0,320.0 96.0,64.0 320.0,0.0"' in roc.svg


def test_what_is_drawn_stands_there_in_numbers_too():
    rows = {picture.title: picture.rows for picture in pictures(full_card()["evaluation"])}
    assert rows["Calibration"] == (("0.200", "0.210", "0.100 to 0.300"),)
    assert rows["ROC curve"][1] == ("0.300", "0.800")
    # Of four patients one has the event: 0.8 x 1 of 0.8 x 1 + 0.3 x 3.
    assert rows["Precision-recall curve"] == (("0.800", "0.471"), ("1.000", "0.250"))
    assert rows["Decision curve"] == (("0.100", "0.280", "0.270"), ("0.500", "0.100", "-0.300"))
    page = card_page(full_card())
    for title in rows:
        if title != "AUROC by subgroup":  # has a table of its own
            assert f"<caption>{title}, in numbers</caption>" in page


def test_every_picture_is_well_formed_and_loads_nothing():
    for card in (full_card(), numeric_card()):
        for picture in pictures(card["evaluation"]):
            root = ET.fromstring(picture.svg)  # noqa: S314 - our own output
            names = {child.tag.rpartition("}")[2] for child in root.iter()}
            assert names <= {"svg", "title", "desc", "line", "polyline", "polygon", "circle",
                             "text", "g"}  # fmt: skip
            assert "href" not in picture.svg


def test_a_card_survives_a_round_trip_through_json():
    card = full_card()
    assert card_page(json.loads(json.dumps(card))) == card_page(card)
