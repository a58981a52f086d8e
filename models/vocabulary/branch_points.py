"""Where in the pathway a prediction is asked for: one TOML file per branch point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from models.vocabulary.bands import BANDS_SCHEMA, Bands, read_bands
from models.vocabulary.content import Key, Row, is_number, read_toml
from models.vocabulary.features import Feature
from models.vocabulary.outcomes import Outcome

SCHEMA = {
    "id": Key(str, required=True),
    "stage": Key(int, required=True),
    "title_en": Key(str, required=True),
    "title_sv": Key(str, required=True),
    "question_en": Key(str, required=True),
    "question_sv": Key(str, required=True),
    "hook": Key(str, required=True),
    "intended_purpose": Key(str, required=True),
    "intended_purpose_sv": Key(str),
    "who": Key(str, required=True),
    "who_sv": Key(str),
    "regulatory_note": Key(str, required=True),
    "regulatory_note_sv": Key(str),
    "switchable": Key(bool, required=True),
    "reference_scores": Key(list),
    "required": Key(list, required=True),
    "optional": Key(list, required=True),
    "maximum_age_hours": Key(dict),
    "outcome": Key(list, required=True),
    "action": Key(list, required=True),
}
OUTCOME_SCHEMA = {"name": Key(str, required=True), **BANDS_SCHEMA}
ACTION_SCHEMA = {
    "id": Key(str, required=True),
    "label_en": Key(str, required=True),
    "label_sv": Key(str, required=True),
    "outcome": Key(str, required=True),
    "bands": Key(list, required=True),
    "source": Key(str, required=True),
    "capacity": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class Action:
    """Something the answer can change; suggested, never ordered.

    Attributes
    ----------
    bands : tuple of str
        Those of the outcome that raise it.
    capacity : str
        What one suggestion takes where it is followed: an amount with its unit, and who says so.
    """

    id: str
    label_en: str
    label_sv: str
    outcome: str
    bands: tuple[str, ...]
    source: str
    capacity: str


@dataclass(frozen=True, slots=True)
class BranchPoint:
    """A place in a clinical pathway where the answer can change what is done next.

    Attributes
    ----------
    intended_purpose_sv, who_sv, regulatory_note_sv : str or None
        None where a site wrote them in English only.
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
    intended_purpose_sv: str | None = None
    who_sv: str | None = None
    regulatory_note_sv: str | None = None

    def decision_thresholds(self, outcome: str) -> tuple[float, ...]:
        """Probabilities at which somebody would act: where a suggestion or the band of action begins.

        Empty for a numeric outcome, and where a site acts on everybody.
        """
        bands = self.outcomes[outcome]
        if bands is None:
            return ()
        acted_on = [action.bands for action in self.actions if action.outcome == outcome]
        first = {min(bands.names.index(name) for name in names) for names in acted_on}
        first.add(bands.names.index(bands.capacity.start))
        return tuple(bands.limits[i - 1] for i in sorted(first) if i > 0)


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
        intended_purpose_sv=values.get("intended_purpose_sv"),
        who_sv=values.get("who_sv"),
        regulatory_note_sv=values.get("regulatory_note_sv"),
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
    if outcomes[name].kind == "binary":
        return name, read_bands(row)
    if stray := sorted(set(item) - {"name"}):
        row.refuse(f"a numeric outcome has no bands, and no `{stray[0]}`")
    return name, None


def _action(file: Row, item: Mapping[str, object], declared: Mapping[str, Bands | None]) -> Action:
    row = Row(file.file, f"action `{item.get('id')}`", item)
    row.check(ACTION_SCHEMA)
    bands = declared.get(str(item["outcome"]))
    if bands is None:
        row.refuse("`outcome` must be a binary outcome of this branch point")
    names = row.strings("bands")
    if not names or any(name not in bands.names for name in names):
        row.refuse(f"`bands` must be of {', '.join(bands.names)}")
    if any(bands.names.index(name) < bands.names.index(bands.capacity.start) for name in names):
        row.refuse(
            f"starts below `{bands.capacity.start}`, where `band_capacity` of `{item['outcome']}` does"
        )
    return Action(
        str(item["id"]), str(item["label_en"]), str(item["label_sv"]), str(item["outcome"]),
        names, str(item["source"]), str(item["capacity"]),
    )  # fmt: skip
