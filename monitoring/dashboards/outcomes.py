"""Dashboard of outcomes: what became of the patients, beside what was predicted."""

from __future__ import annotations

from typing import Any

from monitoring.dashboards.pages import page
from monitoring.dashboards.panels import Query, bars, curve, gauges, history, lines, table
from monitoring.dashboards.variables import datasource, label, window

OF = 'model="$model", version=~"$version"'
AT = 'branch_point=~"$branch_point"'
AT_UNITS = f'{AT}, unit=~"$unit"'
BY = "branch_point, outcome"
RATIO = ((None, "red"), (0.67, "orange"), (0.8, "green"), (1.25, "orange"), (1.5, "red"))
DEVIATIONS = ((None, "red"), (-3, "orange"), (-2, "green"), (2, "orange"), (3, "red"))
COVERED = ((None, "red"), (0.5, "orange"), (0.8, "green"))


def outcomes_dashboard(source: str) -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    chosen = (
        datasource(source),
        window(),
        label("model", "Model", "risk_model_info", many=False),
        label("version", "Version", 'risk_model_info{model="$model"}', many=True),
        label("branch_point", "Branch point", "risk_assessments_total", many=True),
        label("unit", "Care unit", f"risk_unit_outcomes_expected_total{{{AT}}}", many=True),
    )
    rows = [
        ("All models", 8, _all_models()),
        ("One model", 9, _model()),
        ("Care units: control charts", 8, _charts()),
        ("Care units and subgroups, compared", 10, _compared()),
        ("Are outcomes reported?", 8, _reported()),
        ("Cards and challengers", 8, _challengers()),
    ]
    return page(
        "risk-outcomes",
        "Risk: outcomes",
        "What became of the patients, beside what was predicted for them.",
        chosen,
        rows,
        since="now-30d",
    )


def _all_models() -> list[Any]:
    return [
        (16, history("Observed / expected of every model, $window",
                     Query("risk:observed_expected_ratio:${window}", "{{model}} {{version}}"), "short", RATIO,
                     about="green: 0.8 to 1.25. Given from 5 expected events on.")),
        (8, gauges("Observed / expected now, $window",
                   Query("risk:observed_expected_ratio:${window}", "{{model}} {{version}}"), "short", RATIO,
                   least=0)),
    ]  # fmt: skip


def _model() -> list[Any]:
    expected = f"sum by (model, version) (risk:outcomes_expected:${{window}}{{{OF}}})"
    spread = f"1.96 * sqrt(risk:outcomes_variance:${{window}}{{{OF}}}) / ({expected} > 0)"
    count = f"(sum by (bin) (risk:outcomes_observed:${{window}}{{{OF}}}) > 0)"
    predicted = f"sum by (bin) (risk:outcomes_expected:${{window}}{{{OF}}}) / {count}"
    events = f'sum by (bin) (risk:outcomes_observed:${{window}}{{{OF}, observed="true"}}) / {count}'
    kept = f'{{{OF}, window=~"7d|30d|365d"}}'
    return [
        (8, lines("Observed / expected, $window", [
            Query(f"risk:observed_expected_ratio:${{window}}{{{OF}}}", "version {{version}}"),
            Query(f"1 + {spread}", "limit above, version {{version}}"),
            Query(f"1 - {spread}", "limit below, version {{version}}")],
            about="Limits: where 95 % of the ratios of a calibrated model lie.")),
        (8, curve("Calibration, $window", "bin", [
            Query(predicted, "predicted"), Query(events, "observed"), Query(predicted, "limit: ideal")],
            "percentunit", about="A point for each bin of predictions; ideal is the diagonal.")),
        (8, bars("Outcomes by prediction, $window", "bin", [
            Query(f'sum by (bin) (risk:outcomes_observed:${{window}}{{{OF}, observed="true"}})', "observed"),
            Query(f"sum by (bin) (risk:outcomes_expected:${{window}}{{{OF}}})", "expected")], "short")),
        (6, lines("Brier score, $window", [
            Query(f"risk:brier_score:${{window}}{{{OF}}}", "realised, version {{version}}"),
            Query(f"risk:outcomes_variance:${{window}}{{{OF}}} / (risk:outcomes:${{window}}{{{OF}}} > 0)",
                  "expected for the same patients, version {{version}}"),
            Query(f"risk:brier_score_expected:${{window}}{{{OF}}}",
                  "expected for all answered, version {{version}}")])),
        (6, lines("Calibration slope", [
            Query(f"max by (version, window) (risk_calibration_slope{kept})", "version {{version}}, {{window}}")],
            limits=((None, "red"), (0.8, "green"), (1.25, "red")), about="1: as far apart as it should be.")),
        (6, lines("AUROC", [
            Query(f"max by (version, window) (risk_auroc{kept})", "version {{version}}, {{window}}")])),
        (6, lines("Calibration error, $window", [
            Query(f"risk:calibration_error:${{window}}{{{OF}}}", "version {{version}}")], "percentunit")),
    ]  # fmt: skip


