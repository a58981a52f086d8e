"""An evaluation as pictures, made without a network or a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.evaluation.look import THEME

if TYPE_CHECKING:
    import altair as alt


def draw(name: str, evaluation: Mapping[str, Any]) -> dict[str, bytes]:
    """Draw what a reader of a model card looks for first.

    Parameters
    ----------
    name : str
        Of the model; stands in every title.
    evaluation : mapping
        From `evaluate_binary` or `evaluate_numeric`.

    Returns
    -------
    dict
        File name -> SVG. Binary: `calibration.svg`, `decision_curve.svg`, `subgroups.svg`.
        Numeric: `deciles.svg`, `subgroups.svg`.
    """
    # Here, so that a command line that draws nothing does not wait for the drawing library.
    from training.evaluation.calibration_picture import calibration_chart
    from training.evaluation.deciles_picture import deciles_chart
    from training.evaluation.decision_curve_picture import decision_curve_chart
    from training.evaluation.forest_picture import forest_chart

    if evaluation["kind"] == "binary":
        charts: dict[str, alt.TopLevelMixin] = {
            "calibration.svg": calibration_chart(name, evaluation),
            "decision_curve.svg": decision_curve_chart(name, evaluation),
        }
    else:
        charts = {"deciles.svg": deciles_chart(name, evaluation)}
    charts["subgroups.svg"] = forest_chart(name, evaluation)
    return {file: svg(chart.to_dict()) for file, chart in charts.items()}


def svg(chart: dict[str, Any]) -> bytes:
    """Draw a Vega-Lite document in the look of the house."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(chart, config=dict(THEME))
    return drawn.encode()
