"""What is predicted: definition, horizon and family of every outcome (`outcomes.toml`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.vocabulary.content import NUMBER, Key, Row, read_rows

FAMILIES = ("mortality", "complication", "recovery", "resource")
SCHEMA = {
    "name": Key(str, required=True),
    "label_en": Key(str, required=True),
    "label_sv": Key(str, required=True),
    "kind": Key(str, required=True),
    "horizon_days": Key(int),
    "horizon": Key(str),
    "unit": Key(str),
    "minimum": Key(NUMBER),
    "maximum": Key(NUMBER),
    "family": Key(str, required=True),
    "definition": Key(str, required=True),
    "definition_sv": Key(str),
    "competing": Key(str),
    "competing_sv": Key(str),
    "directions_apply": Key(bool, required=True),
    "label_source": Key(str, required=True),
    "source": Key(str, required=True),
}


STAY_DAYS = 90.0
"""An outcome of the hospital stay is known when the patient has left; product proposal."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome: what counts, until when, and how death is treated."""

    name: str
    label_en: str
    label_sv: str
    kind: str
    family: str
    definition: str
    directions_apply: bool
    label_source: str
    source: str
    definition_sv: str | None = None
    horizon_days: int | None = None
    competing: str | None = None
    competing_sv: str | None = None
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def matures_after_days(self) -> float:
        """Days after an assessment when it can be known what happened."""
        return STAY_DAYS if self.horizon_days is None else float(self.horizon_days)


def load_outcomes(path: Path) -> dict[str, Outcome]:
    """Load and check the outcomes, by name in file order.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    return {row.values["name"]: _outcome(row) for row in read_rows(path, "outcome")}


def _outcome(row: Row) -> Outcome:
    row.check(SCHEMA)
    row.snake_case_name()
    row.one_of("kind", ("binary", "numeric"))
    row.one_of("family", FAMILIES)
    row.one_of("horizon", ("hospital_stay",))
    values = dict(row.values)
    if ("horizon_days" in values) == ("horizon" in values):
        row.refuse('needs either `horizon_days` or `horizon = "hospital_stay"`')
    if values.get("horizon_days", 1) < 1:
        row.refuse("`horizon_days` must be positive")
    if values["kind"] == "numeric" and not {"unit", "minimum"} <= set(values):
        row.refuse("a numeric outcome needs `unit` and `minimum`")
    if values["kind"] == "binary" and {"unit", "minimum", "maximum"} & set(values):
        row.refuse("a binary outcome has no unit and no limits")
    if "maximum" in values and not values["minimum"] < values["maximum"]:
        row.refuse("`minimum` must be below `maximum`")
    if values["family"] != "mortality" and "competing" not in values:
        row.refuse("must say in `competing` how death is treated")
    if "competing_sv" in values and "competing" not in values:
        row.refuse("`competing_sv` needs `competing`")
    values.pop("horizon", None)
    return Outcome(**values)
