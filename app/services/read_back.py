"""What was answered before: one assessment, or the path of an episode; every reading is logged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson

from app.access_log import Actor, Touched
from app.access_log.seal import READ_ASSESSMENT, READ_EPISODE
from app.deid import is_pseudonym
from app.services.parts import Parts
from app.services.silence import as_given
from app.services.trajectory import trajectory
from monitoring.ledger import Recorded


async def read_assessment(assessment_id: str, actor: Actor, parts: Parts) -> bytes | None:
    """The answer as it was given, byte for byte; None when the caller's tenant has no such.

    Raises
    ------
    LedgerUnavailable
        When it cannot be read, or its reading cannot be logged.
    """
    found = await read_recorded(assessment_id, actor, parts)
    return None if found is None else as_given(found.answer)


async def read_recorded(assessment_id: str, actor: Actor, parts: Parts) -> Recorded | None:
    """What the ledger knows of it besides, such as the subject's pseudonym.

    Its `answer` is as it is recorded: `silence.as_given` is what was told of it.

    Raises
    ------
    LedgerUnavailable
        When it cannot be read, or its reading cannot be logged.
    """
    found = await parts.ledger.read(assessment_id, actor.tenant)
    if found is None:
        return None
    touched = Touched(
        READ_ASSESSMENT,
        branch_point=found.branch_point,
        assessment_id=found.assessment_id,
        episode_id=found.episode_id,
    )
    await _log(touched, found.subject_id, actor, parts)
    return found


async def read_episode(
    episode_ids: Sequence[str], episode: str | None, actor: Actor, parts: Parts
) -> dict[str, Any] | None:
    """Every assessment of an episode in time order, and each outcome's risk over time.

    Parameters
    ----------
    episode_ids : sequence of str
        The episode's pseudonyms; the first is the one that is answered with.
    episode : str or None
        The identifier as it was sent, for the access log.

    Returns
    -------
    dict or None
        None when the caller's tenant has no such episode.

    Raises
    ------
    LedgerUnavailable
        When it cannot be read, or its reading cannot be logged.
    """
    found = await read_path(episode_ids, episode, actor, parts)
    if not found:
        return None
    answers = [orjson.loads(as_given(recorded.answer)) for recorded in found]
    return {
        "episode_id": episode_ids[0],
        "assessments": answers,
        "trajectory": trajectory(answers),
    }


async def read_path(
    episode_ids: Sequence[str], episode: str | None, actor: Actor, parts: Parts
) -> Sequence[Recorded]:
    """What the ledger knows of an episode, in time order; parameters and errors as for `read_episode`.

    Answers are as they are recorded: `silence.as_given` is what was told of them.
    """
    if not all(map(is_pseudonym, episode_ids)):
        return ()  # a database would write what it is asked for into its own log
    found = await parts.ledger.read_episode(episode_ids, actor.tenant)
    if found:
        touched = Touched(READ_EPISODE, episode=episode, episode_id=found[-1].episode_id)
        for subject_id in dict.fromkeys(recorded.subject_id for recorded in found):
            await _log(touched, subject_id, actor, parts)
    return found


async def _log(touched: Touched, subject_id: str | None, actor: Actor, parts: Parts) -> None:
    now_us = time.time_ns() // 1000
    await parts.ledger.append(parts.access_log.seal(now_us, actor, touched, subject_id))
