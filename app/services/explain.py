"""An answer with what it was made from: for a page that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.access_log import Actor
from app.schemas.statuses import ANSWERED
from app.services.assess import what_unknown_could_do
from app.services.parts import Parts
from app.services.read_back import read_path, read_recorded
from app.services.silence import as_given
from app.services.trajectory import trajectory
from app.serving.slot import ServedModel, ServedPanel
from models.risk.assessment import Answered
from models.risk.measure_next import Worth
from models.risk.reading import Reading
from models.vocabulary import restored, settle

Inputs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Explained:
    """One recorded assessment.

    Attributes
    ----------
    answer : mapping
        As it was given.
    inputs : mapping
        What was used: feature -> `value`, and `minutes_before` where a time was sent.
    values : mapping
        The same as models read it, with what follows from it.
    calculated_us : int
        When, in microseconds since 1970.
    path : sequence of (mapping, mapping)
        The answers of its episode in time order, each with the inputs that were used, its own among them;
        empty where it belongs to none.
    trajectory : mapping
        Outcome to its answers over the episode.
    unknown : mapping or None
        Each missing input that could move an answer, with what it could do to which outcome, worked out
        now; None when other models answer today than did then.
    served : mapping
        Outcome to the very model that answered it, where that still answers.
    """

    answer: Mapping[str, Any]
    inputs: Inputs = field(repr=False)
    values: Mapping[str, float] = field(repr=False)
    calculated_us: int
    path: Sequence[tuple[Mapping[str, Any], Inputs]] = field(repr=False)
    trajectory: Mapping[str, Sequence[Mapping[str, Any]]] = field(repr=False)
    unknown: Mapping[str, Mapping[str, Worth]] | None
    served: Mapping[str, ServedModel] = field(repr=False)


async def explain(assessment_id: str, actor: Actor, parts: Parts) -> Explained | None:
    """Read an assessment with its inputs and its episode; None when the caller's tenant has no such.

    Every reading is logged.

    Raises
    ------
    LedgerUnavailable
        When it cannot be read, or its reading cannot be logged.
    """
    found = await read_recorded(assessment_id, actor, parts)
    if found is None:
        return None
    answer = orjson.loads(as_given(found.answer))
    recorded = (
        [] if found.episode_id is None else await read_path((found.episode_id,), None, actor, parts)
    )
    path = [(orjson.loads(as_given(one.answer)), orjson.loads(one.inputs)) for one in recorded]
    point = parts.vocabulary.branch_points[found.branch_point]
    taken, _ = restored(found.inputs, parts.vocabulary.features)
    values = settle(taken, point, parts.vocabulary.features).values
    answered = {o["outcome"]: o for o in answer["outcomes"] if o["status"] == ANSWERED}
    panel = parts.slot.panel(point, tuple(answered)) if answered else None
    served = {} if panel is None else _still_served(panel, answered)
    same = panel is not None and len(served) == len(answered)
    return Explained(
        answer,
        orjson.loads(found.inputs),
        values,
        found.recorded_at_us,
        path,
        trajectory([told for told, _ in path]),
        _unknown(panel, values) if panel is not None and same else None,
        served,
    )


def _still_served(
    panel: ServedPanel, answered: Mapping[str, Mapping[str, Any]]
) -> dict[str, ServedModel]:
    return {
        outcome: served
        for outcome, served in panel.served
        if served is not None and served.digest == answered[outcome]["model"]["digest"]
    }


def _unknown(panel: ServedPanel, values: Mapping[str, float]) -> Mapping[str, Mapping[str, Worth]]:
    asked = [served for _, served in panel.served if served is not None]
    given = [
        (served, said)
        for served, said in zip(asked, panel.assess(values), strict=True)
        if isinstance(said, Answered)
    ]
    return what_unknown_could_do(given, Reading(values))
