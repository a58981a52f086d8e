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

ANY = "any"
KINDS = ("binary", "numeric", ANY)
WITH_LIMIT = ("at_least", "at_most")
# Figures against the present champion; the section is null when there is none.
BESIDE = "beside_champion"
NO_CHAMPION = "no champion to compare with"
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
            self.kind in (kind, ANY)
            and (not self.branch_points or branch_point in self.branch_points)
            and (not self.outcomes or outcome in self.outcomes)
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found.

    Attributes
    ----------
    found : float or None
        None when the figure is missing.
    note : str
        What the figure is about (a subgroup, an input, a threshold), or why it is missing.
    can_be_lifted : bool
        Whether a person may take the responsibility for promoting all the same.
    """

    rule: str
    metric: str
    found: float | None
    expected: str
    passed: bool
    note: str = ""
    can_be_lifted: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """Passed when at least one rule applied and every one of them held."""

    passed: bool
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.passed)


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
        if rule.replaces == rule.name or kinds.get(rule.replaces) not in (rule.kind, ANY):
            row.refuse("`replaces` must name another rule of the same kind, or of `any`")
    return rules


def decide(
    kind: str,
    branch_point: str,
    outcome: str,
    figures: Mapping[str, Any],
    rules: Sequence[Rule],
) -> Decision:
    """Hold a version's figures against the rules that apply to it.

    Parameters
    ----------
    kind : str
        "binary" or "numeric".
    branch_point, outcome : str
        The two halves of the registered model's name.
    figures : mapping
        From `training.gate.gate_figures`: the evaluation, and what promotion adds to it.
    rules : sequence of Rule
        From `load_rules`.

    Returns
    -------
    Decision
        With a finding for every rule that applies, in the rules' order.

    Examples
    --------
    >>> rule = Rule("discrimination", "binary", "auroc.lower", "at_least", "", "", limit=0.6)
    >>> decide("binary", "ward-round", "sepsis", {"auroc": {"lower": 0.58}}, [rule])
    Decision(passed=False, findings=(Finding(rule='discrimination', metric='auroc.lower',
    found=0.58, expected='at least 0.6', passed=False, note='', can_be_lifted=True),))
    """
    applying = [rule for rule in rules if rule.applies(kind, branch_point, outcome)]
    replaced = {rule.replaces for rule in applying}
    findings = tuple(apply_rule(rule, figures) for rule in applying if rule.name not in replaced)
    return Decision(bool(findings) and all(finding.passed for finding in findings), findings)


def apply_rule(rule: Rule, figures: Mapping[str, Any]) -> Finding:
    """One rule; bounds are included, and without a champion there is nobody to be worse than.

    Examples
    --------
    >>> rule = Rule("no-loss", "binary", "beside_champion.auroc.lower", "at_least", "", "", limit=-0.02)
    >>> apply_rule(rule, {"beside_champion": None}).passed
    True
    >>> apply_rule(rule, {}).passed, apply_rule(rule, {"beside_champion": {"auroc": None}}).passed
    (False, False)
    """
    expected = {
        "at_least": f"at least {rule.limit}",
        "at_most": f"at most {rule.limit}",
        "between": f"between {rule.lower} and {rule.upper}",
    }[rule.comparison]
    if rule.metric.startswith(f"{BESIDE}.") and figures.get(BESIDE, ...) is None:
        return Finding(rule.name, rule.metric, None, expected, True, NO_CHAMPION)
    found = figure(figures, rule.metric)
    lowest = rule.limit if rule.comparison == "at_least" else rule.lower
    highest = rule.limit if rule.comparison == "at_most" else rule.upper
    passed = (
        found is not None
        and (lowest is None or found >= lowest)
        and (highest is None or found <= highest)
    )
    return Finding(rule.name, rule.metric, found, expected, passed, note(figures, rule.metric))


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


def note(figures: Mapping[str, Any], metric: str) -> str:
    """What stands as `where` nearest to the figure on its path; empty when nothing does.

    Examples
    --------
    >>> note({"worst_subgroup": {"discrimination": {"value": 0.7, "where": "sex: female"}}},
    ...      "worst_subgroup.discrimination.value")
    'sex: female'
    """
    value: Any = figures
    found = ""
    for part in metric.split("."):
        if not isinstance(value, Mapping) or part not in value:
            break
        value = value[part]
        if isinstance(value, Mapping) and isinstance(value.get("where"), str):
            found = value["where"]
    return found


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
