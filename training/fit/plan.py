"""What a fit may try and how much it may look at: the candidates, the folds, the row limits.

The defaults are those of the product. A source narrows them in its `[fit]` table where its cohort is
large or its models are many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from models.vocabulary.content import Key, Row, is_number

SCHEMA = {
    "rows": Key(int),
    "choosing_rows": Key(int),
    "folds": Key(int),
    "smoothings": Key(list),
    "leaves": Key(list),
    "rounds": Key(list),
    "inputs": Key(list),
    "resamples": Key(int),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits of one fit.

    Attributes
    ----------
    rows : int or None
        At most about so many rows of a branch point are read, held-out ones included, spread evenly
        over the file; None for all.
    choosing_rows : int
        The candidates are compared on at most about so many fitting rows. The chosen one is fitted,
        calibrated and bounded on all of them.
    folds : int
        Of the cross-validation.
    smoothings : tuple of float
        Of the additive model.
    leaves, rounds : tuple of int
        Sizes of the boosted trees; empty for no trees.
    inputs : tuple of int
        Numbers of inputs to try, strongest first, beside all of them; empty to keep all.
    resamples : int
        Bootstrap resamples of the evaluation.
    """

    rows: int | None = None
    choosing_rows: int = 20_000
    folds: int = 5
    smoothings: tuple[float, ...] = (30.0, 100.0, 300.0, 1000.0)
    leaves: tuple[int, ...] = (4, 6, 8)
    rounds: tuple[int, ...] = (50, 100, 200, 300)
    inputs: tuple[int, ...] = ()
    resamples: int = 1000


def parse_plan(file: str, values: Mapping[str, Any]) -> Plan:
    """Read a source's `[fit]` table.

    Raises
    ------
    ContentInvalid
        On an unknown key, or a number that is not positive.

    Examples
    --------
    >>> parse_plan("source.toml", {"folds": 3, "leaves": [4]}).leaves
    (4,)
    """
    row = Row(file, "fit", values)
    row.check(SCHEMA)
    lists = {field.name for field in fields(Plan) if SCHEMA[field.name].type is list}
    for key, value in values.items():
        numbers = value if key in lists else [value]
        if not all(is_number(number) and number > 0 for number in numbers):
            row.refuse(f"`{key}` must be positive")
        whole = key != "smoothings"
        if whole and not all(isinstance(number, int) for number in numbers):
            row.refuse(f"`{key}` must be whole")
    if values.get("folds", 2) < 2:
        row.refuse("`folds` must be at least 2")
    if values.get("smoothings") == []:
        row.refuse("`smoothings` is empty")
    if bool(values.get("leaves", True)) != bool(values.get("rounds", True)):
        row.refuse("`leaves` and `rounds` must both be given, or both be empty")
    chosen: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in values.items()}
    return Plan(**chosen)
