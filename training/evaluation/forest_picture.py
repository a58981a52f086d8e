"""A figure with its interval, subgroup by subgroup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import altair as alt

from training.evaluation.look import COLOURS, GREY, INK
from training.evaluation.summary import FEWER

WIDTH, ROW_HEIGHT = 380, 26
TITLES = {"auroc": "AUROC", "mae": "Mean absolute error"}


def forest_chart(name: str, evaluation: Mapping[str, Any]) -> alt.LayerChart | alt.FacetChart:
    """AUROC (binary) or mean absolute error (numeric), all patients first."""
    figure = "auroc" if evaluation["kind"] == "binary" else "mae"
    lines = list(_lines(evaluation, figure))
    order = [line["label"] for line in lines]
    shown = [line for line in lines if line["value"] is not None]
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False))
    scale = alt.Scale(zero=False)
    x = alt.X("value:Q", title=f"{TITLES[figure]}, 95% interval", scale=scale)
    spans = [line for line in shown if line["lower"] is not None]
    overall = {"values": [{"value": evaluation[figure]["value"]}]}
    # Without numbers a row needs a place to say why: the overall value's.
    withheld = [
        {"label": line["label"], "value": evaluation[figure]["value"], "text": FEWER}
        for line in lines
        if line["value"] is None
    ]
    return alt.layer(
        alt.Chart(overall).mark_rule(color=GREY, strokeDash=[6, 4]).encode(x=x),
        alt.Chart({"values": spans})
        .mark_rule(color=COLOURS[0], strokeWidth=2)
        .encode(y=y, x=alt.X("lower:Q", scale=scale), x2="upper:Q"),
        alt.Chart({"values": shown})
        .mark_point(filled=True, color=COLOURS[0], size=70, opacity=1)
        .encode(y=y, x=x, shape=alt.Shape("shape:N", scale=None)),
        alt.Chart({"values": withheld})
        .mark_text(align="left", dx=6, color=INK, fontStyle="italic", fontSize=12)
        .encode(y=y, x=x, text="text:N"),
        width=WIDTH,
        height=ROW_HEIGHT * len(order),
        title=alt.TitleParams(
            f"{TITLES[figure]} by subgroup, {name}",
            subtitle=[
                "Dashed: all patients. Small groups are withheld, and so is a count",
                "from which theirs would follow.",
            ],
        ),
    )


def _lines(evaluation: Mapping[str, Any], figure: str) -> Iterator[dict[str, Any]]:
    everybody = evaluation[figure]
    yield {"label": f"All patients (n {evaluation['rows']})", "shape": "diamond", **everybody}
    for grouping, values in evaluation["subgroups"].items():
        for label, part in values.items():
            own = f"{grouping.replace('_', ' ')}: {label}"
            if part["suppressed"]:
                yield {"label": own, "shape": "circle", "value": None}
                continue
            n = "withheld" if part["n"] is None else part["n"]
            yield {"label": f"{own} (n {n})", "shape": "circle", **part[figure]}
