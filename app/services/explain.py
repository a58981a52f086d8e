"""An answer with what it was made from: for a page that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.access_log import Actor
from app.schemas.statuses import ANSWERED
from app.services.assess import worth_measuring
from app.services.parts import Parts
from app.services.read_back import read_episode, read_recorded
from app.services.silence import as_given
from app.serving.slot import ServedModel, ServedPanel
from models.risk.assessment import Answered
from models.risk.reading import Reading
from models.vocabulary import Vocabulary, restored, settle


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
    episode : mapping or None
        `read_episode`, where it belongs to one.
    measure_next : sequence or None
        What is worth measuring, worked out now; None when other models answer today than did then.
    served : mapping
        Outcome to the very model that answered it, where that still answers.
    """

    answer: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, Any]] = field(repr=False)
    values: Mapping[str, float] = field(repr=False)
    episode: Mapping[str, Any] | None
    measure_next: Sequence[Mapping[str, Any]] | None
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
    episode = None
    if found.episode_id is not None:
        episode = await read_episode((found.episode_id,), None, actor, parts)
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
        episode,
        _measure_next(panel, values, parts.vocabulary) if panel is not None and same else None,
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


def _measure_next(
    panel: ServedPanel, values: Mapping[str, float], vocabulary: Vocabulary
) -> Sequence[Mapping[str, Any]]:
    asked = [served for _, served in panel.served if served is not None]
    given = [
        (served, said)
        for served, said in zip(asked, panel.assess(values), strict=True)
        if isinstance(said, Answered)
    ]
    return worth_measuring(given, Reading(values), vocabulary)
