"""A picture: a Vega-Lite specification, the same in words, and the same as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""Names the language of a specification; nothing is loaded from there."""


DASHES = {"symbolSize": 400, "symbolStrokeWidth": 2, "direction": "vertical"}
"""Of a legend that tells lines apart by their dashes: long enough to show them, one to a row."""


NAMES_ABOVE = "namesAbove"
"""Where a specification says which field names its rows: on a narrow page the script writes the names
above the rows, since beside them they would leave no room for the picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What a page shows of some figures.

    Attributes
    ----------
    said : str
        What can be seen, in a sentence: for who cannot.
    heads, rows : sequences
        The figures as a table, numbers written out.
    """

    title: str
    said: str
    spec: dict[str, Any]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def specification(data: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A specification over rows of data, as wide as the place it stands in.

    Colours, fonts and lines come from the page's theme (`static/charts.js`): a specification names
    none, but for what a colour means.
    """
    return {
        "$schema": SCHEMA,
        "width": "container",
        "autosize": {"type": "fit", "contains": "padding", "resize": True},
        "data": {"values": list(data)},
        **more,
    }
