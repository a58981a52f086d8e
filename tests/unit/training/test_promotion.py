import tomllib

import numpy as np
import pytest

from models.errors import ContentInvalid
from models.vocabulary import load_vocabulary
from training.evaluation import evaluate_binary, evaluate_numeric
from training.gate.subgroups import worst_subgroup
from training.promotion import OWN_RULES, Rule, decide, figure, load_rules

SERVING = {"processor_ms": 0.2, "bytes": 500_000, "leaves": 1600}
GOOD = {
    "rows": 2000,
    "events": 400,
    "non_events": 1600,
    "auroc": {"value": 0.78, "lower": 0.75, "upper": 0.81},
    "brier": {"value": 0.17},
    "calibration": {
        "slope": 1.02,
        "in_the_large": -0.05,
        "ici": 0.02,
        "observed_expected": {"value": 0.97},
    },
    "interval": {"coverage": 0.9},
    "decision": {
        "worst": {"value": 0.03, "lower": 0.01, "upper": 0.05, "where": "at a risk of 0.3"}
    },
    "worst_subgroup": {
        "miscalibration": {"value": 1.1, "where": "sex: female"},
        "discrimination": {"value": 0.72, "where": "age: 65-79"},
    },
    "serving": SERVING,
    "beside_champion": None,
}
GOOD_NUMBER = {
    "rows": 2000,
    "mae": {"value": 6.0},
    "spearman": {"lower": 0.4},
    "calibration": {"slope": 1.0, "observed_expected": 1.02},
    "interval": {"coverage": 0.91},
    "worst_subgroup": {"miscalibration": {"value": 1.2, "where": "sex: male"}},
    "serving": SERVING,
    "beside_champion": None,
}
BESIDE = {
    "log_loss": {"value": 0.001, "lower": -0.004, "upper": 0.006},
    "brier": {"value": 0.0, "lower": -0.002, "upper": 0.002},
    "auroc": {"value": -0.003, "lower": -0.012, "upper": 0.006},
    "net_benefit": {"value": 0.0, "lower": -0.004, "upper": 0.004, "where": "at a risk of 0.3"},
    "answered": 0.01,
    "cohort_psi": {"value": 0.08, "where": "age", "inputs": 20},
}
BESIDE_NUMBER = {
    "error": {"value": 0.01, "lower": -0.02, "upper": 0.04},
    "answered": 0.0,
    "cohort_psi": {"value": 0.08, "where": "age", "inputs": 20},
}
ROW = """
[[rule]]
name = "first"
kind = "binary"
metric = "auroc.lower"
comparison = "at_least"
limit = 0.6
reason = "because"
source = "product proposal"
"""


def changed(evaluation, metric, value):
    """A copy with another number at a dotted path."""
    key, _, rest = metric.partition(".")
    return {**evaluation, key: changed(evaluation[key], rest, value) if rest else value}


def binary(figures, outcome="sepsis", branch_point="ward-round"):
    return decide("binary", branch_point, outcome, figures, load_rules())


def numeric(figures):
    return decide("numeric", "icu-review", "length_of_stay_days", figures, load_rules())


def failed(decision):
    return [finding.rule for finding in decision.findings if not finding.passed]


def load(tmp_path, text):
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return load_rules(path)


def test_a_good_model_passes_every_rule():
    assert binary(GOOD).passed
    assert numeric(GOOD_NUMBER).passed


@pytest.mark.parametrize(
    ("metric", "holds", "fails", "rule"),
    [
        ("events", 20, 19, "held-out-events"),
        ("non_events", 20, 19, "held-out-non-events"),
        ("auroc.lower", 0.6, 0.599, "discrimination"),
        ("calibration.slope", 0.8, 0.79, "calibration-slope"),
        ("calibration.slope", 1.25, 1.26, "calibration-slope"),
        ("calibration.in_the_large", 0.2, 0.21, "calibration-in-the-large"),
        ("calibration.in_the_large", -0.2, -0.21, "calibration-in-the-large"),
        ("calibration.ici", 0.05, 0.051, "calibration-along-the-curve"),
        ("interval.coverage", 0.8, 0.79, "interval-coverage"),
        ("calibration.observed_expected.value", 0.8, 0.79, "observed-over-expected"),
        ("calibration.observed_expected.value", 1.25, 1.26, "observed-over-expected"),
        ("decision.worst.upper", 0, -0.001, "net-benefit"),
        ("worst_subgroup.miscalibration.value", 1.25, 1.26, "no-subgroup-miscalibrated"),
        ("worst_subgroup.discrimination.value", 0.6, 0.59, "no-subgroup-without-discrimination"),
        ("serving.processor_ms", 5, 5.1, "processor-time"),
        ("serving.bytes", 8_000_000, 8_000_001, "bytes"),
        ("serving.leaves", 9300, 9301, "leaves"),
    ],
)
def test_limits_of_a_probability(metric, holds, fails, rule):
    assert failed(binary(changed(GOOD, metric, holds))) == []
    assert failed(binary(changed(GOOD, metric, fails))) == [rule]


