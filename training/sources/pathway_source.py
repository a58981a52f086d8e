"""A source that feeds several branch points: a folder with one Parquet file for each of them.

The files are in the dictionary's own terms, so nothing is mapped by hand. What may become an input
is decided here and nowhere else: a column that bears the name of an input of the branch point.
Everything else in a file either has a declared part (`row`, `patient`, `label:…`, `truth:…`) or is
refused, and a feature that cannot be known yet is refused by name. Rows belong together by `patient`,
never by `episode`: who comes back with a second episode must not stand on both sides of a split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.vocabulary import Vocabulary
from models.vocabulary.content import Key, Row
from training.errors import SourceInvalid
from training.fit.plan import Plan
from training.sources.parquet import column_names
from training.sources.source import (
    HEAD_SCHEMA,
    Comparator,
    LabelRule,
    Mapped,
    Source,
    feeds_several,
    read_head,
    read_source,
)

SCHEMA = {**HEAD_SCHEMA, "simulate": Key(dict), "outcomes": Key(dict, required=True)}
SIMULATE_SCHEMA = {"episodes": Key(int, required=True), "seed": Key(int, required=True)}

ROW, PATIENT, HOSPITAL, MONTH = "row", "patient", "hospital", "month"
# Who, where and when: they order, group and date the rows, and say nothing that a model may use.
KEPT_ASIDE = frozenset({ROW, PATIENT, "episode", HOSPITAL, "unit", MONTH, "visit", "hours"})
AGE, LABEL, TRUTH, LATER = "age_hours:", "label:", "truth:", "later:"
TRUE_RISK = "true_risk"


@dataclass(frozen=True, slots=True)
class Simulation:
    """The cohort that is made where none is given."""

    episodes: int
    seed: int


@dataclass(frozen=True, slots=True)
class PathwaySource:
    """One folder of files in the dictionary's terms, and what is trained at each branch point.

    Attributes
    ----------
    outcomes : mapping
        Branch point -> outcomes.
    groups : mapping
        Features to report subgroups by, with the limits of numbers.
    """

    name: str
    title: str
    citation: str
    licence: str
    training_data: str
    divisible_by: int
    simulation: Simulation | None
    plan: Plan
    stated: Mapping[str, str]
    groups: Mapping[str, tuple[float, ...]]
    outcomes: Mapping[str, tuple[str, ...]]

    def file(self, folder: Path, branch_point: str) -> Path:
        """Where the rows of a branch point are.

        Raises
        ------
        SourceInvalid
            When this source does not feed the branch point.
        """
        if branch_point not in self.outcomes:
            raise SourceInvalid(
                f"`{self.name}` does not feed `{branch_point}`; it feeds {', '.join(self.outcomes)}"
            )
        return folder / f"{branch_point}.parquet"

    def at(self, branch_point: str, folder: Path, vocabulary: Vocabulary) -> Source:
        """The mapping of one branch point, made from the columns that its file has.

        Raises
        ------
        SourceInvalid
            When the file cannot be read, lacks a label, holds a feature that cannot be known yet
            as if it were one, or a column that has no meaning here.
        """
        path = self.file(folder, branch_point)
        columns = column_names(path)
        try:
            features = inputs_of(columns, branch_point, vocabulary)
        except SourceInvalid as error:
            raise SourceInvalid(f"{path.name}: {error}") from None
        labels = [f"{LABEL}{outcome}" for outcome in self.outcomes[branch_point]]
        if lacking := {ROW, PATIENT, *labels} - set(columns):
            raise SourceInvalid(f"{path.name} lacks the columns: {', '.join(sorted(lacking))}")
        binary = [
            outcome
            for outcome in self.outcomes[branch_point]
            if vocabulary.outcomes[outcome].kind == "binary" and f"{TRUTH}{outcome}" in columns
        ]
        return Source(
            name=self.name,
            title=self.title,
            citation=self.citation,
            licence=self.licence,
            training_data=self.training_data,
            branch_point=branch_point,
            row_id=ROW,
            divisible_by=self.divisible_by,
            fetch=None,
            measurements=tuple(Mapped(name, name, None, None) for name in features),
            labels=tuple(_label(outcome, vocabulary) for outcome in self.outcomes[branch_point]),
            comparators=tuple(
                Comparator(
                    TRUE_RISK, "true risk of the generator", f"{TRUTH}{name}", (name,), False
                )
                for name in binary
            ),
            groups={name: self.groups[name] for name in self.groups if name in features},
            patient_id=PATIENT,
            parquet=True,
            plan=self.plan,
            stated=self.stated,
        )


def inputs_of(columns: Iterable[str], branch_point: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Columns that are inputs of a branch point, in the branch point's order.

    Raises
    ------
    SourceInvalid
        On a feature that cannot be known yet, or a column without a declared part.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> inputs_of(["row", "sex", "age", "later:hospital_stay_days"], "trauma-alert",
    ...           load_vocabulary())
    ('age', 'sex')
    """
    point = vocabulary.branch_points[branch_point]
    found = set()
    for column in columns:
        if column in KEPT_ASIDE or column.startswith((AGE, LABEL, TRUTH, LATER)):
            continue
        if column not in vocabulary.features:
            raise SourceInvalid(
                f"column `{column}` is neither a feature of the dictionary nor a declared part"
            )
        refuse_unknowable(column, branch_point, vocabulary)
        # Known by now, but no input here by choice: discharge_destination at discharge.
        if column in point.features:
            found.add(column)
    return tuple(name for name in point.features if name in found)


