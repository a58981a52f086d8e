"""Alerts of outcomes: beyond a limit, from enough events, and beyond chance.

Chance is a normal approximation. The number of events of a calibrated model has the variance
V = sum of p(1-p), so (O - E) / sqrt(V) is about standard normal. Of subgroups V is not counted; there
2 (sqrt(O) - sqrt(E)) is used, which is about standard normal for a Poisson count and, as events of
patients vary less than a Poisson count, errs towards silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.alerts.drift import OF_MODEL, TWO_DIGITS
from monitoring.rules.rule import Alert, Severity, promql
from monitoring.rules.thresholds import number

OF_OUTCOME = "{{ $labels.outcome }} at {{ $labels.branch_point }}"
UNIT = "ledger, branch_point, outcome, unit, direction"


def outcome_alerts(thresholds: Mapping[str, float]) -> Iterator[Alert]:
    """Calibration, control charts, and whether outcomes come in at all."""
    for window, period in (("7d", "week"), ("30d", "month")):
        yield _miscalibrated(window, period, thresholds)
    yield _calibration_error(thresholds)
    yield _subgroup(thresholds)
    yield _cusum("worse", "critical", "more")
    yield _cusum("better", "info", "fewer")
    yield Alert(
        "RiskOutcomeCoverageLow",
        f"risk:outcome_coverage:30d < {number(thresholds['coverage'])}",
        "6h",
        "warning",
        f"Outcomes of {OF_MODEL} are not reported",
        "Over 30d, {{ $value | humanizePercentage }} of the matured assessments of "
        f"{OF_MODEL} have an outcome.",
    )
    yield Alert(
        "RiskOutcomesLate",
        f"risk:outcome_delay_seconds:7d > {number(thresholds['outcome_delay_s'])}",
        "6h",
        "warning",
        f"Outcomes are reported late: {OF_OUTCOME}",
        f"Over 7d, reports of {OF_OUTCOME} came {{{{ $value | humanizeDuration }}}} after the horizon "
        "in the mean.",
    )
    yield Alert(
        "RiskOutcomesNotRead",
        "time() - max by (ledger) (risk_outcomes_read_timestamp_seconds) > "
        + number(thresholds["outcomes_unread_s"]),
        "5m",
        "warning",
        "The ledger {{ $labels.ledger }} is not read for outcomes",
        "The outcomes of {{ $labels.ledger }} were last read {{ $value | humanizeDuration }} ago: every "
        "figure of outcomes stands still.",
    )


def _miscalibrated(window: str, period: str, thresholds: Mapping[str, float]) -> Alert:
    return Alert(
        "RiskMiscalibrated",
        promql(f"""
            (
              risk:observed_expected_ratio:{window} > {number(thresholds[f"ratio_high_{period}"])}
              or
              risk:observed_expected_ratio:{window} < {number(thresholds[f"ratio_low_{period}"])}
            )
            and
            sum by (model, version) (risk:outcomes_expected:{window}) >= {number(thresholds["expected_for_alert"])}
            and
            abs(
              sum by (model, version) (risk:outcomes_observed:{window}{{observed="true"}})
              - sum by (model, version) (risk:outcomes_expected:{window})
            )
            > {number(thresholds["chance_deviations"])} * sqrt(risk:outcomes_variance:{window})
        """),
        "1h",
        "warning",
        f"{OF_MODEL}: events observed are not those expected",
        f"Over {window}, {OF_MODEL} has {TWO_DIGITS} times the expected events, more than chance "
        "explains.",
        (("window", window),),
    )


def _calibration_error(thresholds: Mapping[str, float]) -> Alert:
    """A calibrated model has an error too.

    In bin b, |O - E| has mean sqrt(2 V_b / pi) and variance (1 - 2/pi) V_b. The sum of the means over
    B bins is at most sqrt(2 B V / pi) with V the sum of V_b (Cauchy and Schwarz), the sum of the
    variances is (1 - 2/pi) V.
    """
    return Alert(
        "RiskCalibrationError",
        promql(f"""
            risk:calibration_error:30d
            - (
              sqrt(2 / pi() * count by (model, version) (risk:outcomes_expected:30d > 0) * risk:outcomes_variance:30d)
              + {number(thresholds["chance_deviations"])} * sqrt((1 - 2 / pi()) * risk:outcomes_variance:30d)
            ) / risk:outcomes:30d
            > {number(thresholds["calibration_error"])}
        """),
        "1h",
        "warning",
        f"{OF_MODEL}: predicted risks are not the observed shares",
        f"Over 30d, the calibration error of {OF_MODEL} is {TWO_DIGITS} above what chance gives.",
    )


def _subgroup(thresholds: Mapping[str, float]) -> Alert:
    return Alert(
        "RiskSubgroupMiscalibrated",
        promql(f"""
            (
              risk:subgroup_observed_expected_ratio:30d > {number(thresholds["ratio_high_month"])}
              or
              risk:subgroup_observed_expected_ratio:30d < {number(thresholds["ratio_low_month"])}
            )
            and
            risk:subgroup_expected:30d >= {number(thresholds["expected_for_alert"])}
            and
            2 * abs(sqrt(clamp_min(risk:subgroup_observed:30d, 0)) - sqrt(risk:subgroup_expected:30d))
            > {number(thresholds["chance_deviations"])}
        """),
        "1h",
        "warning",
        f"{{{{ $labels.subgroup }}}}: events observed are not those expected, {OF_OUTCOME}",
        f"Over 30d, {{{{ $labels.subgroup }}}} has {TWO_DIGITS} times the expected events of {OF_OUTCOME}, "
        "more than chance explains.",
    )


def _cusum(direction: str, severity: Severity, how: str) -> Alert:
    """A signal is counted, and the chart may then start again: each alone would miss some."""
    chosen = f'{{direction="{direction}"}}'
    name = "RiskCusumSignal" if direction == "worse" else "RiskCusumImprovement"
    return Alert(
        name,
        promql(f"""
            max by ({UNIT}) (increase(risk_cusum_signals_total{chosen}[1h])) > 0
            or
            max by ({UNIT}) (abs(risk_cusum{chosen}))
            >= (max by ({UNIT}) (abs(risk_cusum_limit{chosen})) > 0)
        """),
        "0m",
        severity,
        f"{{{{ $labels.unit }}}}: {how} events than expected, {OF_OUTCOME}",
        f"The risk-adjusted CUSUM of {{{{ $labels.unit }}}} for {OF_OUTCOME} has reached its limit "
        f"({how} events than their patients' risks explain).",
    )
