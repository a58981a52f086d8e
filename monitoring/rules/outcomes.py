"""Recording rules of outcomes: what was observed, beside what was predicted.

Two replicas on one ledger show the same counts. Within each ledger the largest increase is taken,
then the ledgers are summed: adding the replicas would count every patient twice. What a correction
replaced is subtracted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.rule import Group, Recording, promql
from monitoring.rules.thresholds import number
from monitoring.rules.windows import WINDOWS, Window

MODEL = "model, version"


def outcome_groups(thresholds: Mapping[str, float]) -> Iterator[Group]:
    """The groups of all windows."""
    for window in WINDOWS:
        yield Group(
            f"risk-outcomes-{window.name}",
            window.interval,
            f"Outcomes of models, care units and subgroups over {window.name}.",
            (
                *_models(window, thresholds),
                *_coverage(window, thresholds),
                *_delay(window, thresholds),
                *_groups("unit", window, thresholds),
                *_groups("subgroup", window, thresholds),
            ),
        )


def of_ledgers(family: str, labels: str, matchers: str = "") -> str:
    """The increase of a family of the ledger within an hour, each ledger once."""
    return f"sum by ({labels}) (max by (ledger, {labels}) (increase({family}_total{matchers}[1h])))"


def standing(family: str, labels: str, matchers: str = "") -> str:
    """As `of_ledgers`, without what corrections replaced."""
    counted = of_ledgers(family, labels, matchers)
    return f"{counted}\n- {of_ledgers(f'{family}_withdrawn', labels, matchers)}"


def _counts(window: Window, record: str, increase: str, note: str = "") -> Recording:
    return Recording(f"{record}:{window.name}", window.counted(record, increase), note)


def _models(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    w, enough = window.name, number(thresholds["outcomes_minimum"])
    yield _counts(
        window,
        "risk:outcomes_observed",
        standing("risk_outcomes", "model, version, bin, observed"),
        "What stands, by bin of the prediction; below 0 where only corrections fell into the window.",
    )
    yield _counts(
        window,
        "risk:outcomes_expected",
        standing("risk_outcomes_expected", "model, version, bin"),
    )
    yield Recording(f"risk:outcomes:{w}", f"sum by ({MODEL}) (risk:outcomes_observed:{w})")
    yield Recording(
        f"risk:observed_expected_ratio:{w}",
        promql(f"""
            sum by ({MODEL}) (risk:outcomes_observed:{w}{{observed="true"}})
            /
            (sum by ({MODEL}) (risk:outcomes_expected:{w}) >= {number(thresholds["expected_minimum"])})
        """),
    )
    yield Recording(
        f"risk:calibration_error:{w}",
        promql(f"""
            sum by ({MODEL}) (
              abs(risk:outcomes_expected:{w} - ignoring (observed) risk:outcomes_observed:{w}{{observed="true"}})
            )
            /
            (risk:outcomes:{w} >= {enough})
        """),
        "Sum over bins of |observed - expected|, per outcome.",
    )
    yield _counts(window, "risk:squared_error", standing("risk_outcomes_squared_error", MODEL))
    yield Recording(
        f"risk:brier_score:{w}", f"risk:squared_error:{w} / (risk:outcomes:{w} >= {enough})"
    )
    yield _counts(
        window,
        "risk:outcomes_variance",
        standing("risk_outcomes_expected_variance", MODEL),
        "Of the number of events, were the model calibrated; per outcome, the Brier score to expect.",
    )


def _coverage(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    w = window.name
    yield _counts(window, "risk:outcomes_matured", of_ledgers("risk_outcomes_matured", MODEL))
    yield Recording(
        f"risk:outcome_coverage:{w}",
        promql(f"""
            risk:outcomes:{w}
            /
            (risk:outcomes_matured:{w} >= {number(thresholds["matured_minimum"])})
        """),
        "Above 1 where reports of earlier assessments come in.",
    )


def _delay(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    w, labels = window.name, "branch_point, outcome"
    yield _counts(
        window, "risk:outcome_delay_sum", of_ledgers("risk_outcome_delay_seconds", labels)
    )
    yield _counts(
        window, "risk:outcome_delay_reports", of_ledgers("risk_outcome_delay_reports", labels)
    )
    yield Recording(
        f"risk:outcome_delay_seconds:{w}",
        promql(f"""
            risk:outcome_delay_sum:{w}
            /
            (risk:outcome_delay_reports:{w} >= {number(thresholds["answers_minimum"])})
        """),
        "Mean time from the end of the horizon to the report.",
    )


def _groups(kind: str, window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    """Care units, or subgroups: events observed and expected, and their ratio."""
    w, labels = window.name, f"branch_point, outcome, {kind}"
    yield _counts(
        window,
        f"risk:{kind}_observed",
        standing(f"risk_{kind}_outcomes", labels, '{observed="true"}'),
    )
    yield _counts(
        window, f"risk:{kind}_expected", standing(f"risk_{kind}_outcomes_expected", labels)
    )
    yield Recording(
        f"risk:{kind}_observed_expected_ratio:{w}",
        promql(f"""
            risk:{kind}_observed:{w}
            /
            (risk:{kind}_expected:{w} >= {number(thresholds["expected_minimum"])})
        """),
    )
