"""What `disclosure.toml` declares, loaded and checked; the file explains its keys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.vocabulary import Feature, Vocabulary, take
from models.vocabulary.content import NUMBER, Key, Row, is_number, read_toml
from models.vocabulary.features import GROUPS
from training.export.errors import ExportRefused
from training.export.ladder import KINDS, Ladder, Step, is_coarser

OWN_RULES = Path(__file__).parent / "disclosure.toml"
SMALLEST_K, SMALLEST_L, LARGEST_LEFT_OUT = 5, 2, 0.5
SCHEMA = {
    "version": Key(str, required=True),
    "limits": Key(dict, required=True),
    "quasi_identifier": Key(list, required=True),
    "sensitive": Key(list, required=True),
    "measured": Key(list, required=True),
    "drop": Key(list),
}
LIMITS_SCHEMA = {
    "k": Key(int, required=True),
    "l": Key(int, required=True),
    "largest_left_out": Key(NUMBER, required=True),
    "source": Key(str, required=True),
}
REASONS = {"why": Key(str, required=True), "source": Key(str, required=True)}
LADDER_SCHEMA = {
    "feature": Key(str, required=True),
    "steps": Key(list, required=True),
    "weight": Key(NUMBER),
    **REASONS,
}
STEP_SCHEMA = {
    "exact": Key(bool),
    "width": Key(NUMBER),
    "limits": Key(list),
    "written": Key(list),
    "merge": Key(dict),
    "suppress": Key(bool),
}
SENSITIVE_SCHEMA = {"outcome": Key(str, required=True), **REASONS}
MEASURED_SCHEMA = {"groups": Key(list, required=True), **REASONS}
DROP_SCHEMA = {"features": Key(list, required=True), **REASONS}
BANDS = ("exact", "width", "limits", "suppress")
NAMES = ("exact", "merge", "suppress")


@dataclass(frozen=True, slots=True)
class Rules:
    """How far a training export tells what an outsider could know.

    Attributes
    ----------
    version : str
    k, l : int
    largest_left_out : float
        Share of rows, 0 to 0.5.
    ladders : mapping of Ladder
        By feature name.
    sensitive : tuple of str
        Outcomes.
    measured_groups : frozenset of str
    dropped : frozenset of str
        Features.
    content : bytes
        The file, for the hash in the manifest.
    """

    version: str
    k: int
    l: int  # noqa: E741 - the field's name
    largest_left_out: float
    ladders: Mapping[str, Ladder]
    sensitive: tuple[str, ...]
    measured_groups: frozenset[str]
    dropped: frozenset[str]
    content: bytes

    def kept(self, features: Iterable[Feature]) -> tuple[Feature, ...]:
        """Of these features, those that may leave.

        Raises
        ------
        ExportRefused
            Naming the features that no rule covers.
        """
        features = tuple(features)
        covered = [
            f.name in self.ladders or f.name in self.dropped or f.group in self.measured_groups
            for f in features
        ]
        lacking = [f.name for f, has_rule in zip(features, covered, strict=True) if not has_rule]
        if lacking:
            raise ExportRefused(
                f"no rule covers {', '.join(lacking)}; add them to disclosure.toml as "
                "quasi_identifier, measured or drop"
            )
        # A code carries no number: there is nothing to write.
        return tuple(f for f in features if f.name not in self.dropped and f.kind != "code")


def load_rules(vocabulary: Vocabulary, path: Path = OWN_RULES) -> Rules:
    """Load and check the rules.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    row = read_toml(path)
    row.check(SCHEMA)
    limits = Row(row.file, "limits", row.values["limits"])
    limits.check(LIMITS_SCHEMA)
    k, least_l, left_out = (limits.values[key] for key in ("k", "l", "largest_left_out"))
    if k < SMALLEST_K:
        limits.refuse(f"`k` must be at least {SMALLEST_K}")
    if least_l < SMALLEST_L:
        limits.refuse(f"`l` must be at least {SMALLEST_L}")
    if not is_number(left_out) or not 0 <= left_out <= LARGEST_LEFT_OUT:
        limits.refuse(f"`largest_left_out` must lie between 0 and {LARGEST_LEFT_OUT}")
    ladders = {}
    for item in _tables(row, "quasi_identifier", "feature"):
        ladder = _ladder(item, vocabulary)
        ladders[ladder.feature.name] = ladder
    sensitive = []
    for item in _tables(row, "sensitive", "outcome"):
        item.check(SENSITIVE_SCHEMA)
        item.one_of("outcome", vocabulary.outcomes)
        if vocabulary.outcomes[item.values["outcome"]].kind != "binary":
            item.refuse("a sensitive outcome must be binary")
        sensitive.append(item.values["outcome"])
    groups: set[str] = set()
    for item in _tables(row, "measured", "groups"):
        item.check(MEASURED_SCHEMA)
        names = set(item.strings("groups"))
        if unknown := names - set(GROUPS):
            item.refuse(f"no such group: {', '.join(sorted(unknown))}")
        groups |= names
    dropped: set[str] = set()
    for item in _tables(row, "drop", "features"):
        item.check(DROP_SCHEMA)
        names = set(item.strings("features"))
        if unknown := names - set(vocabulary.features):
            item.refuse(f"not in the dictionary: {', '.join(sorted(unknown))}")
        if both := names & set(ladders):
            item.refuse(f"has a quasi_identifier rule too: {', '.join(sorted(both))}")
        dropped |= names
    return Rules(
        version=row.values["version"],
        k=k,
        l=least_l,
        largest_left_out=float(left_out),
        ladders=MappingProxyType(ladders),
        sensitive=tuple(sensitive),
        measured_groups=frozenset(groups),
        dropped=frozenset(dropped),
        content=path.read_bytes(),
    )


