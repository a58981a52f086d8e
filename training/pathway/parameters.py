"""The numbers of the simulation, read from `parameters/*.toml` and checked once.

Each file says at its top what its keys mean. Everything that could be disputed by a clinician is there;
the code of this package only says how the numbers work together.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from training.errors import SourceInvalid
from training.pathway.numbers import (
    BodyNumbers,
    ClockNumbers,
    InjuryNumbers,
    OperationNumbers,
    StayNumbers,
    read_numbers,
)

OWN = Path(__file__).parent / "parameters"
PATHS = ("elective", "emergency", "trauma")
SHORT = {
    "SD": "surgery-decision", "PC": "preoperative-clinic", "TA": "trauma-alert",
    "TB": "trauma-bay-exit", "ES": "end-of-surgery", "WR": "ward-round", "IR": "icu-review",
    "DI": "discharge", "RF": "recovery-follow-up",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trait:
    name: str
    kind: str
    source: str
    mean: float = 0.0
    sd: float = 1.0
    intercept: float = 0.0
    effects: Mapping[str, float] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Procedure:
    group: str
    specialty: str
    severity: float
    minutes: float
    blood_loss_ml: float
    open: float
    cancer: float
    contaminated: float
    high_risk: bool
    source: str
    elective: float = 0.0
    emergency: float = 0.0
    trauma: float = 0.0


@dataclass(frozen=True, slots=True)
class Hospital:
    name: str
    share: float
    path: Mapping[str, float]
    case_mix: float
    harm: float
    measuring: float
    coding: float
    response: float
    source: str


@dataclass(frozen=True, slots=True)
class Move:
    """A transition of the chain, or a way to start it (then `source_state` is empty)."""

    source_state: str
    target: str
    rate: float
    effects: Mapping[str, float]
    kind: str | None
    only: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    outcome: str
    by_kind: Mapping[str, float]
    effects: Mapping[str, float]
    source: str
    within: str | None = None
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Terminal:
    outcome: str
    by_state: Mapping[str, float]
    effects: Mapping[str, float]
    source: str


@dataclass(frozen=True, slots=True)
class Reading:
    feature: str
    mean: float
    between: float
    noise: float
    panel: str
    source: str
    effects: Mapping[str, float] = field(default_factory=dict)
    scale: str = "linear"
    cuts: tuple[float, ...] = ()
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    name: str
    at: Mapping[str, float]
    source: str
    effects: Mapping[str, float] = field(default_factory=dict)
    age_hours: Mapping[str, float] = field(default_factory=dict)
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    at: str
    chance: float
    effects: Mapping[str, float]
    source: str
    path: str | None = None
    day: int | None = None
    after_discharge: int | None = None
    jitter: int = 0
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    title: str
    start: int
    source: str
    hospital: str | None = None
    unit_change: Mapping[str, float] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    shift: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    coding: float = 1.0


@dataclass(frozen=True, slots=True)
class Chance:
    """A log-odds with effects."""

    chance: float
    effects: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything the simulation is told; `sha256` identifies the files it came from."""

    sha256: str
    traits: tuple[Trait, ...]
    person: frozenset[str]
    second_episode_share: float
    months_between: int
    procedures: tuple[Procedure, ...]
    hospitals: tuple[Hospital, ...]
    transitions: tuple[Move, ...]
    starts: tuple[Move, ...]
    trauma_bay_death: Move
    marks: tuple[Mark, ...]
    terminals: Mapping[str, Terminal]
    missing_label: Mapping[str, float]
    cost: Mapping[str, float]
    readings: tuple[Reading, ...]
    lost: float
    panels: Mapping[str, Panel]
    visits: tuple[Visit, ...]
    cancelled: Chance
    trauma_operation: Chance
    planned_icu: Chance
    injury: InjuryNumbers
    operation: OperationNumbers
    stay: StayNumbers
    body: BodyNumbers
    clock: ClockNumbers
    first_month: int
    months: int
    known_scenarios: Mapping[str, Scenario]
    scenarios: tuple[Scenario, ...] = field(default=())


