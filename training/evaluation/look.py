"""How every picture looks: colours that all eyes can tell apart, and never colour alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Okabe and Ito's palette, yellow left out because it is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ([1, 0], [8, 3], [2, 3], [10, 3, 2, 3], [5, 5], [12, 4])
INK, GREY = "#222222", "#767676"

PLOT_SIZE = 360

THEME: Mapping[str, Any] = {
    "background": "#FFFFFF",
    "font": "DejaVu Sans, Verdana, sans-serif",
    "padding": 12,
    "title": {
        "anchor": "start",
        "color": INK,
        "fontSize": 16,
        "subtitleColor": INK,
        "subtitleFontSize": 12,
        "subtitleLineHeight": 17,
        "subtitlePadding": 6,
        "offset": 12,
    },
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "gridColor": "#E6E6E6",
        "domainColor": GREY,
        "tickColor": GREY,
        "labelLimit": 400,
        "labelFlush": False,
    },
    "legend": {"labelColor": INK, "labelFontSize": 12, "symbolSize": 300, "labelLimit": 260},
    "view": {"stroke": "transparent"},
}
