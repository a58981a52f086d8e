"""Where in the pathway a prediction is asked for: one TOML file per branch point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from models.vocabulary.content import Key, Row, is_number, read_toml
from models.vocabulary.features import Feature
from models.vocabulary.outcomes import Outcome

BAND_NAMES = ("low", "intermediate", "elevated", "high")
SCHEMA = {
    "id": Key(str, required=True),
    "stage": Key(int, required=True),
    "title_en": Key(str, required=True),
    "title_sv": Key(str, required=True),
    "question_en": Key(str, required=True),
    "question_sv": Key(str, required=True),
    "hook": Key(str, required=True),
    "intended_purpose": Key(str, required=True),
    "who": Key(str, required=True),
    "regulatory_note": Key(str, required=True),
    "switchable": Key(bool, required=True),
    "reference_scores": Key(list),
    "required": Key(list, required=True),
    "optional": Key(list, required=True),
    "maximum_age_hours": Key(dict),
    "outcome": Key(list, required=True),
    "action": Key(list, required=True),
}
OUTCOME_SCHEMA = {
    "name": Key(str, required=True),
    "bands": Key(list),
    "band_source": Key(str),
}
ACTION_SCHEMA = {
    "id": Key(str, required=True),
    "label_en": Key(str, required=True),
    "label_sv": Key(str, required=True),
    "outcome": Key(str, required=True),
    "bands": Key(list, required=True),
    "source": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class Bands:
    """Named ranges of probability: `limits[i]` is where band i ends and band i + 1 begins."""

    names: tuple[str, ...]
    limits: tuple[float, ...]
    source: str

    def band(self, probability: float) -> str:
        """Name the band of a probability.

        Examples
        --------
        >>> Bands(("low", "high"), (0.2,), "example").band(0.2)
        'high'
        """
        for name, limit in zip(self.names, self.limits, strict=False):
            if probability < limit:
                return name
        return self.names[-1]


@dataclass(frozen=True, slots=True)
class Action:
    """Something the answer can change; suggested, never ordered."""

    id: str
    label_en: str
    label_sv: str
    outcome: str
    bands: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class BranchPoint:
    """A place in a clinical pathway where the answer can change what is done next.

    Attributes
    ----------
    features : tuple of str
        Every input that may be sent here, required ones first.
    derived : tuple of str
        Those of them that can follow from another one.
    reference_scores : tuple of str
        Published scores that stand beside a model's answer or in its place, in order of preference.
    """

    id: str
    stage: int
    title_en: str
    title_sv: str
    question_en: str
    question_sv: str
    hook: str
    intended_purpose: str
    who: str
    regulatory_note: str
    switchable: bool
    reference_scores: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    features: tuple[str, ...]
    derived: tuple[str, ...]
    maximum_age_hours: Mapping[str, float]
    outcomes: Mapping[str, Bands | None]
    actions: tuple[Action, ...]


def load_branch_points(
    directory: Path, features: Mapping[str, Feature], outcomes: Mapping[str, Outcome]
) -> dict[str, BranchPoint]:
    """Load and check every `*.toml` of a folder, by id in order of stage and id.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    loaded = [_branch_point(path, features, outcomes) for path in sorted(directory.glob("*.toml"))]
    return {point.id: point for point in sorted(loaded, key=lambda p: (p.stage, p.id))}


def refuse_early_features(
    points: Mapping[str, BranchPoint], features: Mapping[str, Feature], file: str
) -> None:
    """Refuse a dictionary or a branch point that lets a feature in before it can be known.

    Raises
    ------
    ContentInvalid
        When a feature's `earliest` is no branch point, or a branch point lists it too early.
    """
    for feature in features.values():
        if feature.earliest not in points:
            Row(file, f"feature `{feature.name}`", {}).refuse(
                f"`earliest` is `{feature.earliest}`, which is no branch point"
            )
    for point in points.values():
        for name in point.features:
            earliest = points[features[name].earliest]
            if earliest.stage > point.stage:
                Row(f"{point.id}.toml", f"feature `{name}`", {}).refuse(
                    f"cannot be known before `{earliest.id}` (stage {earliest.stage})"
                )


