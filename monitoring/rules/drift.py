"""Recording rules of drift: inputs, predictions and explanations against the model's reference.

Counts come from each replica and are summed. Shares are smoothed with half a count per bin, as the
reference is, so that an empty bin is a small share and never a logarithm of 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitoring.rules.rule import Group, Recording, promql
from monitoring.rules.thresholds import number
from monitoring.rules.windows import WINDOWS, Window

FEATURE = "model, version, feature"
STRANGE = ("missing", "implausible", "unseen")
"""Bins of values that were not there, could not be, or were never seen when the model was fitted."""


def drift_groups(thresholds: Mapping[str, float]) -> Iterator[Group]:
    """The groups of all windows, that of the references first."""
    yield _references()
    for window in WINDOWS:
        yield Group(
            f"risk-features-{window.name}",
            window.interval,
            f"Inputs of the models over {window.name}.",
            (
                *_shares("feature", FEATURE, window, _FEATURES),
                *_divergences("feature", FEATURE, window, thresholds),
                *_strange(window, thresholds),
            ),
        )
        yield Group(
            f"risk-predictions-{window.name}",
            window.interval,
            f"Predictions and explanations of the models over {window.name}.",
            (
                *_shares("prediction", "model, version", window, _PREDICTIONS),
                _stability("prediction", "model, version", window, thresholds),
                *_expected_brier(window),
                *_explanations(window, thresholds),
            ),
        )


_FEATURES = "sum by (model, version, feature, bin) (increase(risk_feature_observations_total[1h]))"
_PREDICTIONS = promql("""
    sum by (model, version, bin) (increase(risk_predicted_probability_total[1h]))
    or
    sum by (model, version, bin) (increase(risk_predicted_value_total[1h]))
""")


def _references() -> Group:
    """What every replica shows alike is taken once; a share of 0 would make a logarithm infinite."""
    return Group(
        "risk-references",
        "1m",
        "What the served models were fitted on: once, whichever replicas show it.",
        (
            Recording(
                "risk:feature_reference_share",
                "max by (model, version, feature, bin) (risk_feature_reference_ratio) > 0",
            ),
            Recording(
                "risk:feature_bins",
                f"count by ({FEATURE}) (risk:feature_reference_share)",
            ),
            Recording(
                "risk:prediction_reference_share",
                promql("""
                    max by (model, version, bin) (risk_predicted_probability_reference_ratio) > 0
                    or
                    max by (model, version, bin) (risk_predicted_value_reference_ratio) > 0
                """),
            ),
            Recording(
                "risk:prediction_bins",
                "count by (model, version) (risk:prediction_reference_share)",
            ),
            Recording(
                "risk:contribution_reference_share",
                promql(f"""
                    max by ({FEATURE}) (risk_contribution_reference_mean)
                    / on (model, version) group_left ()
                    (sum by (model, version) (max by ({FEATURE}) (risk_contribution_reference_mean)) > 0)
                """),
                "Of all that the features contributed when the model was fitted.",
            ),
        ),
    )


def _shares(subject: str, who: str, window: Window, increase: str) -> Iterator[Recording]:
    """Counts by bin, their total, and smoothed shares; the bins are counted, not assumed."""
    counts, total = f"risk:{subject}_observations", f"risk:{subject}_total"
    w = window.name
    yield Recording(f"{counts}:{w}", window.counted(counts, increase))
    yield Recording(
        f"{total}:{w}",
        f"sum by ({who}) ({counts}:{w})",
        "The bins exclude each other: their sum is the number of assessments.",
    )
    yield Recording(
        f"risk:{subject}_share:{w}",
        promql(f"""
            ({counts}:{w} + 0.5)
            / on ({who}) group_left ()
            ({total}:{w} + 0.5 * count by ({who}) ({counts}:{w}))
        """),
    )


def _stability(
    subject: str, who: str, window: Window, thresholds: Mapping[str, float]
) -> Recording:
    live, fitted = f"risk:{subject}_share:{window.name}", f"risk:{subject}_reference_share"
    return Recording(
        f"risk:{subject}_psi:{window.name}",
        promql(f"""
            sum by ({who}) (({live} - {fitted}) * ln({live} / {fitted}))
            and
            risk:{subject}_total:{window.name} >= {number(thresholds["psi_minimum"])}
        """),
        "Population stability index: sum of (p - q) ln(p / q).",
    )


def _divergences(
    subject: str, who: str, window: Window, thresholds: Mapping[str, float]
) -> Iterator[Recording]:
    yield _stability(subject, who, window, thresholds)
    live, fitted = f"risk:{subject}_share:{window.name}", f"risk:{subject}_reference_share"
    yield Recording(
        f"risk:{subject}_js:{window.name}",
        promql(f"""
            0.5 * sum by ({who}) (
              {live} * ln(2 * {live} / ({live} + {fitted}))
              + {fitted} * ln(2 * {fitted} / ({live} + {fitted}))
            )
            and
            risk:{subject}_total:{window.name} >= {number(thresholds["psi_minimum"])}
        """),
        "Jensen-Shannon divergence, natural logarithm: 0 to ln 2.",
    )


def _strange(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    for name in STRANGE:
        yield Recording(
            f"risk:feature_{name}_ratio:{window.name}",
            promql(f"""
                risk:feature_observations:{window.name}{{bin="{name}"}}
                / ignoring (bin)
                (risk:feature_total:{window.name} >= {number(thresholds["ratio_minimum"])})
            """),
        )


def _expected_brier(window: Window) -> Iterator[Recording]:
    variance = "risk:predicted_variance"
    yield Recording(
        f"{variance}:{window.name}",
        window.counted(
            variance, "sum by (model, version) (increase(risk_predicted_variance_total[1h]))"
        ),
    )
    yield Recording(
        f"risk:brier_score_expected:{window.name}",
        f"{variance}:{window.name} / (risk:prediction_total:{window.name} > 0)",
        "The Brier score of a calibrated model on these patients: needs no outcome.",
    )


def _explanations(window: Window, thresholds: Mapping[str, float]) -> Iterator[Recording]:
    """Shares of features, so that how many were answered cancels."""
    sums, w = "risk:contribution_absolute", window.name
    yield Recording(
        f"{sums}:{w}",
        window.counted(
            sums, f"sum by ({FEATURE}) (increase(risk_contribution_absolute_total[1h]))"
        ),
    )
    yield Recording(
        f"risk:contribution_share:{w}",
        promql(f"""
            {sums}:{w}
            / on (model, version) group_left ()
            (sum by (model, version) ({sums}:{w}) > 0)
        """),
    )
    yield Recording(
        f"risk:explanation_drift:{w}",
        promql(f"""
            0.5 * sum by (model, version) (
              abs(risk:contribution_share:{w} - risk:contribution_reference_share)
            )
            and
            risk:prediction_total:{w} >= {number(thresholds["psi_minimum"])}
        """),
        "The part of the explanation that has moved to other features: 0 to 1.",
    )