def _charts() -> list[Any]:
    return [
        (8, lines("CUSUM of $unit", [
            Query(f"max by ({BY}, direction) (risk_cusum{{{AT_UNITS}}})",
                  "{{outcome}}, {{direction}}, {{branch_point}}"),
            Query(f"max by ({BY}, direction) (risk_cusum_limit{{{AT_UNITS}}})",
                  "limit, {{outcome}}, {{direction}}, {{branch_point}}")],
            about="Over its limit: more (worse) or fewer (better) events than the patients' risks explain.",
            repeat="unit")),
        (24, lines("Events fewer than expected, so far (VLAD)", [
            Query(f"max by ({BY}, unit) (risk_vlad{{{AT_UNITS}}})", "{{unit}}, {{outcome}}, {{branch_point}}")],
            about="Rises while fewer events happen than expected, falls while more do.")),
        (24, history("Signals in a day", Query(
            f"max by ({BY}, unit, direction) (increase(risk_cusum_signals_total{{{AT_UNITS}}}[1d]))",
            "{{unit}}, {{outcome}}, {{direction}}"), "short", ((None, "green"), (0.5, "red")))),
    ]  # fmt: skip


def _compared() -> list[Any]:
    expected, observed, ratio = (
        f"max by ({BY}, unit) (risk:unit_{name}:${{window}}{{{AT_UNITS}}})"
        for name in ("expected", "observed", "observed_expected_ratio")
    )
    half = f"1.96 / (2 * sqrt({expected} > 0))"
    apart = f"2 * (sqrt(clamp_min({observed}, 0)) - sqrt({expected} > 0))"
    subgroup = f"risk:subgroup_observed_expected_ratio:${{window}}{{{AT}}}"
    return [
        (10, table("Care units, $window", "unit", [
            Query(observed, "observed"),
            Query(expected, "expected"),
            Query(ratio, "ratio"),
            Query(f"clamp_min(1 - {half}, 0) ^ 2", "limit below"),
            Query(f"(1 + {half}) ^ 2", "limit above"),
            Query(apart, "deviations")],
            coloured={"deviations": DEVIATIONS, "ratio": RATIO},
            about="A funnel in rows: few expected events have wide limits (95 %). Deviations: "
            "2 (sqrt(observed) - sqrt(expected)), about standard normal.")),
        (6, gauges("Care units, deviations from expected, $window",
                   Query(apart, "{{unit}}, {{outcome}}"), "short", DEVIATIONS, least=-4)),
        (8, gauges("Subgroups, observed / expected, $window",
                   Query(subgroup, "{{subgroup}}, {{outcome}}"), "short", RATIO, least=0)),
    ]  # fmt: skip


def _reported() -> list[Any]:
    return [
        (8, gauges("Coverage, $window", Query("risk:outcome_coverage:${window}", "{{model}} {{version}}"),
                   "percentunit", COVERED, least=0, about="Reported of those whose horizon has passed.")),
        (8, lines("Delay of reports, $window", [
            Query(f"risk:outcome_delay_seconds:${{window}}{{{AT}}}", "{{outcome}}, {{branch_point}}")], "s")),
        (4, lines("Horizon not passed yet", [
            Query(f"sum by (version) (max by (ledger, model, version) (risk_outcomes_waiting{{{OF}}}))",
                  "version {{version}}")])),
        (4, lines("Since the ledger was read", [
            Query("time() - max by (ledger) (risk_outcomes_read_timestamp_seconds)", "{{ledger}}")], "s",
            limits=((None, "green"), (900, "red")))),
    ]  # fmt: skip


def _challengers() -> list[Any]:
    mine = '{model="$model"}'

    def beside(series: str) -> str:
        return f"max by (model, version, alias) ({series}{mine})"

    apart, both = (
        f"sum by (version) (increase(risk_shadow_{name}_total{mine}[$window]))"
        for name in ("apart", "both")
    )
    return [
        (6, gauges("Cards overridden, $window",
                   Query(f"risk:override_ratio:${{window}}{{{AT}}}", "{{branch_point}}"), "percentunit",
                   ((None, "green"), (0.5, "orange"), (0.8, "red")), least=0)),
        (10, table("Challenger beside champion, same patients", "alias", [
            Query(beside("risk_shadow_auroc"), "AUROC"),
            Query(beside("risk_shadow_brier_score"), "Brier score"),
            Query(beside("risk_shadow_net_benefit"), "net benefit")])),
        (8, lines("Known outcomes that both predicted", [
            Query(f"max by (version) (risk_shadow_outcomes{mine})", "version {{version}}")])),
        (8, lines("In another band, $window", [
            Query(f"risk:shadow_other_band_ratio:${{window}}{mine}", "version {{version}}")],
            "percentunit")),
        (8, lines("Mean difference to the champion", [
            Query(f"{apart} / ({both} > 0)", "version {{version}}")])),
        (8, lines("How far a challenger is behind", [
            Query(f"max by (version) (risk_shadow_lag_seconds{mine})", "version {{version}}"),
            Query(f"max by (version) (risk_shadow_set_aside{mine})", "set aside, version {{version}}")], "s")),
    ]  # fmt: skip
