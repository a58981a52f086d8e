"""The promotion gate: whether a version may become the champion.

The rules are rows of `promotion.toml`, each with its reason and source; this module only applies
them. It fails closed: a figure that is missing, or a model that no rule applies to, does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from models.vocabulary.content import NUMBER, Key, Row, read_rows

OWN_RULES = Path(__file__).with_name("promotion.toml")

KINDS = ("binary", "numeric")
WITH_LIMIT = ("at_least", "at_most", "at_most_above_champion", "at_most_times_champion")
BESIDE_CHAMPION = ("at_most_above_champion", "at_most_times_champion")
SCHEMA = {
    "name": Key(str, required=True),
    "kind": Key(str, required=True),
    "branch_points": Key(list),
    "outcomes": Key(list),
    "replaces": Key(str),
    "metric": Key(str, required=True),
    "comparison": Key(str, required=True),
    "limit": Key(NUMBER),
    "lower": Key(NUMBER),
    "upper": Key(NUMBER),
    "reason": Key(str, required=True),
    "source": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the gate; `limit`, or `lower` and `upper`, as the comparison asks.

    Attributes
    ----------
    branch_points, outcomes : tuple of str
        Where it applies; empty for everywhere.
    replaces : str or None
        A rule that does not apply where this one does.
    """

    name: str
    kind: str
    metric: str
    comparison: str
    reason: str
    source: str
    branch_points: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    replaces: str | None = None
    limit: float | None = None
    lower: float | None = None
    upper: float | None = None

    def applies(self, kind: str, branch_point: str, outcome: str) -> bool:
        return (
            kind == self.kind
            and (not self.branch_points or branch_point in self.branch_points)
            and (not self.outcomes or outcome in self.outcomes)
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found; `found` is None when the evaluation lacks the figure."""

    rule: str
    metric: str
    found: float | None
    expected: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """Passed when at least one rule applied and every one of them held."""

    passed: bool
    findings: tuple[Finding, ...]


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """Load and check the rules, in file order.

    Parameters
    ----------
    path : Path, optional
        A site's own file instead of the product's.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    rows = read_rows(path or OWN_RULES, "rule")
    rules = tuple(_rule(row) for row in rows)
    kinds = {rule.name: rule.kind for rule in rules}
    for row, rule in zip(rows, rules, strict=True):
        if rule.replaces is None:
            continue
        if rule.replaces == rule.name or kinds.get(rule.replaces) != rule.kind:
            row.refuse("`replaces` must name another rule of the same kind")
    return rules


def decide(
    kind: str,
    branch_point: str,
    outcome: str,
    evaluation: Mapping[str, Any],
    champion_evaluation: Mapping[str, Any] | None,
    rules: Sequence[Rule],
) -> Decision:
    """Hold an evaluation against the rules that apply to it.

    Parameters
    ----------
    kind : str
        "binary" or "numeric".
    branch_point, outcome : str
        The two halves of the registered model's name.
    evaluation : mapping
        Of the new version, from `training.evaluation`.
    champion_evaluation : mapping or None
        Of the present champion, best on the same held-out patients; None when there is none yet.
    rules : sequence of Rule
        From `load_rules`.

    Returns
    -------
    Decision
        With a finding for every rule that applies, in the rules' order.

    Examples
    --------
    >>> rule = Rule("discrimination", "binary", "auroc.lower", "at_least", "", "", limit=0.6)
    >>> decide("binary", "ward-round", "sepsis", {"auroc": {"lower": 0.58}}, None, [rule])
    Decision(passed=False, findings=(Finding(rule='discrimination', metric='auroc.lower',
    found=0.58, expected='at least 0.6', passed=False),))
    """
    applying = [rule for rule in rules if rule.applies(kind, branch_point, outcome)]
    replaced = {rule.replaces for rule in applying}
    findings = tuple(
        compare_with_champion(rule, evaluation, champion_evaluation)
        if rule.comparison in BESIDE_CHAMPION
        else compare_with_limits(rule, evaluation)
        for rule in applying
        if rule.name not in replaced
    )
    return Decision(bool(findings) and all(finding.passed for finding in findings), findings)


def compare_with_limits(rule: Rule, evaluation: Mapping[str, Any]) -> Finding:
    """One rule whose limits stand in its row; both bounds are included."""
    found = figure(evaluation, rule.metric)
    lowest = rule.limit if rule.comparison == "at_least" else rule.lower
    highest = rule.limit if rule.comparison == "at_most" else rule.upper
    expected = {
        "at_least": f"at least {rule.limit}",
        "at_most": f"at most {rule.limit}",
        "between": f"between {rule.lower} and {rule.upper}",
    }[rule.comparison]
    passed = (
        found is not None
        and (lowest is None or found >= lowest)
        and (highest is None or found <= highest)
    )
    return Finding(rule.name, rule.metric, found, expected, passed)


def compare_with_champion(
    rule: Rule, evaluation: Mapping[str, Any], champion_evaluation: Mapping[str, Any] | None
) -> Finding:
    """One rule that looks at the present champion: smaller figures are better.

    Errors depend on who was asked about, so both should have been judged on the same patients.
    Where the numbers of rows or events show that they were not, the finding says so.

    Examples
    --------
    >>> rule = Rule("no-worse", "binary", "brier.value", "at_most_above_champion", "", "", limit=0.01)
    >>> new, present = ({"rows": 500, "events": 90, "brier": {"value": v}} for v in (0.19, 0.17))
    >>> compare_with_champion(rule, new, present).passed
    False
    """
    found = figure(evaluation, rule.metric)
    if champion_evaluation is None:
        expected = "no champion to compare with"
        return Finding(rule.name, rule.metric, found, expected, found is not None)
    present = figure(champion_evaluation, rule.metric)
    if present is None or rule.limit is None:
        expected = "the champion's own figure, which is missing"
        return Finding(rule.name, rule.metric, found, expected, False)
    times = rule.comparison == "at_most_times_champion"
    highest = present * rule.limit if times else present + rule.limit
    how = f"{rule.limit} times" if times else f"{rule.limit} above"
    expected = f"at most {highest:.4g} ({how} the champion's {present:.4g})"
    if any(evaluation.get(key) != champion_evaluation.get(key) for key in ("rows", "events")):
        expected += "; the champion was judged on other patients"
    return Finding(rule.name, rule.metric, found, expected, found is not None and found <= highest)


def figure(evaluation: Mapping[str, Any], metric: str) -> float | None:
    """Look up the number at a dotted path; None when it is absent, null or no finite number.

    Examples
    --------
    >>> figure({"auroc": {"lower": 0.7}}, "auroc.lower"), figure({}, "auroc.lower")
    (0.7, None)
    """
    value: Any = evaluation
    for part in metric.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    if isinstance(value, bool) or not isinstance(value, NUMBER) or not isfinite(value):
        return None
    return float(value)


def _rule(row: Row) -> Rule:
    row.check(SCHEMA)
    row.one_of("kind", KINDS)
    row.one_of("comparison", (*WITH_LIMIT, "between"))
    values = dict(row.values)
    for key in ("branch_points", "outcomes"):
        if key in values and not values[key]:
            row.refuse(f"`{key}` is empty; leave the key out instead")
        values[key] = row.strings(key)
    expected = {"limit"} if values["comparison"] in WITH_LIMIT else {"lower", "upper"}
    found = {"limit", "lower", "upper"} & set(values)
    if found != expected:
        row.refuse(f"`{values['comparison']}` needs {' and '.join(sorted(expected))}, and no other")
    if "lower" in values and values["lower"] > values["upper"]:
        row.refuse("`lower` is above `upper`")
    if not all(isfinite(values[key]) for key in found):
        row.refuse("limits must be finite")
    return Rule(**values)
