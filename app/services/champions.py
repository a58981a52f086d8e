"""Which versions of a model may become champion, by the gate's sealed decision: pure; and moving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from app.errors import Problem
from app.serving.follower import Follower
from app.serving.registry_desk import RegistryDesk
from app.serving.slot import ServedModel
from models.alias_moves import (
    OVERRIDDEN,
    PROMOTED,
    ROLLED_BACK,
    Move,
    champion_before,
    moves_of,
    was_champion,
)
from models.errors import BundleRefused
from models.gate_record import OVERRIDDEN as VERDICT_OVERRIDDEN
from models.gate_record import RECORD_TAG, REFUSE, GatePolicy, Standing, admission
from models.registry import CHALLENGER, CHAMPION

TRAINING_DATA, SYNTHETIC = "training_data", "synthetic"
PRESENT, UNGATED, REAL_STAYS, NO_BUNDLE, NOT_BEFORE = (
    "present", "ungated", "real_stays", "no_bundle", "not_before",
)  # fmt: skip
"""Why a version cannot be moved to."""
HINDRANCES = {
    PRESENT: "it is the champion already",
    REAL_STAYS: "simulated patients never take the place of real ones",
    NO_BUNDLE: "it was registered without a digest",
    NOT_BEFORE: "it was never champion",
}
CONFLICT = 409

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class VersionStanding:
    """One registered version.

    Attributes
    ----------
    gate : Standing
        What its sealed record says of this very bundle, checked as before it is served.
    hindrance : str or None
        Why it cannot be promoted; None when it can.
    """

    version: str
    digest: str | None
    aliases: tuple[str, ...]
    gate: Standing
    training_data: str | None
    tags: Mapping[str, str] = field(repr=False)
    hindrance: str | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """All versions of a model, newest first.

    Attributes
    ----------
    back_to : VersionStanding or None
        The champion before the present one; `hindrance` says why one cannot go back to it.
    """

    name: str
    champion: str | None
    challenger: str | None
    versions: Sequence[VersionStanding]
    moves: Sequence[Move]
    back_to: VersionStanding | None

    def of(self, version: str) -> VersionStanding | None:
        """The version with this number."""
        return next((one for one in self.versions if one.version == version), None)


@dataclass(frozen=True, slots=True)
class Mover:
    """Who moves an alias, and with what.

    Attributes
    ----------
    by : str
        For the history.
    served : ServedModel or None
        What answers now.
    """

    by: str
    desk: RegistryDesk
    follower: Follower
    served: ServedModel | None


def judged(name: str, described: Mapping[str, Any], policy: GatePolicy) -> Versions:
    """What the registry told of a model, held against the gate's sealed records.

    Parameters
    ----------
    described : mapping
        From `models.alias_desk.describe`.
    """
    aliases, moves = described["aliases"], moves_of(described["tags"])
    champion = aliases.get(CHAMPION)
    found = [_standing(name, one, aliases, policy) for one in reversed(described["versions"])]
    present = next((one for one in found if one.version == champion), None)
    versions = [replace(one, hindrance=_hindrance(one, present, champion)) for one in found]
    before = champion_before(moves, champion)
    back = next((one for one in found if one.version == before), None)
    if back is not None:
        back = replace(back, hindrance=_back_hindrance(back, present, moves, policy))
    return Versions(name, champion, aliases.get(CHALLENGER), versions, moves, back)


async def promote(judged_now: Versions, version: str, mover: Mover) -> None:
    """Make a version champion that the gate let pass.

    Raises
    ------
    Problem
        409 naming what does not hold.
    RegistryUnreachable
    """
    wanted = judged_now.of(version)
    if wanted is None:
        raise Problem(404, "No such version is registered.")
    if wanted.hindrance is not None:
        raise Problem(CONFLICT, f"Version {version} is not promoted: {said(wanted)}.")
    record = wanted.gate.record
    overridden = record is not None and record.verdict == VERDICT_OVERRIDDEN
    reason = record.reason if record is not None and overridden else None
    await _move(judged_now, wanted, OVERRIDDEN if overridden else PROMOTED, reason, mover)


async def roll_back(judged_now: Versions, version: str, mover: Mover) -> None:
    """Give the alias back to the champion before.

    Raises
    ------
    Problem
        409 naming what does not hold.
    RegistryUnreachable
    """
    wanted = judged_now.back_to
    if wanted is None or wanted.version != version:
        raise Problem(CONFLICT, "That version is not the champion before the present one.")
    if wanted.hindrance is not None:
        raise Problem(CONFLICT, f"Version {version} is not given back: {said(wanted)}.")
    await _move(judged_now, wanted, ROLLED_BACK, None, mover)


def said(version: VersionStanding) -> str:
    """Why a version cannot be moved to, for a problem's text."""
    if version.hindrance == UNGATED:
        return version.gate.doubt or "the gate has not decided"
    return HINDRANCES.get(version.hindrance or "", "")


