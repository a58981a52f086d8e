"""What a chart looks for and how seldom it may be wrong: the rows of `cusum.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.vocabulary.content import NUMBER, Key, Row, is_number, read_toml

OWN_DESIGN = Path(__file__).parents[1] / "cusum.toml"

SCHEMA = {
    "value": Key(NUMBER, required=True),
    "why": Key(str, required=True),
    "source": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class Design:
    """How the charts of a unit are drawn.

    Attributes
    ----------
    odds_ratio_worse, odds_ratio_better : float
        The changes that a chart and its mirror look for: above 1, and between 0 and 1.
    patients : int
        Over so many the share of false alarms is held.
    false_alarm_probability : float
        Of at least one signal of a chart within them, while every risk is true.
    fewest_patients : int
        Before a unit's own mix of risks is used.
    """

    odds_ratio_worse: float
    odds_ratio_better: float
    patients: int
    false_alarm_probability: float
    fewest_patients: int

    @property
    def odds_ratios(self) -> Mapping[str, float]:
        """Odds ratio by direction."""
        return {"worse": self.odds_ratio_worse, "better": self.odds_ratio_better}


def load_design(path: Path | None = None) -> Design:
    """Load and check the declarations.

    Parameters
    ----------
    path : Path, optional
        A site's own file instead of the product's.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.

    Examples
    --------
    >>> load_design().odds_ratios
    {'worse': 2.0, 'better': 0.5}
    """
    document = read_toml(OWN_DESIGN if path is None else path)
    document.check({name: Key(dict, required=True) for name in Design.__dataclass_fields__})
    rows = {name: Row(document.file, name, table) for name, table in document.values.items()}
    return Design(
        odds_ratio_worse=_between(rows["odds_ratio_worse"], 1, None),
        odds_ratio_better=_between(rows["odds_ratio_better"], 0, 1),
        patients=_count(rows["patients"]),
        false_alarm_probability=_between(rows["false_alarm_probability"], 0, 1),
        fewest_patients=_count(rows["fewest_patients"]),
    )


def _between(row: Row, lower: float, upper: float | None) -> float:
    row.check(SCHEMA)
    value = row.values["value"]
    if not is_number(value) or value <= lower or (upper is not None and value >= upper):
        row.refuse(f"must be above {lower}" + ("" if upper is None else f" and below {upper}"))
    return float(value)


def _count(row: Row) -> int:
    row.check(SCHEMA)
    value = row.values["value"]
    if not isinstance(value, int) or value < 1:
        row.refuse("must be a whole number, 1 or more")
    return value
