"""The rules of de-identification: data with a source per row, checked when they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from models.vocabulary.coarsening import SIGNIFICANT_DIGITS
from models.vocabulary.content import Key, Row, read_toml

FILE = Path(__file__).parent / "policy.toml"
KEEP, COARSEN, KEY, DROP, REFUSE = ACTIONS = ("keep", "coarsen", "key", "drop", "refuse")
APPLIES_TO = (
    "subject", "episode", "unit", "index_time", "measurement.number", "measurement.category",
    "measurement.flag", "measurement.code", "measurement.unit", "measurement.time",
    "measurement.any", "outcomes", "include", "protected_identity", "unknown_name", "free_text",
    "request.other",
)  # fmt: skip
MINUTES_PER_YEAR = 365 * 24 * 60
SCHEMA = {
    "id": Key(str, required=True),
    "applies_to": Key(str, required=True),
    "action": Key(str, required=True),
    "how_en": Key(str, required=True),
    "how_sv": Key(str, required=True),
    "source": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the policy."""

    id: str
    applies_to: str
    action: str
    how_en: str
    how_sv: str
    source: str


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules by id.

    Attributes
    ----------
    digest : str
        `sha256:` over the file and the constants that say how much is coarsened.
    """

    version: str
    rules: Mapping[str, Rule]
    digest: str


def load_policy(path: Path = FILE) -> Policy:
    """Load and check a policy.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold; also when a field has no rule at all.

    Examples
    --------
    >>> load_policy().rules["subject_keyed"].action
    'key'
    """
    document = read_toml(path)
    document.check({"version": Key(str, required=True), "rule": Key(list, required=True)})
    rules: dict[str, Rule] = {}
    for position, values in enumerate(document.values["rule"], start=1):
        if not isinstance(values, dict):
            Row(path.name, f"rule number {position}", {}).refuse("is not a table")
        row = Row(path.name, f"rule `{values.get('id', position)}`", values)
        row.check(SCHEMA)
        row.one_of("applies_to", APPLIES_TO)
        row.one_of("action", ACTIONS)
        if values["id"] in rules:
            row.refuse("is declared twice")
        rules[values["id"]] = Rule(**values)
    if missing := set(APPLIES_TO) - {rule.applies_to for rule in rules.values()}:
        document.refuse(f"no rule applies to: {', '.join(sorted(missing))}")
    content = sha256(path.read_bytes())
    content.update(f"\n{SIGNIFICANT_DIGITS} {MINUTES_PER_YEAR}".encode())
    return Policy(
        document.values["version"], MappingProxyType(rules), f"sha256:{content.hexdigest()}"
    )


# The one exception to "no work at import": every answer names the version it went through.
POLICY = load_policy()
POLICY_VERSION = POLICY.version
policy_digest = POLICY.digest
