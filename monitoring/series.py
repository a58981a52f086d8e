"""Every family of series that `/metrics` shows: name, type, labels and help, in one table.

The exposition, the rules, the dashboards and the tests agree on this table. A counter's name ends in
`_total`, as it is written in a query. Families with the label `ledger` are worked out from the ledger:
every replica on that ledger shows the same figures, and the rules count them once.

To add a family: add a row. Labels never hold what came in a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One family of series.

    Attributes
    ----------
    name : str
        As a query writes it; of a histogram without `_bucket`, `_sum`, `_count`.
    labels : tuple of str
        Without `le`, which only a histogram's buckets have.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str

    @property
    def series(self) -> dict[str, tuple[str, ...]]:
        """The names that can be queried, each with its labels.

        Examples
        --------
        >>> Family("risk_x_seconds", "histogram", ("branch_point",), "").series["risk_x_seconds_bucket"]
        ('branch_point', 'le')
        """
        if self.kind != "histogram":
            return {self.name: self.labels}
        return {
            f"{self.name}_bucket": (*self.labels, "le"),
            f"{self.name}_sum": self.labels,
            f"{self.name}_count": self.labels,
        }


MODEL = ("model", "version")
OF_LEDGER = ("ledger", *MODEL)
UNIT = ("ledger", "branch_point", "outcome", "unit")
SUBGROUP = ("ledger", "branch_point", "outcome", "subgroup")
DELAY = ("ledger", "branch_point", "outcome")

FAMILIES: tuple[Family, ...] = (
    # What was asked and answered; each replica counts what it answered itself.
    Family("risk_assessments_total", "counter", ("branch_point", "outcome", "status"),
           "Outcomes asked for, by how they were answered."),
    Family("risk_assessment_duration_seconds", "histogram", ("branch_point",),
           "Time from a parsed request to its answer."),
    Family("risk_responses_total", "counter", ("code",),
           "HTTP answers by class of status: 2xx, 3xx, 4xx, 5xx."),
    Family("risk_refused_requests_total", "counter", ("reason",),
           "Requests that were not let in, by reason."),
    Family("risk_tripwire_hits_total", "counter", ("where",),
           "Writes that were stopped because an identifier was seen in them."),
    Family("risk_silent_assessments_total", "counter", ("branch_point",),
           "Assessments that were recorded and not told: the branch point is silent."),
    Family("risk_cards_total", "counter", ("branch_point", "indicator"),
           "CDS Hooks calls that were answered, by the card's indicator."),
    Family("risk_feedback_total", "counter", ("branch_point", "verdict"),
           "Cards of which a client reported what became, each report once."),
    # What the models saw and said.
    Family("risk_model_assessments_total", "counter", (*MODEL, "status"),
           "Assessments that a served model was asked for: answered or abstained."),
    Family("risk_feature_observations_total", "counter", (*MODEL, "feature", "bin"),
           "Values of a feature in the bins of the model's reference, or missing, implausible, unseen."),
    Family("risk_feature_reference_ratio", "gauge", (*MODEL, "feature", "bin"),
           "Smoothed share of the bin when the model was fitted."),
    Family("risk_predicted_probability_total", "counter", (*MODEL, "bin"),
           "Answered probabilities by bin."),
    Family("risk_predicted_probability_reference_ratio", "gauge", (*MODEL, "bin"),
           "Smoothed share of the bin when the model was fitted."),
    Family("risk_predicted_value_total", "counter", (*MODEL, "bin"),
           "Answered values of numeric outcomes by bin."),
    Family("risk_predicted_value_reference_ratio", "gauge", (*MODEL, "bin"),
           "Smoothed share of the bin when the model was fitted."),
    Family("risk_predicted_probability_sum_total", "counter", MODEL,
           "Sum of answered probabilities p."),
    Family("risk_predicted_value_sum_total", "counter", MODEL,
           "Sum of answered values of numeric outcomes."),
    Family("risk_predicted_variance_total", "counter", MODEL,
           "Sum of p(1-p) of answered probabilities: per answer, the Brier score to expect."),
    Family("risk_contribution_absolute_total", "counter", (*MODEL, "feature"),
           "Sum of absolute contributions of a feature to answered predictions."),
    Family("risk_contribution_reference_mean", "gauge", (*MODEL, "feature"),
           "Mean absolute contribution of a feature when the model was fitted."),
    # Models, registry, workers.
    Family("risk_model_info", "gauge", (*MODEL, "alias", "digest"),
           "How many workers of this service serve the model."),
    Family("risk_model_load_failures_total", "counter", (),
           "Model versions that were refused, by all workers of this service."),
    Family("risk_models_ungated", "gauge", (),
           "Served models whose gate decision is missing, failed, or not sealed here."),
    Family("risk_registry_last_success_timestamp_seconds", "gauge", (),
           "When the registry last answered the worker that waits longest, in seconds since 1970."),
    Family("risk_registry_serving_from_cache", "gauge", (),
           "Workers that serve the last good models because the registry did not answer them."),
    Family("risk_workers", "gauge", (), "Workers of this service that are alive."),
    # The ledger's doing.
    Family("risk_ledger_up", "gauge", (), "1 while the ledger can record."),
    Family("risk_ledger_waiting", "gauge", (), "Answers that wait for their commit."),
    Family("risk_ledger_entries_total", "counter", ("kind",),
           "What was recorded, durable, by kind."),
    Family("risk_ledger_commits_total", "counter", ("result",),
           "Attempts to write to the ledger's database."),
    Family("risk_ledger_commit_duration_seconds", "histogram", (),
           "How long one commit took, with all that it carried."),
    Family("risk_silence_current", "gauge", (),
           "1 while the last look at the ledger told which branch points are silent."),
    # Challengers beside champions.
    Family("risk_shadow_assessments_total", "counter", (*MODEL, "status"),
           "Assessments that a challenger was asked about, unseen."),
    Family("risk_shadow_other_band_total", "counter", MODEL,
           "Of them those in another band than the champion's, or that only one answered."),
    Family("risk_shadow_apart_total", "counter", MODEL,
           "Sum of absolute differences to the champion's predictions, in the outcome's unit."),
    Family("risk_shadow_both_total", "counter", MODEL, "Predictions that stand in that sum."),
    Family("risk_shadow_lag_seconds", "gauge", MODEL,
           "Age of the oldest assessment of the challenger's last batch."),
    Family("risk_shadow_set_aside", "gauge", MODEL,
           "1 for a challenger that is not asked: refused, or its process hung or ended."),
    Family("risk_shadow_outcomes", "gauge", MODEL,
           "Assessments of known outcome to which champion and challenger gave a number."),
    Family("risk_shadow_auroc", "gauge", (*MODEL, "alias"), "AUROC on them."),
    Family("risk_shadow_brier_score", "gauge", (*MODEL, "alias"), "Brier score on them."),
    Family("risk_shadow_net_benefit", "gauge", (*MODEL, "alias"),
           "Net benefit on them at the branch point's first threshold of action."),
    # What became of the patients, worked out from the ledger.
    Family("risk_outcomes_total", "counter", (*OF_LEDGER, "bin", "observed"),
           "Matured and reported outcomes by bin of the prediction; a correction counts anew."),
    Family("risk_outcomes_withdrawn_total", "counter", (*OF_LEDGER, "bin", "observed"),
           "Of them those that a correction replaced."),
    Family("risk_outcomes_expected_total", "counter", (*OF_LEDGER, "bin"),
           "Sum of predicted probabilities of the same assessments."),
    Family("risk_outcomes_expected_withdrawn_total", "counter", (*OF_LEDGER, "bin"),
           "Of it what a correction left without any outcome."),
    Family("risk_outcomes_squared_error_total", "counter", OF_LEDGER,
           "Sum of squared differences of outcome (0 or 1) and probability."),
    Family("risk_outcomes_squared_error_withdrawn_total", "counter", OF_LEDGER,
           "Of it what a correction replaced."),
    Family("risk_outcomes_expected_variance_total", "counter", OF_LEDGER,
           "Sum of p(1-p) of the same assessments."),
    Family("risk_outcomes_expected_variance_withdrawn_total", "counter", OF_LEDGER,
           "Of it what a correction left without any outcome."),
    Family("risk_outcomes_matured_total", "counter", OF_LEDGER,
           "Answered assessments whose horizon has passed, reported or not."),
    Family("risk_outcomes_waiting", "gauge", OF_LEDGER,
           "Answered assessments whose horizon has not passed."),
    Family("risk_outcome_delay_seconds_total", "counter", DELAY,
           "Sum of times from the end of the horizon, or the observation if later, to the report."),
    Family("risk_outcome_delay_reports_total", "counter", DELAY, "Reports that stand in that sum."),
    Family("risk_unit_outcomes_total", "counter", (*UNIT, "observed"),
           "Matured and reported outcomes by care unit; a correction counts anew."),
    Family("risk_unit_outcomes_withdrawn_total", "counter", (*UNIT, "observed"),
           "Of them those that a correction replaced."),
    Family("risk_unit_outcomes_expected_total", "counter", UNIT,
           "Sum of predicted probabilities of the same assessments."),
    Family("risk_unit_outcomes_expected_withdrawn_total", "counter", UNIT,
           "Of it what a correction left without any outcome."),
    Family("risk_subgroup_outcomes_total", "counter", (*SUBGROUP, "observed"),
           "Matured and reported outcomes by subgroup; a correction counts anew."),
    Family("risk_subgroup_outcomes_withdrawn_total", "counter", (*SUBGROUP, "observed"),
           "Of them those that a correction replaced."),
    Family("risk_subgroup_outcomes_expected_total", "counter", SUBGROUP,
           "Sum of predicted probabilities of the same assessments."),
    Family("risk_subgroup_outcomes_expected_withdrawn_total", "counter", SUBGROUP,
           "Of it what a correction left without any outcome."),
    Family("risk_calibration_slope", "gauge", (*OF_LEDGER, "window"),
           "Slope of the outcome on the prediction's log-odds; 1 is calibrated."),
    Family("risk_auroc", "gauge", (*OF_LEDGER, "window"), "AUROC on matured outcomes."),
    Family("risk_cusum", "gauge", (*UNIT, "direction"), "Risk-adjusted CUSUM of a care unit."),
    Family("risk_cusum_limit", "gauge", (*UNIT, "direction"), "Where that CUSUM signals."),
    Family("risk_cusum_signals_total", "counter", (*UNIT, "direction"),
           "How often that CUSUM signalled."),
    Family("risk_vlad", "gauge", UNIT,
           "Variable life-adjusted display: expected minus observed events so far."),
    Family("risk_outcomes_read_timestamp_seconds", "gauge", ("ledger",),
           "When the ledger was last read to its end, in seconds since 1970."),
)  # fmt: skip

BY_NAME: dict[str, Family] = {family.name: family for family in FAMILIES}
"""The table by name."""

SERIES: dict[str, tuple[str, ...]] = {
    name: labels for family in FAMILIES for name, labels in family.series.items()
}
"""Every name that can be queried, with its labels."""
