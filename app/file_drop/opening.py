"""What scoring needs of an installation: the same keys, models and ledger that the service has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from app.access_log import AccessLog
from app.deid import Pseudonymiser
from app.errors import StartRefused
from app.fhir import Coding, load_coding
from app.file_drop.errors import FileRefused
from app.identity import load_identity
from app.identity.tenants import load_tenants
from app.main import prepare
from app.services.parts import Parts
from app.services.silent_places import SilentPlaces
from app.serving.conditions import site_conditions
from app.serving.follower import Follower
from app.serving.slot import ServedModel, Slot
from app.settings import Settings, is_loopback
from models.reference_scores import refuse_unknown_scores
from models.vocabulary import BranchPoint, Vocabulary, load_vocabulary
from monitoring.keyring import Keyring
from monitoring.ledger import Ledger
from monitoring.metrics import Metrics

PATIENCE_S = 30.0
"""Nobody waits at a bedside: a ledger that many write to may take its time."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation, as one tenant may use it at one branch point."""

    settings: Settings
    keyring: Keyring
    vocabulary: Vocabulary
    point: BranchPoint
    tenant: str
    care_units: frozenset[str]
    coding: Coding
    models: Mapping[str, ServedModel]
    declared_silent: frozenset[tuple[str, str]]

    def parts(self, held: tuple[int, ...]) -> Parts:
        """The parts of one process; its ledger is not started yet.

        Parameters
        ----------
        held : tuple of int
            File descriptors that the process that writes the ledger keeps open.
        """
        slot = Slot()
        slot.replace(self.models)
        settings = self.settings
        ledger = Ledger(
            settings.database,
            settings.keys,
            bound=settings.ledger_bound,
            patience_s=max(PATIENCE_S, settings.ledger_patience_s),
            held=held,
        )
        return Parts(
            vocabulary=self.vocabulary,
            slot=slot,
            ledger=ledger,
            silence=SilentPlaces(self.declared_silent, ledger),
            access_log=AccessLog(self.keyring),
            pseudonymiser=Pseudonymiser(self.keyring),
            metrics=Metrics(self.vocabulary),
        )


def branch_point_of(vocabulary: Vocabulary, name: str) -> BranchPoint:
    """The declared branch point.

    Raises
    ------
    FileRefused
        When there is none of that name; it lists those that there are.
    """
    point = vocabulary.branch_points.get(name)
    if point is None:
        raise FileRefused(f"no such branch point; declared: {', '.join(vocabulary.branch_points)}")
    return point


def open_installation(settings: Settings, branch_point: str, tenant: str) -> Installation:
    """Open an installation; keys and ledger are made when they are not there yet.

    Raises
    ------
    StartRefused
        When the service could not start either.
    FileRefused
        When branch point or tenant are not declared.
    """
    vocabulary = load_vocabulary(settings.content)
    refuse_unknown_scores(vocabulary)
    point = branch_point_of(vocabulary, branch_point)
    keyring = prepare(settings)
    identity = load_identity(
        host_is_loopback=is_loopback(settings.host),
        tenants_file=settings.tenants_file,
        api_keys_file=settings.api_keys,
        care_units=settings.care_units,
        branch_points=tuple(vocabulary.branch_points),
        silent=settings.silent,
        authentication=settings.authentication,
    )
    codes = identity.local_codes()
    if tenant not in codes:
        raise FileRefused(f"no such tenant; declared: {', '.join(sorted(codes))}")
    if settings.tenants_file is not None:
        allowed = load_tenants(settings.tenants_file, vocabulary.branch_points)[tenant]
        if allowed.branch_points is not None and point.id not in allowed.branch_points:
            raise FileRefused(f"tenant {tenant} may not ask at `{point.id}`")
    try:
        coding = load_coding(vocabulary).for_tenant(*codes[tenant], vocabulary)
    except ValueError as fault:
        raise StartRefused(f"tenants file: tenant {tenant}: {fault}") from None
    return Installation(
        settings,
        keyring,
        vocabulary,
        point,
        tenant,
        identity.care_units(tenant),
        coding,
        asyncio.run(_models(settings, keyring, vocabulary, point)),
        identity.declared_silent(),
    )


async def _models(
    settings: Settings, keyring: Keyring, vocabulary: Vocabulary, point: BranchPoint
) -> Mapping[str, ServedModel]:
    """The champions of a branch point, from the registry or, without it, from the cache."""
    slot = Slot()
    follower = Follower(
        slot,
        vocabulary,
        settings.var_dir,
        poll_s=settings.registry_poll_s,
        timeout_s=settings.registry_timeout_s,
        changed=lambda _: None,
        only=[f"{point.id}.{outcome}" for outcome in point.outcomes],
        conditions=site_conditions(settings, keyring),
    )
    try:
        await follower.follow_once()
    finally:
        await follower.close()
    return slot.models
