"""Cases of the alerts of outcomes and of challengers."""

from __future__ import annotations

from tests.lib.alert_cases import Case, Fired, steady
from tests.lib.drift_alert_cases import NAME, OF, OF_MODEL

HERE = 'branch_point="icu-review", outcome="death_30d"'
AT = {"branch_point": "icu-review", "outcome": "death_30d"}


def _events(window: str, observed: float, expected: float, variance: float) -> dict[str, str]:
    """Half of what is expected in each of two bins, all events in the second; a third bin is empty."""
    series = {
        f"risk:outcomes_variance:{window}{{{OF_MODEL}}}": steady(variance),
        f"risk:observed_expected_ratio:{window}{{{OF_MODEL}}}": steady(observed / expected),
    }
    for bin_, events, predicted in (
        ("00", 0, expected / 2),
        ("01", observed, expected / 2),
        ("02", 0, 0),
    ):
        who = f'{OF_MODEL}, bin="{bin_}"'
        series[f"risk:outcomes_expected:{window}{{{who}}}"] = steady(predicted)
        for told, count in (("true", events), ("false", 50)):
            series[f'risk:outcomes_observed:{window}{{{who}, observed="{told}"}}'] = steady(count)
    return series


def _miscalibrated(window: str, times: str) -> Fired:
    return Fired(
        {**OF, "severity": "warning", "window": window},
        f"{NAME}: events observed are not those expected",
        f"Over {window}, {NAME} has {times} times the expected events, more than chance explains.",
    )


def _error(error: float, bins: int, variance: float, outcomes: float) -> dict[str, str]:
    series = {
        f"risk:calibration_error:30d{{{OF_MODEL}}}": steady(error),
        f"risk:outcomes_variance:30d{{{OF_MODEL}}}": steady(variance),
        f"risk:outcomes:30d{{{OF_MODEL}}}": steady(outcomes),
        f'risk:outcomes_expected:30d{{{OF_MODEL}, bin="99: empty"}}': steady(0),
    }
    for bin_ in range(bins):
        series[f'risk:outcomes_expected:30d{{{OF_MODEL}, bin="{bin_:02}"}}'] = steady(30)
    return series


def _subgroup(observed: float, expected: float) -> dict[str, str]:
    who = f'{HERE}, subgroup="sex: female"'
    return {
        f"risk:subgroup_observed:30d{{{who}}}": steady(observed),
        f"risk:subgroup_expected:30d{{{who}}}": steady(expected),
        f"risk:subgroup_observed_expected_ratio:30d{{{who}}}": steady(observed / expected),
    }


def _chart(direction: str, value: float, limit: float, signals: str, instance: str) -> dict:
    who = f'{HERE}, ledger="main", unit="icu", direction="{direction}", instance="{instance}"'
    return {
        f"risk_cusum{{{who}}}": steady(value),
        f"risk_cusum_limit{{{who}}}": steady(limit),
        f"risk_cusum_signals_total{{{who}}}": signals,
    }


def _both(direction: str, value: float, signals: str) -> dict[str, str]:
    """Two replicas on one ledger."""
    one, two = (_chart(direction, value, 4.5, signals, instance) for instance in ("a", "b"))
    return {**one, **two}


def _signalled(direction: str, severity: str, how: str) -> Fired:
    return Fired(
        {**AT, "ledger": "main", "unit": "icu", "direction": direction, "severity": severity},
        f"icu: {how} events than expected, death_30d at icu-review",
        "The risk-adjusted CUSUM of icu for death_30d at icu-review has reached its limit "
        f"({how} events than their patients' risks explain).",
    )


def _charts() -> list[Case]:
    found = []
    for alert, direction, severity, how in (
        ("RiskCusumSignal", "worse", "critical", "more"),
        ("RiskCusumImprovement", "better", "info", "fewer"),
    ):
        once = (_signalled(direction, severity, how),)
        other = "better" if direction == "worse" else "worse"
        found += [
            Case(alert, "counted by two replicas: one alert", _both(direction, 0, "0x30 1x300"),
                 "60m", once),
            Case(alert, "the chart stands over its limit", _both(direction, 4.6, "0x300"), "5m", once),
            Case(alert, "it stood there below 0", _both(direction, -4.6, "0x300"), "5m", once),
            Case(alert, "a restart is no signal", _both(direction, 4.4, "3x30 0x300"), "60m"),
            Case(alert, "a signal after a restart", _both(direction, 0, "3x30 0x10 1x300"), "60m", once),
            Case(alert, "the other direction", _both(other, 4.6, "0x30 1x300"), "60m"),
            Case(alert, "no limit yet: no patient",
                 _chart(direction, 0, 0, "0x300", "a"), "60m"),
        ]  # fmt: skip
    return found


_COVERAGE = f"risk:outcome_coverage:30d{{{OF_MODEL}}}"
_DELAY = f"risk:outcome_delay_seconds:7d{{{HERE}}}"
_READ = 'risk_outcomes_read_timestamp_seconds{ledger="main", instance="%s"}'
_OTHER_BAND = f"risk:shadow_other_band_ratio:1d{{{OF_MODEL}}}"
_ASIDE = f'risk_shadow_set_aside{{{OF_MODEL}, instance="%s"}}'