async def _move(
    judged_now: Versions,
    wanted: VersionStanding,
    how: str,
    reason: str | None,
    mover: Mover,
) -> None:
    name = judged_now.name
    brought = await mover.desk.bring(name, wanted.version)
    try:
        proven = await mover.follower.prove(brought)
    except BundleRefused as error:
        raise Problem(
            CONFLICT, f"Version {wanted.version} does not prove itself: {error}."
        ) from None
    if proven.model.training_data == SYNTHETIC and _answers_as_real(judged_now, mover.served):
        raise Problem(CONFLICT, f"Nothing was moved: {HINDRANCES[REAL_STAYS]}.")
    at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    key, text = Move(judged_now.champion, wanted.version, how, reason, at, mover.by).tag()
    refused = await mover.desk.move({
        "name": name, "version": wanted.version, "digest": wanted.digest,
        "gate": wanted.gate.text, "before": judged_now.champion, "key": key, "text": text,
    })  # fmt: skip
    if refused is not None:
        raise Problem(CONFLICT, f"Nothing was moved: {refused}.")
    log.info(
        "champion_moved", model=name, before=judged_now.champion, after=wanted.version, how=how
    )
    mover.follower.look_now()


def _standing(
    name: str, one: Mapping[str, Any], aliases: Mapping[str, str], policy: GatePolicy
) -> VersionStanding:
    tags = one["tags"]
    own = tuple(sorted(alias for alias, version in aliases.items() if version == one["version"]))
    gate = admission(tags.get(RECORD_TAG), name, one["digest"] or "", policy)
    return VersionStanding(
        one["version"], one["digest"], own, gate, tags.get(TRAINING_DATA), tags
    )  # fmt: skip


def _hindrance(
    one: VersionStanding, present: VersionStanding | None, champion: str | None
) -> str | None:
    if one.version == champion:
        return PRESENT
    if one.digest is None:
        return NO_BUNDLE
    if one.gate.doubt is not None:
        return UNGATED
    return _real_stays(one, present)


def _back_hindrance(
    one: VersionStanding,
    present: VersionStanding | None,
    moves: Sequence[Move],
    policy: GatePolicy,
) -> str | None:
    """Going back is no way around the gate: the version passed it, or was champion before."""
    if one.digest is None:
        return NO_BUNDLE
    if one.gate.doubt is not None and policy.ungated == REFUSE:
        return UNGATED
    if one.gate.doubt is not None and not was_champion(moves, one.version):
        return NOT_BEFORE
    return _real_stays(one, present)


def _answers_as_real(judged_now: Versions, served: ServedModel | None) -> bool:
    """Whether the champion was fitted on real patients: by its bundle where it is served, else its tag.

    A tag can be edited by hand; what stands in a bundle is what its digest was sealed over.
    """
    if judged_now.champion is None:
        return False
    if served is not None and served.version == judged_now.champion:
        return served.model.training_data != SYNTHETIC
    present = judged_now.of(judged_now.champion)
    return present is not None and present.training_data != SYNTHETIC


def _real_stays(one: VersionStanding, present: VersionStanding | None) -> str | None:
    """What simulated patients teach proves nothing about real ones: it never takes their place."""
    simulated = one.training_data == SYNTHETIC
    real = present is not None and present.training_data != SYNTHETIC
    return REAL_STAYS if simulated and real else None
