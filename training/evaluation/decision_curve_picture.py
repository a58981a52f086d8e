"""Decision curves: net benefit over the declared thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from training.evaluation.look import COLOURS, DASHES, GREY, INK

PANEL_WIDTH, PANEL_HEIGHT = 420, 280
MODEL, ALL, NONE = "Model", "Treat all", "Treat none"
# Treating everybody falls without limit; a little below zero is enough to see it cross.
BELOW_ZERO = 0.25
LOWEST_TOP = 0.01


def decision_curve_chart(name: str, evaluation: Mapping[str, Any]) -> alt.VConcatChart:
    """One panel for all patients, and one for each comparator that only some patients have."""
    curves, rows = evaluation["net_benefit"], evaluation["rows"]
    comparators = curves["comparators"]
    everybody = [other for other in comparators if evaluation["comparators"][other]["rows"] == rows]
    lines = {MODEL: curves["model"], ALL: curves["treat_all"], NONE: curves["treat_none"]}
    lines |= {other: comparators[other]["comparator"] for other in everybody}
    names = [MODEL, *comparators, ALL, NONE]
    panels = [_panel(f"All {rows} patients", curves["thresholds"], lines, names)]
    for other in comparators:
        if other in everybody:
            continue
        own = comparators[other]
        title = f"The {evaluation['comparators'][other]['rows']} patients with: {other}"
        lines = {MODEL: own["model"], ALL: own["treat_all"], NONE: own["treat_none"]}
        lines[other] = own["comparator"]
        panels.append(_panel(title, curves["thresholds"], lines, names))
    return alt.vconcat(*panels, spacing=24).properties(
        title=alt.TitleParams(
            f"Decision curve, {name}",
            subtitle=[
                "Higher is better, at the thresholds at which the action would be reasonable.",
                "Net benefit: true positives per patient, less false positives at the threshold's odds.",
            ],
        )
    )


def _panel(
    title: str, thresholds: list[float], lines: Mapping[str, list[float]], names: list[str]
) -> alt.Chart:
    values: list[dict[str, Any]] = [
        {"threshold": t, "net_benefit": value, "line": line}
        for line, column in lines.items()
        for t, value in zip(thresholds, column, strict=True)
    ]
    top = max(LOWEST_TOP, *(value["net_benefit"] for value in values))
    legend = alt.Legend(title=None, symbolStrokeWidth=2.5)
    domain = alt.Scale(domain=[-BELOW_ZERO * top, 1.05 * top], nice=False)
    panel: alt.Chart = (
        alt.Chart(
            {"values": values},
            title=alt.TitleParams(title, fontSize=13),
            width=PANEL_WIDTH,
            height=PANEL_HEIGHT,
        )
        .mark_line(clip=True, strokeWidth=2.2)
        .encode(
            x=alt.X(
                "threshold:Q",
                title="Threshold: risk at which one would act",
                axis=alt.Axis(format=".0%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y("net_benefit:Q", title="Net benefit", scale=domain),
            color=alt.Color(
                "line:N", scale=alt.Scale(domain=names, range=_colours(names)), legend=legend
            ),
            strokeDash=alt.StrokeDash(
                "line:N", scale=alt.Scale(domain=names, range=_dashes(names)), legend=legend
            ),
        )
    )
    return panel


def _colours(names: list[str]) -> list[str]:
    own = [COLOURS[i % len(COLOURS)] for i in range(len(names) - 2)]
    return [*own, GREY, INK]


def _dashes(names: list[str]) -> list[list[int]]:
    own = [DASHES[i % len(DASHES)] for i in range(len(names) - 2)]
    return [*own, [4, 2], [1, 0]]
