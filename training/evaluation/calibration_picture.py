"""Calibration: predicted risk against observed share, with the patients' distribution below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from training.evaluation.look import COLOURS, GREY, INK, PLOT_SIZE

HISTOGRAM_HEIGHT = 70
WHOLE = alt.Scale(domain=[0, 1], nice=False)
PERCENT = alt.Axis(format=".0%")


def calibration_chart(name: str, evaluation: Mapping[str, Any]) -> alt.VConcatChart:
    """Flexible curve with band, tenths of the patients with intervals, identity, histogram."""
    calibration = evaluation["calibration"]
    return alt.vconcat(
        _curve(calibration), _distribution(calibration["distribution"]), spacing=10
    ).properties(title=_title(name, calibration))


def _title(name: str, calibration: Mapping[str, Any]) -> alt.TitleParams:
    ratio = calibration["observed_expected"]["value"]
    figures = [
        f"{label} {value:.2f}"
        for label, value in (
            ("slope", calibration["slope"]),
            ("in the large", calibration["in_the_large"]),
            ("observed/expected", ratio),
        )
        if value is not None
    ]
    return alt.TitleParams(
        f"Calibration, {name}",
        subtitle=[
            ", ".join([*figures, f"ICI {calibration['ici']:.3f}"]),
            "Line: flexible curve, 95% band. Dots: tenths of patients, 95% interval.",
            "Dashed: perfect agreement. Bars: patients at each predicted risk.",
            "Groups with fewer than 5 events or non-events are not shown.",
        ],
    )


def _curve(calibration: Mapping[str, Any]) -> alt.LayerChart | alt.FacetChart:
    x = alt.X("predicted:Q", title=None, scale=WHOLE, axis=PERCENT)
    y = alt.Y("observed:Q", title="Observed share of patients", scale=WHOLE, axis=PERCENT)
    between = {"y": alt.Y("lower:Q", scale=WHOLE), "y2": "upper:Q"}
    diagonal = {"values": [{"predicted": 0, "observed": 0}, {"predicted": 1, "observed": 1}]}
    curve = alt.Chart({"values": calibration["curve"]})
    tenths = alt.Chart(
        {
            "values": [
                {**group, "predicted": group["mean_predicted"]}
                for group in calibration["deciles"]
                if group["n"] is not None
            ]
        }
    )
    return alt.layer(
        alt.Chart(diagonal).mark_line(color=GREY, strokeDash=[6, 4]).encode(x=x, y=y),
        curve.mark_area(color=COLOURS[0], opacity=0.18).encode(x=x, **between),
        curve.mark_line(color=COLOURS[0], strokeWidth=2.5).encode(x=x, y=y),
        tenths.mark_rule(color=INK).encode(x=x, **between),
        tenths.mark_point(color=INK, fill="white", opacity=1, size=55).encode(x=x, y=y),
        width=PLOT_SIZE,
        height=PLOT_SIZE,
    )


def _distribution(bins: list[dict[str, float | None]]) -> alt.Chart:
    shown = [{**b, "zero": 0} for b in bins if b["share"]]
    bars: alt.Chart = (
        alt.Chart({"values": shown}, width=PLOT_SIZE, height=HISTOGRAM_HEIGHT)
        .mark_rect(color=GREY, stroke="white")
        .encode(
            x=alt.X("from:Q", title="Predicted risk", scale=WHOLE, axis=PERCENT),
            x2="to:Q",
            y=alt.Y("zero:Q", title="Patients", axis=alt.Axis(format=".0%", tickCount=3)),
            y2="share:Q",
        )
    )
    return bars