def _tables(file: Row, table: str, key: str) -> list[Row]:
    found: list[Row] = []
    seen: set[str] = set()
    for position, values in enumerate(file.values.get(table, []), start=1):
        if not isinstance(values, dict):
            Row(file.file, f"{table} number {position}", {}).refuse("is not a table")
        name = str(values.get(key))
        row = Row(file.file, f"{table} `{name}`", values)
        if name in seen:
            row.refuse("is declared twice")
        seen.add(name)
        found.append(row)
    return found


def _ladder(row: Row, vocabulary: Vocabulary) -> Ladder:
    row.check(LADDER_SCHEMA)
    row.one_of("feature", vocabulary.features)
    feature = vocabulary.features[row.values["feature"]]
    if feature.kind == "code":
        row.refuse("a code carries no number; put it under [[drop]]")
    weight = row.values.get("weight", 1)
    if not is_number(weight) or weight <= 0:
        row.refuse("`weight` must be positive")
    steps = tuple(_step(row, item, feature) for item in row.values["steps"])
    if not steps or steps[-1].kind != "suppress":
        row.refuse("the last step must be { suppress = true }")
    for finer, coarser in pairwise(steps):
        if not is_coarser(feature, finer, coarser):
            row.refuse("each step's bands must lie within the next one's")
    return Ladder(feature, steps, float(weight), row.values["why"], row.values["source"])


def _step(row: Row, item: Any, feature: Feature) -> Step:
    kinds = [kind for kind in KINDS if isinstance(item, dict) and kind in item]
    if len(kinds) != 1:
        row.refuse(f"a step has exactly one of {', '.join(KINDS)}")
    Row(row.file, row.label, item).check(STEP_SCHEMA)
    [kind] = kinds
    value = item[kind]
    if ("written" in item) != (kind == "limits"):
        row.refuse("`written` goes with `limits`, always and only")
    allowed = BANDS if feature.kind == "number" else NAMES
    if kind not in allowed:
        row.refuse(f"a {feature.kind} has no step `{kind}`, only {', '.join(allowed)}")
    if kind == "width":
        if not is_number(value) or value <= 0 or (feature.integer and value != int(value)):
            row.refuse("`width` must be positive, and whole for a whole number")
        return Step(kind, width=float(value))
    if kind == "limits":
        if not value or not all(map(is_number, value)) or sorted(set(value)) != value:
            row.refuse("`limits` must be ascending numbers")
        limits = tuple(float(limit) for limit in value)
        return Step(kind, limits=limits, written=_written(row, item["written"], limits, feature))
    if kind == "merge":
        if unknown := (set(value) | set(value.values())) - set(feature.categories):
            row.refuse(f"`merge` names {len(unknown)} categories that `{feature.name}` has not")
        if not value or set(value) & set(value.values()):
            row.refuse("`merge` must not write a category as one that is merged itself")
        return Step(kind, merge=MappingProxyType(dict(value)))
    if value is not True:
        row.refuse(f"`{kind}` must be true")
    return Step(kind)


def _written(
    row: Row, values: list[Any], limits: tuple[float, ...], feature: Feature
) -> tuple[float, ...]:
    if len(values) != len(limits) + 1 or not all(map(is_number, values)):
        row.refuse("`written` must hold one number more than `limits`")
    lowest, highest = feature.plausible or (-math.inf, math.inf)
    ends = (lowest, *limits, math.inf)
    inside = all(ends[i] <= value < ends[i + 1] for i, value in enumerate(values))
    # What is read back must be what was counted: coarsened already, whole where it must be.
    told = all(take(feature, float(value)) == value <= highest for value in values)
    whole = not feature.integer or all(value == int(value) for value in values)
    if not inside or not told or not whole:
        row.refuse("each `written` must lie in its band, in a form that the dictionary tells")
    return tuple(float(value) for value in values)
