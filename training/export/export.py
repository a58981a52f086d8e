"""From rows to what may leave: settle, generalise, leave out, renumber. No file is touched here."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Feature, Outcome, Vocabulary, settle
from training.export.anonymity import (
    Classes,
    class_sizes,
    equivalence_classes,
    smallest_class,
)
from training.export.diversity import distinct_values, event_follows, smallest_diversity
from training.export.errors import ExportRefused
from training.export.generalisation import Rungs, least_loss
from training.export.ladder import Ladder, describe, generalise
from training.export.rows import ExportRow, Origin
from training.export.rules import Rules

Floats = NDArray[np.float64]
PROTECTED, SMALL_CLASS, OUTCOME_FOLLOWS = "protected_identity", "small_class", "outcome_follows"
# Four significant digits, as the dictionary tells every measurement.
NUMBER_FORM = ".10g"
LABEL_FORM = ".4g"


@dataclass(frozen=True, slots=True)
class Export:
    """What may leave, and how it came about.

    Attributes
    ----------
    origin : Origin
    features : tuple of Feature
        Columns of `values`.
    outcomes : tuple of Outcome
        Columns of `labels`.
    numbers : tuple of int
        New row numbers, ascending; those divisible by `origin.divisible_by` are held out.
    values : ndarray, shape (n_rows, n_features)
        As written: encoded, generalised, NaN where missing.
    labels : ndarray, shape (n_rows, n_outcomes)
        NaN where unknown.
    ladders : tuple of Ladder
        The quasi-identifiers among the features.
    rungs : tuple of int
        Which step of each ladder was chosen.
    k : int
        Size of the smallest class.
    l : mapping
        Sensitive outcome -> smallest number of distinct values in a class.
    rows_in : int
    left_out : mapping
        Rule -> rows that do not leave.
    hits : mapping
        Rule -> values it changed or dropped.
    known : ndarray, shape (n_unprotected_rows, n_ladders)
        The quasi-identifiers as an outsider may know them exactly; for the attacks, never written.
    arrival : ndarray of int, shape (n_rows,)
        Position in `known` of each row that leaves; for the attacks, never written.
    """

    origin: Origin
    features: tuple[Feature, ...]
    outcomes: tuple[Outcome, ...]
    numbers: tuple[int, ...]
    values: Floats = field(repr=False)
    labels: Floats = field(repr=False)
    ladders: tuple[Ladder, ...]
    rungs: tuple[int, ...]
    k: int
    l: Mapping[str, int]  # noqa: E741 - the field's name
    rows_in: int
    left_out: Mapping[str, int]
    hits: Mapping[str, int]
    known: Floats = field(repr=False)
    arrival: NDArray[np.intp] = field(repr=False)

    @property
    def held_out(self) -> int:
        """Number of rows that are never used for fitting."""
        return sum(number % self.origin.divisible_by == 0 for number in self.numbers)

    def generalised(self) -> dict[str, str]:
        """What was done to each quasi-identifier, in words."""
        return {
            ladder.feature.name: describe(ladder.feature, ladder.steps[rung])
            for ladder, rung in zip(self.ladders, self.rungs, strict=True)
        }

    def lines(self) -> list[list[str]]:
        """The sheet as text, its head first."""
        head = ["row", *(f.name for f in self.features), *(o.name for o in self.outcomes)]
        cells = _cells(self.values, self.labels, self.features, self.outcomes)
        body = [[str(n), *line] for n, line in zip(self.numbers, cells, strict=True)]
        return [head, *body]


def export_rows(
    rows: Iterable[ExportRow],
    *,
    origin: Origin,
    features: Sequence[str],
    outcomes: Sequence[str],
    vocabulary: Vocabulary,
    rules: Rules,
    with_held_out: bool = True,
    progress: Callable[[float], None] = lambda _: None,
) -> Export:
    """Make rows leave nothing behind by which an outsider could find one patient among five.

    Measurements are settled as the service settles them; quasi-identifiers are told as finely as the
    declared ladders allow while at most the declared share of rows must be left out; rows in classes
    that are too small, or that give an outcome away, are left out and counted; what remains is put in
    an order, and given numbers, that follow from its own content and nothing else.

    What this does not do: rows like these are still personal data (GDPR, recital 26). Who holds a
    patient's laboratory values can find the row; see `training.export.anonymity` and `diversity`.

    Parameters
    ----------
    rows : iterable of ExportRow
    origin : Origin
    features : sequence of str
        Inputs to write, in this order.
    outcomes : sequence of str
        Labels to write, in this order.
    vocabulary : Vocabulary
    rules : Rules
    with_held_out : bool
        Whether rows that are never used for fitting leave as well.
    progress : callable
        Told the share of the work done since the last call.

    Raises
    ------
    ExportRefused
        No rows; a feature without a rule; no sensitive outcome; or no choice of rungs is enough.
    """
    kept_features = rules.kept(vocabulary.features[name] for name in features)
    kept_outcomes = tuple(vocabulary.outcomes[name] for name in outcomes)
    sensitive = [name for name in outcomes if name in rules.sensitive]
    if not sensitive:
        raise ExportRefused(
            f"none of the outcomes {', '.join(outcomes)} is declared sensitive; "
            f"disclosure.toml declares {', '.join(rules.sensitive)}"
        )
    gathered = _gather(rows, origin, kept_features, kept_outcomes, vocabulary, with_held_out)
    values, labels, held_out = gathered.values, gathered.labels, gathered.held_out
    progress(0.4)
    if len(values) < rules.k:
        raise ExportRefused(f"there are fewer than {rules.k} rows that may leave")
    at = {feature.name: i for i, feature in enumerate(kept_features)}
    ladders = tuple(ladder for name, ladder in rules.ladders.items() if name in at)
    known = values[:, [at[ladder.feature.name] for ladder in ladders]]
    told = [_rungs(ladder, known[:, i]) for i, ladder in enumerate(ladders)]
    binary = {o.name: labels[:, i] for i, o in enumerate(kept_outcomes) if o.kind == "binary"}

    unsafe = partial(_unsafe, binary=binary, sensitive=sensitive, rules=rules)
    required = set(vocabulary.branch_points[origin.branch_point].required)
    rungs = _choose(ladders, told, required, len(values), unsafe, rules.largest_left_out)
    progress(0.5)
    for column, ladder in enumerate(ladders):
        values[:, at[ladder.feature.name]] = told[column].written[rungs[column]]
    written = [told[column].written[rung] for column, rung in enumerate(rungs)]
    classes = equivalence_classes(written, len(values))
    dropped, small = unsafe(classes), class_sizes(classes) < rules.k
    left = np.flatnonzero(~dropped)
    numbers, order = _number(
        _cells(values[left], labels[left], kept_features, kept_outcomes), held_out[left], origin
    )
    arrival = left[order]
    classes = classes[arrival]
    progress(0.1)
    return Export(
        origin=origin,
        features=kept_features,
        outcomes=kept_outcomes,
        numbers=numbers,
        values=values[arrival],
        labels=labels[arrival],
        ladders=ladders,
        rungs=rungs,
        k=smallest_class(classes),
        l={name: smallest_diversity(classes, binary[name][arrival]) for name in sensitive},
        rows_in=len(values) + gathered.protected,
        left_out={
            PROTECTED: gathered.protected,
            SMALL_CLASS: int(small.sum()),
            OUTCOME_FOLLOWS: int((dropped & ~small).sum()),
        },
        hits=gathered.hits,
        known=known,
        arrival=arrival,
    )


@dataclass(frozen=True, slots=True)
class _Gathered:
    values: Floats
    labels: Floats
    held_out: NDArray[np.bool_]
    protected: int
    hits: Mapping[str, int]


def _gather(
    rows: Iterable[ExportRow],
    origin: Origin,
    features: Sequence[Feature],
    outcomes: Sequence[Outcome],
    vocabulary: Vocabulary,
    with_held_out: bool,
) -> _Gathered:
    point = vocabulary.branch_points[origin.branch_point]
    vectors: list[list[float]] = []
    labels: list[list[float]] = []
    held_out: list[bool] = []
    protected = 0
    hits: Counter[str] = Counter()
    for row in rows:
        if row.held_out and not with_held_out:
            continue
        if row.protected:
            protected += 1
            continue
        intake = settle(row.measurements, point, vocabulary.features)
        hits.update(f"set_aside.{reason}.{feature}" for feature, reason in intake.set_aside)
        sent = {measurement.feature.name for measurement in row.measurements}
        hits.update(f"dropped.{name}" for name in sent - {feature.name for feature in features})
        # Only what was sent is written: what the dictionary derives from it is derived again.
        vector = [intake.values.get(f.name, np.nan) if f.name in sent else np.nan for f in features]
        for feature, value in zip(features, vector, strict=True):
            if feature.top_code is not None and value == feature.top_code:
                hits[f"top_coded.{feature.name}"] += 1
        vectors.append(vector)
        labels.append([np.nan if (v := row.labels.get(o.name)) is None else v for o in outcomes])
        held_out.append(row.held_out)
    return _Gathered(
        np.array(vectors, dtype=np.float64).reshape(len(vectors), len(features)),
        np.array(labels, dtype=np.float64).reshape(len(vectors), len(outcomes)),
        np.array(held_out, dtype=np.bool_),
        protected,
        dict(sorted(hits.items())),
    )


def _unsafe(
    classes: Classes, *, binary: Mapping[str, Floats], sensitive: Sequence[str], rules: Rules
) -> NDArray[np.bool_]:
    found = class_sizes(classes) < rules.k
    for name in sensitive:
        found |= distinct_values(classes, binary[name]) < rules.l
    for labels in binary.values():
        found |= event_follows(classes, labels)
    return found


def _rungs(ladder: Ladder, column: Floats) -> Rungs:
    written = tuple(generalise(column, ladder.feature, step) for step in ladder.steps)
    return Rungs(written, ladder.weight)


def _choose(
    ladders: Sequence[Ladder],
    told: Sequence[Rungs],
    required: set[str],
    n_rows: int,
    unsafe: Callable[[Classes], NDArray[np.bool_]],
    largest_share: float,
) -> tuple[int, ...]:
    # A required input that is left out leaves a branch point that can answer nobody: only if all
    # else fails. The last step is the one that leaves out.
    needed = [
        Rungs(rungs.written[:-1] or rungs.written, rungs.weight)
        if ladder.feature.name in required
        else rungs
        for ladder, rungs in zip(ladders, told, strict=True)
    ]
    for columns in (needed, told):
        chosen = least_loss(columns, n_rows, unsafe, largest_share)
        if chosen is not None:
            return chosen
    raise ExportRefused(
        "even with every quasi-identifier left out, too many rows would have to be left out: "
        "the rows are too few or their outcomes too alike"
    )


def _cells(
    values: Floats, labels: Floats, features: Sequence[Feature], outcomes: Sequence[Outcome]
) -> list[list[str]]:
    columns = [_texts(values[:, i], feature) for i, feature in enumerate(features)]
    for i, outcome in enumerate(outcomes):
        form = "d" if outcome.kind == "binary" else LABEL_FORM
        columns.append(
            [
                "" if np.isnan(v) else format(int(v) if form == "d" else v, form)
                for v in labels[:, i]
            ]
        )
    return [list(line) for line in zip(*columns, strict=True)]


def _texts(column: Floats, feature: Feature) -> list[str]:
    if feature.kind == "number":
        return ["" if np.isnan(value) else format(value, NUMBER_FORM) for value in column]
    names = feature.categories or ("0", "1")
    return ["" if np.isnan(value) else names[int(value)] for value in column]


def _number(
    cells: Sequence[Sequence[str]], held_out: NDArray[np.bool_], origin: Origin
) -> tuple[tuple[int, ...], NDArray[np.intp]]:
    """Number rows in an order that follows from their content, held-out ones by the divisor."""
    hashes = [hashlib.sha256("\x1f".join(line).encode()).digest() for line in cells]
    by_content = sorted(range(len(cells)), key=lambda i: hashes[i])
    fitting = _fitting_numbers(origin.divisible_by)
    last = 0
    numbered: list[tuple[int, int]] = []
    for i in by_content:
        if held_out[i]:
            last += origin.divisible_by
            numbered.append((last, i))
        else:
            numbered.append((next(fitting), i))
    numbered.sort()
    return tuple(n for n, _ in numbered), np.array([i for _, i in numbered], dtype=np.intp)


def _fitting_numbers(divisible_by: int) -> Iterator[int]:
    number = 0
    while True:
        number += 1
        if number % divisible_by:
            yield number
