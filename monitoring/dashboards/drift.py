"""Dashboard of drift: are these still the patients of fitting, and does the model reason as it did."""

from __future__ import annotations

from typing import Any

from monitoring.dashboards.pages import page
from monitoring.dashboards.panels import (
    RATE,
    STABILITY,
    Query,
    bars,
    gauges,
    history,
    lines,
    number,
)
from monitoring.dashboards.variables import datasource, label, window

OF = 'model="$model", version="$version"'
OF_FEATURE = f'{OF}, feature="$feature"'
MORE_MISSING = ((None, "blue"), (-0.05, "green"), (0.05, "orange"), (0.2, "red"))
MOVED = ((None, "green"), (0.1, "orange"), (0.2, "red"))


def drift_dashboard(source: str) -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    chosen = (
        datasource(source),
        window(),
        label("model", "Model", "risk_model_info", many=False),
        label("version", "Version", 'risk_model_info{model="$model"}', many=False),
        label("feature", "Feature", f"risk_feature_reference_ratio{{{OF}}}", many=False),
    )
    rows = [
        ("Now", 4, _now()),
        ("Features", 10, _features()),
        ("One feature", 9, _feature()),
        ("Values that are not there, cannot be, or were never seen", 9, _strange()),
        ("Predictions", 9, _predictions()),
        ("Explanations", 9, _explanations()),
    ]
    return page(
        "risk-drift",
        "Risk: drift",
        "Patients and predictions now, beside those that the model was fitted on.",
        chosen,
        rows,
        since="now-7d",
    )


def _now() -> list[Any]:
    return [
        (6, number("Asked, $window", f'max(risk:feature_total:${{window}}{{{OF}}})',
                   about="Indices are given from 200 assessments on.")),
        (6, number("Features that moved, $window",
                   f"count(risk:feature_psi:${{window}}{{{OF}}} > 0.25) or vector(0)",
                   limits=((None, "green"), (1, "orange"), (3, "red")))),
        (6, number("Predictions, stability index, $window", f"risk:prediction_psi:${{window}}{{{OF}}}",
                   limits=STABILITY)),
        (6, number("Explanation that moved, $window", f"risk:explanation_drift:${{window}}{{{OF}}}",
                   "percentunit", limits=MOVED)),
    ]  # fmt: skip


def _features() -> list[Any]:
    return [
        (16, history("Stability index of every feature, $window",
                     Query(f"risk:feature_psi:${{window}}{{{OF}}}", "{{feature}}"), "short", STABILITY,
                     about="green: stable, orange: 0.1 to 0.25, red: over 0.25")),
        (8, gauges("Most moved, $window",
                   Query(f"topk(12, risk:feature_psi:${{window}}{{{OF}}})", "{{feature}}"), "short",
                   STABILITY, least=0)),
    ]  # fmt: skip


def _feature() -> list[Any]:
    return [
        (16, bars("$feature, now and when fitted", "bin", [
            Query(f"sum by (bin) (risk:feature_share:${{window}}{{{OF_FEATURE}}})", "now"),
            Query(f"sum by (bin) (risk:feature_reference_share{{{OF_FEATURE}}})", "when fitted")],
            "percentunit", about="Shares with half a count added to every bin.")),
        (8, lines("$feature, two measures", [
            Query(f"risk:feature_psi:${{window}}{{{OF_FEATURE}}}", "stability index"),
            Query(f"risk:feature_js:${{window}}{{{OF_FEATURE}}}", "Jensen-Shannon divergence")],
            limits=STABILITY)),
    ]  # fmt: skip


def _strange() -> list[Any]:
    missing = f'risk:feature_reference_share{{{OF}, bin="missing"}}'
    return [
        (12, history("Missing more than when fitted, $window",
                     Query(f"risk:feature_missing_ratio:${{window}}{{{OF}}} - ignoring (bin) {missing}",
                           "{{feature}}"), "percentunit", MORE_MISSING)),
        (6, lines("Implausible, $window", [
            Query(f"topk(12, risk:feature_implausible_ratio:${{window}}{{{OF}}})", "{{feature}}")], "percentunit")),
        (6, lines("Unseen in fitting, $window", [
            Query(f"topk(12, risk:feature_unseen_ratio:${{window}}{{{OF}}})", "{{feature}}")], "percentunit")),
    ]  # fmt: skip


def _predictions() -> list[Any]:
    answered = f"sum by (status) (increase(risk_model_assessments_total{{{OF}}}[$window]))"
    mean = " or ".join(
        f"sum(rate(risk_predicted_{kind}_sum_total{{{OF}}}[{RATE}])) "
        f"/ (sum(rate(risk_predicted_{kind}_total{{{OF}}}[{RATE}])) > 0)"
        for kind in ("probability", "value")
    )
    return [
        (10, bars("Predictions, now and when fitted", "bin", [
            Query(f"sum by (bin) (risk:prediction_share:${{window}}{{{OF}}})", "now"),
            Query(f"sum by (bin) (risk:prediction_reference_share{{{OF}}})", "when fitted")],
            "percentunit")),
        (5, lines("Stability index", [
            Query(f"risk:prediction_psi:{name}{{{OF}}}", name) for name in ("1h", "1d", "7d", "30d")],
            limits=STABILITY)),
        (5, lines("Mean predicted risk", [Query(mean, "mean")], "percentunit")),
        (4, bars("Answered or abstained, $window", "status", [Query(answered, "assessments")], "short")),
    ]  # fmt: skip


def _explanations() -> list[Any]:
    return [
        (16, bars("What explains the answers, now and when fitted", "feature", [
            Query(f"sum by (feature) (risk:contribution_share:${{window}}{{{OF}}})", "now"),
            Query(f"sum by (feature) (risk:contribution_reference_share{{{OF}}})", "when fitted")],
            "percentunit", about="Share of the mean absolute contribution, by feature.")),
        (8, lines("Explanation that moved to other features", [
            Query(f"risk:explanation_drift:{name}{{{OF}}}", name) for name in ("1h", "1d", "7d", "30d")],
            "percentunit", limits=MOVED)),
    ]  # fmt: skip