@pytest.mark.parametrize(
    ("metric", "holds", "fails", "rule"),
    [
        ("rows", 150, 149, "held-out-patients"),
        ("spearman.lower", 0.2, 0.19, "ranking"),
        ("calibration.slope", 1.25, 0.7, "numeric-calibration-slope"),
        ("calibration.observed_expected", 0.8, 1.3, "numeric-calibration-in-the-large"),
        ("interval.coverage", 0.85, 0.84, "numeric-interval-coverage"),
        ("interval.coverage", 0.95, 0.96, "numeric-interval-coverage"),
        ("worst_subgroup.miscalibration.value", 1.5, 1.51, "no-subgroup-with-another-mean"),
        ("serving.processor_ms", 5, 5.1, "processor-time"),
    ],
)
def test_limits_of_a_number(metric, holds, fails, rule):
    assert failed(numeric(changed(GOOD_NUMBER, metric, holds))) == []
    assert failed(numeric(changed(GOOD_NUMBER, metric, fails))) == [rule]


def test_a_finding_says_what_was_found_and_what_was_expected():
    decision = binary(changed(GOOD, "auroc.lower", 0.55))
    finding = next(f for f in decision.findings if f.rule == "discrimination")
    assert (finding.metric, finding.found, finding.expected) == (
        "auroc.lower",
        0.55,
        "at least 0.6",
    )
    assert not decision.passed


@pytest.mark.parametrize("value", [None, float("nan"), True, "high"])
def test_a_figure_that_is_missing_never_passes(value):
    decision = binary(changed(GOOD, "calibration.slope", value))
    finding = next(f for f in decision.findings if f.rule == "calibration-slope")
    assert finding.found is None
    assert not decision.passed


def test_a_model_to_which_no_rule_applies_does_not_pass():
    decision = decide("binary", "ward-round", "sepsis", GOOD, [])
    assert decision.findings == ()
    assert not decision.passed


def test_death_in_intensive_care_has_a_stricter_rule_in_place_of_the_general_one():
    weaker = changed(GOOD, "auroc.lower", 0.65)
    strict = binary(weaker, outcome="death_180d", branch_point="icu-review")
    assert failed(strict) == ["discrimination-of-death-in-intensive-care"]
    assert "discrimination" not in [finding.rule for finding in strict.findings]
    assert binary(weaker, outcome="death_180d", branch_point="discharge").passed
    assert binary(weaker, outcome="sepsis", branch_point="icu-review").passed


@pytest.mark.parametrize(
    ("metric", "holds", "fails", "rule"),
    [
        ("log_loss.upper", 0.01, 0.011, "no-loss-of-log-loss"),
        ("brier.upper", 0.005, 0.0051, "no-loss-of-brier-score"),
        ("auroc.lower", -0.02, -0.021, "no-loss-of-discrimination"),
        ("net_benefit.upper", -0.002, -0.0021, "no-loss-of-net-benefit"),
        ("answered", -0.05, -0.051, "answers-as-many"),
        ("cohort_psi.value", 0.25, 0.251, "same-kind-of-patients"),
    ],
)
def test_limits_beside_the_champion(metric, holds, fails, rule):
    good = {**GOOD, "beside_champion": BESIDE}
    assert binary(good).passed
    assert failed(binary(changed(good, f"beside_champion.{metric}", holds))) == []
    assert failed(binary(changed(good, f"beside_champion.{metric}", fails))) == [rule]
    assert failed(binary(changed(good, f"beside_champion.{metric}", None))) == [rule]


@pytest.mark.parametrize(("upper", "rules"), [(0.05, []), (0.051, ["no-loss-of-accuracy"])])
def test_a_number_may_lose_a_twentieth_of_its_accuracy(upper, rules):
    good = {**GOOD_NUMBER, "beside_champion": BESIDE_NUMBER}
    assert failed(numeric(changed(good, "beside_champion.error.upper", upper))) == rules


def test_without_a_champion_there_is_nothing_to_be_worse_than():
    held = [f for f in binary(GOOD).findings if f.metric.startswith("beside_champion.")]
    assert len(held) == 6
    for finding in held:
        assert (finding.found, finding.passed) == (None, True)
        assert finding.note == "no champion to compare with"