OUTCOME_CASES = [
    # 48 - 30 = 18 > 3 sqrt(20) = 13.4; 48 / 30 = 1.6
    Case("RiskMiscalibrated", "too many in a week", _events("7d", 48, 30, 20), "70m",
         (_miscalibrated("7d", "1.60"),)),
    # 40 - 20 = 20 > 3 sqrt(30) = 16.4
    Case("RiskMiscalibrated", "too few in a week", _events("7d", 20, 40, 30), "70m",
         (_miscalibrated("7d", "0.50"),)),
    # 390 - 300 = 90 > 3 sqrt(200) = 42.4
    Case("RiskMiscalibrated", "too many in a month", _events("30d", 390, 300, 200), "70m",
         (_miscalibrated("30d", "1.30"),)),
    # 18 < 3 sqrt(40) = 19
    Case("RiskMiscalibrated", "chance explains it", _events("7d", 48, 30, 40), "70m"),
    Case("RiskMiscalibrated", "few expected", _events("7d", 20, 8, 4), "70m"),
    Case("RiskMiscalibrated", "within the limits", _events("30d", 3600, 3000, 2000), "70m"),
    Case("RiskMiscalibrated", "not yet an hour", _events("7d", 48, 30, 20), "50m"),
    # sqrt(2 / pi x 4 x 100) = 15.96, 3 sqrt((1 - 2 / pi) x 100) = 18.08: 0.2 - 34.04 / 1000 = 0.166
    Case("RiskCalibrationError", "beyond chance", _error(0.2, 4, 100, 1000), "70m",
         (Fired({**OF, "severity": "warning"},
                f"{NAME}: predicted risks are not the observed shares",
                f"Over 30d, the calibration error of {NAME} is 0.17 above what chance gives."),)),
    # 0.08 - 0.034 = 0.046
    Case("RiskCalibrationError", "hardly beyond chance", _error(0.08, 4, 100, 1000), "70m"),
    # sqrt(2 / pi x 4 x 10) = 5.05, 3 sqrt(0.363 x 10) = 5.72: 0.2 - 10.77 / 60 = 0.02
    Case("RiskCalibrationError", "sixty outcomes say little", _error(0.2, 4, 10, 60), "70m"),
    # 2 (sqrt(40) - sqrt(20)) = 3.70
    Case("RiskSubgroupMiscalibrated", "beyond chance", _subgroup(40, 20), "70m",
         (Fired({**AT, "subgroup": "sex: female", "severity": "warning"},
                "sex: female: events observed are not those expected, death_30d at icu-review",
                "Over 30d, sex: female has 2.00 times the expected events of death_30d at icu-review, more "
                "than chance explains."),)),
    # 2 (sqrt(15) - sqrt(10)) = 1.42
    Case("RiskSubgroupMiscalibrated", "chance explains it", _subgroup(15, 10), "70m"),
    Case("RiskSubgroupMiscalibrated", "few expected", _subgroup(24, 8), "70m"),
    # More events were withdrawn than counted: 2 (sqrt(0) - sqrt(12)) = -6.9, not a square root of -1
    Case("RiskSubgroupMiscalibrated", "corrections alone", _subgroup(-1, 12), "70m",
         (Fired({**AT, "subgroup": "sex: female", "severity": "warning"},
                "sex: female: events observed are not those expected, death_30d at icu-review",
                "Over 30d, sex: female has -0.08 times the expected events of death_30d at icu-review, more "
                "than chance explains."),)),
    *_charts(),
    Case("RiskOutcomeCoverageLow", "half", {_COVERAGE: steady(0.5)}, "7h",
         (Fired({**OF, "severity": "warning"}, f"Outcomes of {NAME} are not reported",
                f"Over 30d, 50% of the matured assessments of {NAME} have an outcome."),)),
    Case("RiskOutcomeCoverageLow", "not for six hours yet", {_COVERAGE: steady(0.5)}, "5h"),
    Case("RiskOutcomeCoverageLow", "enough", {_COVERAGE: steady(0.8)}, "7h"),
    Case("RiskOutcomeCoverageLow", "too few matured", {}, "7h"),
    # 1,300,000 s = 15 d + 4,000 s = 15 d 1 h 6 min 40 s
    Case("RiskOutcomesLate", "more than a fortnight", {_DELAY: steady(1_300_000)}, "7h",
         (Fired({**AT, "severity": "warning"},
                "Outcomes are reported late: death_30d at icu-review",
                "Over 7d, reports of death_30d at icu-review came 15d 1h 6m 40s after the horizon in the "
                "mean."),)),
    Case("RiskOutcomesLate", "a week", {_DELAY: steady(604_800)}, "7h"),
    Case("RiskOutcomesLate", "too few reports", {}, "7h"),
    # promtool's clock starts at 0
    Case("RiskOutcomesNotRead", "half an hour ago, by either replica",
         {_READ % "a": steady(0), _READ % "b": steady(0)}, "30m",
         (Fired({"ledger": "main", "severity": "warning"}, "The ledger main is not read for outcomes",
                "The outcomes of main were last read 30m 0s ago: every figure of outcomes stands still."),)),
    Case("RiskOutcomesNotRead", "one replica reads",
         {_READ % "a": steady(0), _READ % "b": "0+60x60"}, "30m"),
    Case("RiskShadowDisagreement", "three of ten", {_OTHER_BAND: steady(0.3)}, "70m",
         (Fired({**OF, "severity": "info"}, f"Challenger {NAME} often disagrees with its champion",
                "Over 1d, 30% of the assessments fall into another band with the challenger "
                f"{NAME}."),)),
    Case("RiskShadowDisagreement", "one of ten", {_OTHER_BAND: steady(0.1)}, "70m"),
    Case("RiskShadowDisagreement", "too few", {}, "70m"),
    Case("RiskChallengerSetAside", "by one replica",
         {_ASIDE % "a": steady(0), _ASIDE % "b": steady(1)}, "10m",
         (Fired({**OF, "severity": "warning"}, f"Challenger {NAME} is no longer asked",
                f"The challenger {NAME} was refused, or its process hung or ended; champions are not "
                "touched."),)),
    Case("RiskChallengerSetAside", "asked", {_ASIDE % "a": steady(0)}, "10m"),
]  # fmt: skip
