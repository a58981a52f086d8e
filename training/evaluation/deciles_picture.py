"""Numbers: mean observed against mean predicted value, by tenths of the patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from training.evaluation.look import COLOURS, GREY, PLOT_SIZE


def deciles_chart(name: str, evaluation: Mapping[str, Any]) -> alt.LayerChart | alt.FacetChart:
    """Points with 95% intervals of the mean, and the line of perfect agreement."""
    groups = evaluation["deciles"]
    reach = [group[key] for group in groups for key in ("mean_predicted", "lower", "upper")]
    low, high = min([0.0, *reach]), max(reach)
    both = alt.Scale(domain=[low, high], nice=True)
    x = alt.X("mean_predicted:Q", title="Mean predicted value", scale=both)
    y = alt.Y("mean_observed:Q", title="Mean observed value", scale=both)
    ends = [{"mean_predicted": end, "mean_observed": end} for end in (low, high)]
    tenths = alt.Chart({"values": groups})
    return alt.layer(
        alt.Chart({"values": ends}).mark_line(color=GREY, strokeDash=[6, 4]).encode(x=x, y=y),
        tenths.mark_rule(color=COLOURS[0], strokeWidth=2).encode(
            x=x, y=alt.Y("lower:Q", scale=both), y2="upper:Q"
        ),
        tenths.mark_point(filled=True, color=COLOURS[0], size=70, opacity=1).encode(x=x, y=y),
        width=PLOT_SIZE,
        height=PLOT_SIZE,
        title=alt.TitleParams(
            f"Observed and predicted, {name}",
            subtitle=[
                "Dots: tenths of patients by predicted value, 95% interval of the mean.",
                "Dashed: perfect agreement. In the outcome's own unit.",
            ],
        ),
    )
