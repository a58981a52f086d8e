import tomllib

import numpy as np
import pytest

from models.errors import ContentInvalid
from models.vocabulary import load_vocabulary
from training.evaluation import evaluate_binary, evaluate_numeric
from training.promotion import OWN_RULES, Rule, decide, figure, load_rules

GOOD = {
    "rows": 2000,
    "events": 400,
    "non_events": 1600,
    "auroc": {"value": 0.78, "lower": 0.75, "upper": 0.81},
    "brier": {"value": 0.17},
    "calibration": {"slope": 1.02, "in_the_large": -0.05, "ici": 0.02},
    "interval": {"coverage": 0.9},
}
GOOD_NUMBER = {
    "rows": 2000,
    "mae": {"value": 6.0},
    "spearman": {"lower": 0.4},
    "calibration": {"slope": 1.0, "observed_expected": 1.02},
    "interval": {"coverage": 0.91},
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


def binary(evaluation, champion=None, outcome="sepsis", branch_point="ward-round"):
    return decide("binary", branch_point, outcome, evaluation, champion, load_rules())


def numeric(evaluation, champion=None):
    rules = load_rules()
    return decide("numeric", "icu-review", "length_of_stay_days", evaluation, champion, rules)


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
    decision = decide("binary", "ward-round", "sepsis", GOOD, None, [])
    assert decision.findings == ()
    assert not decision.passed


def test_death_in_intensive_care_has_a_stricter_rule_in_place_of_the_general_one():
    weaker = changed(GOOD, "auroc.lower", 0.65)
    strict = binary(weaker, outcome="death_180d", branch_point="icu-review")
    assert failed(strict) == ["discrimination-of-death-in-intensive-care"]
    assert "discrimination" not in [finding.rule for finding in strict.findings]
    assert binary(weaker, outcome="death_180d", branch_point="discharge").passed
    assert binary(weaker, outcome="sepsis", branch_point="icu-review").passed


def test_without_a_champion_there_is_nothing_to_be_worse_than():
    finding = binary(GOOD).findings[-1]
    assert (finding.rule, finding.passed) == ("no-worse-than-champion", True)
    assert finding.expected == "no champion to compare with"


@pytest.mark.parametrize(("brier", "passed"), [(0.15, True), (0.1799, True), (0.181, False)])
def test_a_new_version_may_not_be_clearly_worse_than_the_champion(brier, passed):
    assert binary(changed(GOOD, "brier.value", brier), champion=GOOD).passed is passed


@pytest.mark.parametrize(("mae", "passed"), [(5.0, True), (6.29, True), (6.31, False)])
def test_a_new_error_in_days_is_compared_by_its_ratio(mae, passed):
    assert numeric(changed(GOOD_NUMBER, "mae.value", mae), champion=GOOD_NUMBER).passed is passed


@pytest.mark.parametrize("key", ["rows", "events"])
def test_a_champion_judged_on_other_patients_is_named_as_such(key):
    same, other = binary(GOOD, champion=GOOD), binary(GOOD, champion=changed(GOOD, key, 300))
    assert "other patients" not in same.findings[-1].expected
    assert "judged on other patients" in other.findings[-1].expected
    assert other.passed


def test_a_champion_without_the_figure_is_no_comparison():
    assert not binary(GOOD, champion=changed(GOOD, "brier.value", None)).passed


def test_every_rule_names_a_figure_that_an_evaluation_has():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.1, 0.9, 100)
    y = (rng.uniform(size=100) < p).astype(float)
    bounds = {"lower": p, "upper": p, "groups": {}, "n_resamples": 10}
    evaluations = {
        "binary": evaluate_binary(y, p, comparators={}, **bounds),
        "numeric": evaluate_numeric(y + p, p, **bounds),
    }
    for rule in load_rules():
        assert figure(evaluations[rule.kind], rule.metric) is not None, rule.name


def test_every_rule_names_branch_points_and_outcomes_that_are_declared():
    vocabulary = load_vocabulary()
    for rule in load_rules():
        assert set(rule.branch_points) <= set(vocabulary.branch_points), rule.name
        assert set(rule.outcomes) <= set(vocabulary.outcomes), rule.name
        assert all(vocabulary.outcomes[outcome].kind == rule.kind for outcome in rule.outcomes)


def test_the_file_says_how_to_edit_every_key():
    text = OWN_RULES.read_text(encoding="utf-8")
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
        ('"binary"', '"ordinal"', "must be one of binary, numeric"),
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