def _branch_point(
    path: Path, features: Mapping[str, Feature], outcomes: Mapping[str, Outcome]
) -> BranchPoint:
    row = read_toml(path)
    row.check(SCHEMA)
    values = row.values
    if values["id"] != path.stem:
        row.refuse(f"`id` must equal the file's name `{path.stem}`")
    required, optional = row.strings("required"), row.strings("optional")
    for name in required + optional:
        if name not in features:
            row.refuse(f"feature `{name}` is not in the dictionary")
    if twice := set(required) & set(optional):
        row.refuse(f"both required and optional: {', '.join(sorted(twice))}")
    ages = values.get("maximum_age_hours", {})
    for name, hours in ages.items():
        if name not in required + optional:
            row.refuse(f"`maximum_age_hours` names `{name}`, which is not listed")
        if not is_number(hours) or hours <= 0:
            row.refuse(f"`maximum_age_hours` of `{name}` must be positive")
        longest = features[name].maximum_age_hours
        if longest is not None and hours > longest:
            row.refuse(
                f"`maximum_age_hours` of `{name}` is longer than the dictionary's {longest:g}"
            )
    declared: dict[str, Bands | None] = {}
    for item in _tables(row, "outcome", "name"):
        name, bands = _outcome_bands(row, item, outcomes)
        declared[name] = bands
    return BranchPoint(
        **{
            key: values[key]
            for key in (
                "id", "stage", "title_en", "title_sv", "question_en", "question_sv", "hook",
                "intended_purpose", "who", "regulatory_note", "switchable",
            )
        },
        reference_scores=row.strings("reference_scores") if "reference_scores" in values else (),
        required=required,
        optional=optional,
        features=required + optional,
        derived=tuple(n for n in required + optional if features[n].derived_from is not None),
        maximum_age_hours=MappingProxyType({name: float(ages[name]) for name in ages}),
        outcomes=MappingProxyType(declared),
        actions=tuple(_action(row, item, declared) for item in _tables(row, "action", "id")),
    )  # fmt: skip


def _tables(row: Row, table: str, key: str) -> list[Mapping[str, object]]:
    """List the `[[table]]` rows of a branch point, none of them declared twice under `key`."""
    seen: set[str] = set()
    for position, item in enumerate(row.values[table], start=1):
        if not isinstance(item, dict):
            Row(row.file, f"{table} number {position}", {}).refuse("is not a table")
        name = str(item.get(key))
        if name in seen:
            Row(row.file, f"{table} `{name}`", {}).refuse("is declared twice")
        seen.add(name)
    return list(row.values[table])


def _outcome_bands(
    file: Row, item: Mapping[str, object], outcomes: Mapping[str, Outcome]
) -> tuple[str, Bands | None]:
    row = Row(file.file, f"outcome `{item.get('name')}`", item)
    row.check(OUTCOME_SCHEMA)
    name = str(item["name"])
    if name not in outcomes:
        row.refuse("is not declared in outcomes.toml")
    bands = row.values.get("bands")
    if outcomes[name].kind == "numeric":
        if bands is not None:
            row.refuse("a numeric outcome has no bands")
        return name, None
    if not bands or "band_source" not in item:
        row.refuse("a binary outcome needs `bands` and `band_source`")
    for band in bands:
        if not isinstance(band, dict) or not {"name"} <= set(band) <= {"name", "below"}:
            row.refuse("a band has `name` and `below`, and nothing else")
        if "below" in band and not is_number(band["below"]):
            row.refuse("`below` must be a number")
    names = tuple(band["name"] for band in bands)
    limits = tuple(float(band["below"]) for band in bands if "below" in band)
    if any(name not in BAND_NAMES for name in names) or len(set(names)) != len(names):
        row.refuse(f"band names must be different ones of {', '.join(BAND_NAMES)}")
    if sorted(names, key=BAND_NAMES.index) != list(names):
        row.refuse("bands must run from low to high")
    if len(limits) != len(names) - 1 or "below" in bands[-1]:
        row.refuse("every band but the last needs `below`")
    if sorted(set(limits)) != list(limits) or not all(0 < limit < 1 for limit in limits):
        row.refuse("band limits must ascend between 0 and 1")
    return name, Bands(names, limits, str(item["band_source"]))


def _action(file: Row, item: Mapping[str, object], declared: Mapping[str, Bands | None]) -> Action:
    row = Row(file.file, f"action `{item.get('id')}`", item)
    row.check(ACTION_SCHEMA)
    bands = declared.get(str(item["outcome"]))
    if bands is None:
        row.refuse("`outcome` must be a binary outcome of this branch point")
    names = row.strings("bands")
    if not names or any(name not in bands.names for name in names):
        row.refuse(f"`bands` must be of {', '.join(bands.names)}")
    return Action(
        str(item["id"]), str(item["label_en"]), str(item["label_sv"]), str(item["outcome"]),
        names, str(item["source"]),
    )  # fmt: skip