def refuse_unknowable(feature: str, branch_point: str, vocabulary: Vocabulary) -> None:
    """Refuse a feature as an input where the dictionary says that it is not known yet.

    Raises
    ------
    SourceInvalid
        Naming the feature, the branch point, and when it can be known.
    """
    if feature not in vocabulary.features:
        raise SourceInvalid(f"`{feature}` is not a feature of the dictionary")
    if not vocabulary.can_be_known(feature, branch_point):
        raise SourceInvalid(
            f"feature `{feature}` cannot be an input of `{branch_point}`: it is not known before "
            f"`{vocabulary.features[feature].earliest}`"
        )


def load_declared(name: str, vocabulary: Vocabulary) -> PathwaySource | None:
    """Load a source that feeds several branch points; None when it is one of a single file.

    Raises
    ------
    SourceInvalid
        When there is no such source.
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    row = read_source(name)
    return parse_pathway(row, vocabulary) if feeds_several(row) else None


def parse_pathway(row: Row, vocabulary: Vocabulary) -> PathwaySource:
    """Check a source that was read already.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    head, values = read_head(row, SCHEMA), row.values
    outcomes: dict[str, tuple[str, ...]] = {}
    for branch_point in values["outcomes"]:
        own = Row(row.file, f"outcomes of `{branch_point}`", values["outcomes"])
        if branch_point not in vocabulary.branch_points:
            own.refuse("is no branch point")
        if not isinstance(values["outcomes"][branch_point], list):
            own.refuse("must be a list")
        outcomes[branch_point] = own.strings(branch_point)
        declared = vocabulary.branch_points[branch_point].outcomes
        for outcome in outcomes[branch_point]:
            if outcome not in declared:
                own.refuse(f"`{outcome}` is not an outcome of this branch point")
    simulation = None
    if "simulate" in values:
        Row(row.file, "simulate", values["simulate"]).check(SIMULATE_SCHEMA)
        simulation = Simulation(**values["simulate"])
    return PathwaySource(**head, simulation=simulation, outcomes=outcomes)


def _label(outcome: str, vocabulary: Vocabulary) -> LabelRule:
    rule = "flag" if vocabulary.outcomes[outcome].kind == "binary" else "number"
    return LabelRule(outcome, rule, {rule: f"{LABEL}{outcome}"})