def load_parameters(scenarios: Sequence[str] = (), folder: Path = OWN) -> Parameters:
    """Read the parameter files and switch on the named scenarios.

    Parameters
    ----------
    scenarios : sequence of str
        Names of rows of `scenarios.toml`.
    folder : Path
        Where the files are; default: the product's own.

    Raises
    ------
    SourceInvalid
        Naming the file and the row, when a row has an unknown key or lacks one, or a scenario is
        not declared.
    """
    names = (
        "body", "clock", "course", "hospitals", "injury", "operation", "patients", "readings",
        "scenarios", "stay", "visits",
    )  # fmt: skip
    content = {name: (folder / f"{name}.toml").read_bytes() for name in names}
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + content[name])
    files = {name: tomllib.loads(text.decode()) for name, text in content.items()}
    course, visits, readings = files["course"], files["visits"], files["readings"]
    sets = course["effects"]
    known = {
        row["name"]: _make(
            Scenario,
            {**{k: v for k, v in row.items() if k != "from"}, "start": row["from"]},
            "scenarios",
        )
        for row in files["scenarios"]["scenario"]
    }
    if unknown := [name for name in scenarios if name not in known]:
        raise SourceInvalid(f"no scenario {', '.join(unknown)}; known: {', '.join(known)}")
    bay = course["trauma_bay_death"]
    panels = [
        _make(Panel, {**row, "at": _long(row["at"]), "age_hours": _long(row.get("age_hours", {}))},
              "readings")
        for row in readings["panel"]
    ]  # fmt: skip
    return Parameters(
        sha256=digest.hexdigest(),
        traits=tuple(_make(Trait, row, "patients") for row in files["patients"]["trait"]),
        person=frozenset(files["patients"]["person"]["traits"]),
        second_episode_share=files["patients"]["person"]["second_episode_share"],
        months_between=files["patients"]["person"]["months_between"],
        procedures=tuple(
            _make(Procedure, row, "patients") for row in files["patients"]["procedure"]
        ),
        hospitals=tuple(
            _make(Hospital, row, "hospitals") for row in files["hospitals"]["hospital"]
        ),
        transitions=tuple(_move(row, sets) for row in course["transition"]),
        starts=tuple(_move(row, sets) for row in course["start"]),
        trauma_bay_death=Move(
            "", "dead", bay["per_episode"], _frozen(bay["effects"]), None, None, "trauma"
        ),
        marks=tuple(_make(Mark, row, "course") for row in course["mark"]),
        terminals=MappingProxyType(
            {row["outcome"]: _make(Terminal, row, "course") for row in course["terminal"]}
        ),
        missing_label=_frozen(course["missing_label"]),
        cost=_frozen(course["cost"]),
        readings=tuple(_make(Reading, row, "readings") for row in readings["reading"]),
        lost=readings["lost"],
        panels=MappingProxyType({panel.name: panel for panel in panels}),
        visits=tuple(_make(Visit, row, "visits") for row in visits["visit"]),
        cancelled=_chance(visits["cancelled"], "cancelled"),
        trauma_operation=_chance(visits["trauma_operation"], "trauma_operation"),
        planned_icu=_chance(visits["planned_icu"], "planned_icu"),
        injury=read_numbers(InjuryNumbers, "injury", files["injury"]),
        operation=read_numbers(OperationNumbers, "operation", files["operation"]),
        stay=read_numbers(StayNumbers, "stay", files["stay"]),
        body=read_numbers(BodyNumbers, "body", files["body"]),
        clock=read_numbers(ClockNumbers, "clock", files["clock"]),
        first_month=visits["months"]["first"],
        months=visits["months"]["count"],
        known_scenarios=MappingProxyType(known),
        scenarios=tuple(known[name] for name in dict.fromkeys(scenarios)),
    )


def _make(kind: Any, row: Mapping[str, Any], file: str) -> Any:
    values = {key: _frozen(value) for key, value in row.items()}
    if not str(values.get("source", "")).strip():
        name = next(iter(row.values()), "")
        raise SourceInvalid(f"{file}.toml, {kind.__name__.lower()} `{name}`: no source")
    try:
        return kind(**values)
    except TypeError as error:
        name = next(iter(row.values()), "")
        raise SourceInvalid(f"{file}.toml, {kind.__name__.lower()} `{name}`: {error}") from None


def _move(row: Mapping[str, Any], sets: Mapping[str, Mapping[str, float]]) -> Move:
    allowed = {
        "from", "to", "per_day", "weight", "like", "effects", "kind", "only", "path", "source",
    }  # fmt: skip
    name = f"{row.get('from', row.get('path'))} to {row.get('to')}"
    if unknown := set(row) - allowed:
        raise SourceInvalid(f"course.toml, {name}: unknown key {', '.join(sorted(unknown))}")
    if "source" not in row:
        raise SourceInvalid(f"course.toml, {name}: no source")
    effects = {**sets[row["like"]]} if "like" in row else {}
    effects.update(row.get("effects", {}))
    return Move(
        source_state=row.get("from", ""),
        target=row["to"],
        rate=float(row["per_day"] if "per_day" in row else row["weight"]),
        effects=_frozen(effects),
        kind=row.get("kind"),
        only=row.get("only"),
        path=row.get("path"),
    )


def _chance(row: Mapping[str, Any], name: str) -> Chance:
    if not str(row.get("source", "")).strip():
        raise SourceInvalid(f"visits.toml, {name}: no source")
    return Chance(float(row["chance"]), _frozen(row["effects"]))


def _long(at: Mapping[str, float]) -> dict[str, float]:
    return {SHORT[name]: value for name, value in at.items()}


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return MappingProxyType(dict(value))
    return tuple(value) if isinstance(value, list) else value