PAIRED = {
    "no-loss-of-log-loss", "no-loss-of-brier-score", "no-loss-of-discrimination",
    "no-loss-of-net-benefit", "answers-as-many",
}  # fmt: skip


def test_with_a_champion_and_without_rows_the_paired_rules_fail_and_say_why():
    beside = {"cohort_psi": BESIDE["cohort_psi"], "where": "the rows are needed: give --source"}
    decision = binary({**GOOD, "beside_champion": beside})
    assert set(failed(decision)) == PAIRED
    assert {f.note for f in decision.failed} == {"the rows are needed: give --source"}


def test_figures_that_nobody_worked_out_beside_a_champion_fail_closed():
    without = {key: value for key, value in GOOD.items() if key != "beside_champion"}
    assert set(failed(binary(without))) == PAIRED | {"same-kind-of-patients"}


def test_a_finding_names_whom_it_is_about():
    notes = {f.rule: f.note for f in binary(GOOD).findings}
    assert notes["no-subgroup-miscalibrated"] == "sex: female"
    assert notes["no-subgroup-without-discrimination"] == "age: 65-79"
    assert notes["net-benefit"] == "at a risk of 0.3"
    assert notes["calibration-slope"] == ""


def test_every_rule_names_a_figure_that_an_evaluation_has():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.1, 0.9, 100)
    y = (rng.uniform(size=100) < p).astype(float)
    bounds = {"lower": p, "upper": p, "groups": {"sex": ["female"] * 100}, "n_resamples": 10}
    evaluations = {
        "binary": evaluate_binary(y, p, comparators={}, thresholds=[0.3], **bounds),
        "numeric": evaluate_numeric(y + p, p, **bounds),
    }
    beside = {"binary": BESIDE, "numeric": BESIDE_NUMBER}
    for rule in load_rules():
        for kind in evaluations if rule.kind == "any" else [rule.kind]:
            figures = {
                **evaluations[kind],
                "worst_subgroup": worst_subgroup(evaluations[kind]),
                "serving": SERVING,
                "beside_champion": beside[kind],
            }
            assert figure(figures, rule.metric) is not None, rule.name


def test_every_rule_names_branch_points_and_outcomes_that_are_declared():
    vocabulary = load_vocabulary()
    for rule in load_rules():
        assert set(rule.branch_points) <= set(vocabulary.branch_points), rule.name
        assert set(rule.outcomes) <= set(vocabulary.outcomes), rule.name
        assert all(vocabulary.outcomes[outcome].kind == rule.kind for outcome in rule.outcomes)


def test_the_file_says_how_to_edit_every_key():
    text = OWN_RULES.read_text(encoding="utf-8")
    assert '"any"' in text
    head = text.split("\n[[rule]]", 1)[0]
    for key in {key for row in tomllib.loads(text)["rule"] for key in row}:
        assert key in head


def test_a_file_of_a_site_is_read(tmp_path):
    (rule,) = load(tmp_path, ROW)
    assert rule == Rule(
        "first", "binary", "auroc.lower", "at_least", "because", "product proposal", limit=0.6
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("reason =", "raison =", "unknown key `raison`"),
        ('source = "product proposal"', "", "`source` is missing"),
        ('name = "first"', "", "has no `name`"),
        ('"binary"', '"ordinal"', "must be one of binary, numeric, any"),
        ('"at_least"', '"equals"', "`comparison` must be one of"),
        ('"at_least"', '"between"', "needs lower and upper"),
        ("limit = 0.6", "limit = 0.6\nupper = 1", "needs limit, and no other"),
        ("limit = 0.6", "limit = true", "wrong type"),
        ("limit = 0.6", "limit = nan", "must be finite"),
        ("limit = 0.6", "limit = 0.6\noutcomes = []", "leave the key out"),
        ("limit = 0.6", 'limit = 0.6\nreplaces = "none"', "must name another rule"),
        ("limit = 0.6", 'limit = 0.6\nreplaces = "first"', "must name another rule"),
        ('"at_least"\nlimit = 0.6', '"between"\nlower = 1\nupper = 0', "`lower` is above `upper`"),
    ],
)
def test_a_wrong_row_is_refused_with_file_row_and_rule(tmp_path, old, new, complaint):
    assert old in ROW
    with pytest.raises(ContentInvalid, match=r"rules\.toml: rule") as caught:
        load(tmp_path, ROW.replace(old, new))
    assert complaint in str(caught.value)
