"""What the recording rules must give, in numpy, from the scraped series and the textbook's formulas.

Names of what is counted, labels and minimums are written down anew, not taken from the rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from tests.lib.promtool import Series
from tests.lib.textbook import half_distance, jensen_shannon, quantile, stability_index

Key = tuple[tuple[str, str], ...]
"""Labels in alphabetical order."""
Values = dict[Key, float]
HOUR_S = 3600

MODEL = ("model", "version")
PLACE = ("branch_point", "outcome")
EVENTS = {"observed": "true"}
PER_REQUEST: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "risk:feature_observations": (("risk_feature_observations_total",), (*MODEL, "feature", "bin")),
    "risk:prediction_observations": (
        ("risk_predicted_probability_total", "risk_predicted_value_total"),
        (*MODEL, "bin"),
    ),
    "risk:predicted_variance": (("risk_predicted_variance_total",), MODEL),
    "risk:contribution_absolute": (("risk_contribution_absolute_total",), (*MODEL, "feature")),
    "risk:assessment_duration_bucket": (
        ("risk_assessment_duration_seconds_bucket",),
        ("branch_point", "le"),
    ),
    "risk:responses": (("risk_responses_total",), ("code",)),
    "risk:feedback": (("risk_feedback_total",), ("branch_point", "verdict")),
    "risk:shadow_assessments": (("risk_shadow_assessments_total",), MODEL),
    "risk:shadow_other_band": (("risk_shadow_other_band_total",), MODEL),
}
"""Counted by each replica: families and labels that stay."""
PER_LEDGER: dict[str, tuple[str, str | None, tuple[str, ...], dict[str, str]]] = {
    "risk:outcomes_observed": (
        "risk_outcomes_total", "risk_outcomes_withdrawn_total", (*MODEL, "bin", "observed"), {},
    ),
    "risk:outcomes_expected": (
        "risk_outcomes_expected_total", "risk_outcomes_expected_withdrawn_total", (*MODEL, "bin"), {},
    ),
    "risk:squared_error": (
        "risk_outcomes_squared_error_total", "risk_outcomes_squared_error_withdrawn_total", MODEL, {},
    ),
    "risk:outcomes_variance": (
        "risk_outcomes_expected_variance_total", "risk_outcomes_expected_variance_withdrawn_total",
        MODEL, {},
    ),
    "risk:outcomes_matured": ("risk_outcomes_matured_total", None, MODEL, {}),
    "risk:outcome_delay_sum": ("risk_outcome_delay_seconds_total", None, PLACE, {}),
    "risk:outcome_delay_reports": ("risk_outcome_delay_reports_total", None, PLACE, {}),
    "risk:unit_observed": (
        "risk_unit_outcomes_total", "risk_unit_outcomes_withdrawn_total", (*PLACE, "unit"), EVENTS,
    ),
    "risk:unit_expected": (
        "risk_unit_outcomes_expected_total", "risk_unit_outcomes_expected_withdrawn_total",
        (*PLACE, "unit"), {},
    ),
    "risk:subgroup_observed": (
        "risk_subgroup_outcomes_total", "risk_subgroup_outcomes_withdrawn_total", (*PLACE, "subgroup"),
        EVENTS,
    ),
    "risk:subgroup_expected": (
        "risk_subgroup_outcomes_expected_total", "risk_subgroup_outcomes_expected_withdrawn_total",
        (*PLACE, "subgroup"), {},
    ),
}  # fmt: skip
"""Shown alike by all replicas on a ledger: family, what was withdrawn, labels that stay, chosen."""


def key(labels: Mapping[str, str], kept: Iterable[str]) -> Key:
    return tuple((name, labels[name]) for name in sorted(kept))


def hour(series: Sequence[Series], at_s: int, *, both_ends: bool) -> dict[str, Values]:
    """What was counted in the hour before a time."""

    def grown(families: Iterable[str], chosen: Mapping[str, str]) -> list[tuple[Series, float]]:
        return [
            (one, value)
            for one in series
            if one.name in families and chosen.items() <= one.labels.items()
            if (value := one.increase(at_s, HOUR_S, both_ends=both_ends)) is not None
        ]

    found: dict[str, Values] = {}
    for name, (families, kept) in PER_REQUEST.items():
        found[name] = defaultdict(float)
        for one, value in grown(families, {}):
            found[name][key(one.labels, kept)] += value
    for name, (family, withdrawn, kept, chosen) in PER_LEDGER.items():
        found[name] = defaultdict(float)
        for sign, source in ((1, family), (-1, withdrawn)):
            largest: Values = {}
            for one, value in grown((source or "",), chosen):
                own = key(one.labels, (*kept, "ledger"))
                largest[own] = max(largest.get(own, -np.inf), value)
            for own, value in largest.items():
                found[name][_less(own, "ledger")] += sign * value
    return found


def summed(hours: Iterable[Mapping[str, Values]]) -> dict[str, Values]:
    """A longer window from its hours."""
    found: dict[str, Values] = defaultdict(lambda: defaultdict(float))
    for one in hours:
        for name, values in one.items():
            for own, value in values.items():
                found[name][own] += value
    return found


def _less(own: Key, *names: str) -> Key:
    return tuple(pair for pair in own if pair[0] not in names)


def _grouped(values: Values, *names: str) -> dict[Key, dict[Key, float]]:
    """By the key without these labels: what stands under it."""
    found: dict[Key, dict[Key, float]] = defaultdict(dict)
    for own, value in values.items():
        found[_less(own, *names)][own] = value
    return found


def _total(values: Values, *names: str) -> Values:
    return {own: sum(members.values()) for own, members in _grouped(values, *names).items()}


def _ratio(above: Values, below: Values, least: float) -> Values:
    return {
        own: above[own] / total for own, total in below.items() if own in above and total >= least
    }


def _chosen(values: Values, label: str, *wanted: str) -> Values:
    return {own: value for own, value in values.items() if dict(own)[label] in wanted}


def smoothed_shares(counts: Values, *names: str) -> Values:
    found: Values = {}
    for members in _grouped(counts, *names).values():
        total = sum(members.values())
        for own, count in members.items():
            found[own] = (count + 0.5) / (total + 0.5 * len(members))
    return found


def _compared(
    live: Values, fitted: Values, totals: Values, measure: Callable[..., float], *names: str
) -> Values:
    found: Values = {}
    for group, members in _grouped(live, *names).items():
        both = [own for own in members if own in fitted]
        if totals[group] >= 200 and both:
            p = np.array([live[own] for own in both])
            q = np.array([fitted[own] for own in both])
            found[group] = measure(p, q)
    return found


def references(series: Sequence[Series]) -> dict[str, Values]:
    """What the models were fitted on; every replica shows the same."""

    def shown(*families: str, kept: tuple[str, ...]) -> Values:
        return {
            key(one.labels, kept): float(np.nanmax(one.values))
            for one in series
            if one.name in families
        }

    features = shown("risk_feature_reference_ratio", kept=(*MODEL, "feature", "bin"))
    predictions = shown(
        "risk_predicted_probability_reference_ratio",
        "risk_predicted_value_reference_ratio",
        kept=(*MODEL, "bin"),
    )
    means = shown("risk_contribution_reference_mean", kept=(*MODEL, "feature"))
    whole = _total(means, "feature")
    return {
        "risk:feature_reference_share": features,
        "risk:feature_bins": {o: float(len(m)) for o, m in _grouped(features, "bin").items()},
        "risk:prediction_reference_share": predictions,
        "risk:prediction_bins": {o: float(len(m)) for o, m in _grouped(predictions, "bin").items()},
        "risk:contribution_reference_share": {
            own: mean / whole[_less(own, "feature")] for own, mean in means.items()
        },
    }


def rules(counted: Mapping[str, Values], fitted: Mapping[str, Values]) -> dict[str, Values]:
    """Every recording rule of a window, from what was counted in it."""
    found = {**counted, **_drift(counted, fitted), **_outcomes(counted), **_service(counted)}
    return {name: dict(values) for name, values in found.items()}


def _drift(counted: Mapping[str, Values], fitted: Mapping[str, Values]) -> dict[str, Values]:
    features = counted["risk:feature_observations"]
    totals = _total(features, "bin")
    shares = smoothed_shares(features, "bin")
    fitted_shares = fitted["risk:feature_reference_share"]
    predictions = counted["risk:prediction_observations"]
    answered = _total(predictions, "bin")
    prediction_shares = smoothed_shares(predictions, "bin")
    contributed = counted["risk:contribution_absolute"]
    whole = _total(contributed, "feature")
    explained = {
        own: sum_ / whole[_less(own, "feature")]
        for own, sum_ in contributed.items()
        if whole[_less(own, "feature")] > 0
    }
    found = {
        "risk:feature_total": totals,
        "risk:feature_share": shares,
        "risk:feature_psi": _compared(shares, fitted_shares, totals, stability_index, "bin"),
        "risk:feature_js": _compared(shares, fitted_shares, totals, jensen_shannon, "bin"),
        "risk:prediction_total": answered,
        "risk:prediction_share": prediction_shares,
        "risk:prediction_psi": _compared(
            prediction_shares, fitted["risk:prediction_reference_share"], answered, stability_index, "bin"
        ),
        "risk:brier_score_expected": _ratio(counted["risk:predicted_variance"], answered, 1e-12),
        "risk:contribution_share": explained,
        "risk:explanation_drift": _compared(
            explained, fitted["risk:contribution_reference_share"], answered, half_distance, "feature"
        ),
    }  # fmt: skip
    for name in ("missing", "implausible", "unseen"):
        own = {_less(k, "bin"): v for k, v in _chosen(features, "bin", name).items()}
        found[f"risk:feature_{name}_ratio"] = _ratio(own, totals, 50)
    return found


def _outcomes(counted: Mapping[str, Values]) -> dict[str, Values]:
    observed, expected = counted["risk:outcomes_observed"], counted["risk:outcomes_expected"]
    outcomes = _total(observed, "bin", "observed")
    by_bin = {_less(k, "observed"): v for k, v in _chosen(observed, "observed", "true").items()}
    apart = _total({own: abs(by_bin[own] - value) for own, value in expected.items()}, "bin")
    return {
        "risk:outcomes": outcomes,
        "risk:observed_expected_ratio": _ratio(_total(by_bin, "bin"), _total(expected, "bin"), 5),
        "risk:calibration_error": _ratio(apart, outcomes, 50),
        "risk:brier_score": _ratio(counted["risk:squared_error"], outcomes, 50),
        "risk:outcome_coverage": _ratio(outcomes, counted["risk:outcomes_matured"], 20),
        "risk:outcome_delay_seconds": _ratio(
            counted["risk:outcome_delay_sum"], counted["risk:outcome_delay_reports"], 20
        ),
        **{
            f"risk:{kind}_observed_expected_ratio": _ratio(
                counted[f"risk:{kind}_observed"], counted[f"risk:{kind}_expected"], 5
            )
            for kind in ("unit", "subgroup")
        },
    }


def _service(counted: Mapping[str, Values]) -> dict[str, Values]:
    buckets = _grouped(counted["risk:assessment_duration_bucket"], "le")
    by_bound = {
        own: {dict(k)["le"]: v for k, v in members.items()} for own, members in buckets.items()
    }
    asked = {own: members["+Inf"] for own, members in by_bound.items()}
    responses = counted["risk:responses"]
    feedback = counted["risk:feedback"]
    told = _total(_chosen(feedback, "verdict", "accepted", "overridden"), "verdict")
    return {
        "risk:assessments": asked,
        "risk:assessment_latency_p95": {
            own: quantile(0.95, members) for own, members in by_bound.items() if asked[own] >= 20
        },
        "risk:error_ratio": _ratio(
            _total(_chosen(responses, "code", "5xx"), "code"), _total(responses, "code"), 1e-12
        ),
        "risk:override_ratio": _ratio(
            _total(_chosen(feedback, "verdict", "overridden"), "verdict"), told, 20
        ),
        "risk:shadow_other_band_ratio": _ratio(
            counted["risk:shadow_other_band"], counted["risk:shadow_assessments"], 50
        ),
    }
