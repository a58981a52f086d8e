"""Moving the `champion` alias: forward if the gate holds or somebody answers for it, and back.

The order of writing is the safety: decision as a file, then its sealed record on the version, then
the move in the history, the alias last. Whoever is stopped in between leaves the champion that was,
never one without a decision.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from models.alias_moves import PROMOTED as MOVED_ON
from models.alias_moves import ROLLED_BACK, Move, champion_before, moves_of, was_champion
from models.bundle import Bundle, prove, read_bundle
from models.errors import BundleRefused, ModelNotFound
from models.gate_record import FAILED, OVERRIDDEN, PASSED, RECORD_TAG, GatePolicy, GateRecord
from models.gate_record import admission as admission_of
from models.registry import CHAMPION, Registry
from models.tripwire import find_in_bytes
from models.vocabulary import Vocabulary
from training.errors import ChampionMoved, OverrideRefused, RollbackRefused
from training.gate import OpenCohort, Proven, gate_figures
from training.promotion import OWN_RULES, Decision, Finding, decide, load_rules

TAG, SYNTHETIC = "training_data", "synthetic"
LONGEST_REASON = 500
REAL_FIRST = "real-patients-first"
# Not a row of promotion.toml: no site may loosen it, and nobody can answer for it. What simulated
# patients teach proves nothing about real ones, so no reason can make it the better choice.
REAL_STAYS = Finding(
    REAL_FIRST,
    TAG,
    None,
    "not simulated patients in the place of a champion fitted on real ones",
    False,
    can_be_lifted=False,
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of asking the gate.

    Attributes
    ----------
    verdict : str
        "passed", "overridden" or "failed".
    before : str or None
        Version that was champion.
    moved : bool
        Whether the version is champion now by this decision; False in a dry run.
    """

    name: str
    version: str
    decision: Decision
    verdict: str
    before: str | None
    moved: bool
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A roll-back that was made; `doubt` says why a service may refuse the version."""

    name: str
    before: str
    now: str
    doubt: str | None


def promote_version(
    registry: Registry,
    name: str,
    version: str,
    vocabulary: Vocabulary,
    seal_key: bytes,
    *,
    cohort: OpenCohort | None = None,
    override: str | None = None,
    dry_run: bool = False,
    step: Callable[[str], None] = lambda _: None,
) -> Promotion:
    """Prove a version, judge it by `promotion.toml`, and make it champion when every rule holds.

    The decision is written to the version either way: as a sealed record, which the service checks,
    and with all figures as `gate/decision-….json` of its run. One exception: the present champion
    keeps the record that it serves by when a later look at it fails.

    A version fitted on simulated patients never takes the place of one fitted on real ones; the
    other way round, the two are not compared, as they were judged on patients of different worlds.

    Parameters
    ----------
    seal_key : bytes
        The installation's newest (`monitoring.keyring.gate_keys`).
    cohort : callable, optional
        Opens the rows on which version and champion are compared, if there is a champion. Without
        it the paired rules do not hold.
    override : str, optional
        Why to promote although rules fail; recorded and shown with the served model.
    dry_run : bool
        Decide and write nothing.
    step : callable
        Told what is done next.

    Raises
    ------
    ModelNotFound
        When there is no such version.
    BundleRefused
        When the version cannot be proven.
    OverrideRefused
        When the reason cannot be recorded, or what failed is not for anybody to answer for.
    ChampionMoved
        When the champion is another one than at the beginning; then nothing is written.
    """
    if override is not None:
        refuse_reason(override)
    step("proving the bundle")
    new = _proven(registry, name, version, vocabulary)
    before = registry.aliases([name], CHAMPION).get(name)
    rival: Proven | str | None = None
    real_stays = False
    if before is not None and before != version:
        own, its = (registry.version(name, v).tags.get(TAG) for v in (version, before))
        real_stays = own == SYNTHETIC and its != SYNTHETIC
        if (own == SYNTHETIC) == (its == SYNTHETIC):
            rival = _rival(registry, name, before, vocabulary)
    step("measuring and comparing")
    branch_point, outcome = name.split(".", 1)
    point, kind = vocabulary.branch_points[branch_point], vocabulary.outcomes[outcome].kind
    figures = gate_figures(new, rival, cohort, point)
    decision = decide(kind, branch_point, outcome, figures, load_rules())
    if real_stays:
        decision = Decision(False, (*decision.findings, REAL_STAYS))
    verdict, reason = _verdict(decision, override)
    record = GateRecord(
        name, new.bundle.digest, verdict, tuple(f.rule for f in decision.failed), reason,
        rules_digest(), gate_code(), _now(), account_name(),
    )  # fmt: skip
    document = {
        **asdict(record), "version": version, "champion_before": before,
        "findings": [asdict(finding) for finding in decision.findings], "figures": figures,
    }  # fmt: skip
    moved = verdict != FAILED and not dry_run
    if not dry_run:
        step("writing the decision")
        _refuse_moved(registry, name, before)
        registry.keep_document(
            name, version, f"gate/decision-{record.decided_at.replace(':', '')}.json", document
        )
        if moved or before != version:
            tags = {
                RECORD_TAG: record.sealed(seal_key),
                "gate": verdict,
                "gate_failed": json.dumps(record.failed),
            }
            registry.tag(name, version, tags)
    if moved and before != version:
        how = OVERRIDDEN if verdict == OVERRIDDEN else MOVED_ON
        _move(registry, name, Move(before, version, how, reason, record.decided_at, account_name()))
    return Promotion(name, version, decision, verdict, before, moved, document)


def roll_back(
    registry: Registry,
    name: str,
    vocabulary: Vocabulary,
    keys: tuple[bytes, ...],
    *,
    to: str | None = None,
    reason: str | None = None,
) -> RolledBack:
    """Give the alias back to the champion before, or to another version that may have it.

    The version is proven first. It must have been champion, or hold a gate record that holds: going
    back is no way around the gate.

    Parameters
    ----------
    keys : tuple of bytes
        Of the installation, by which gate records are sealed.
    to : str, optional
        Version; the champion before the present one when left out.

    Raises
    ------
    RollbackRefused
        When there is nothing to go back to, or the version may not have the alias.
    BundleRefused
        When the version does not prove itself.
    ModelNotFound
        When there is no such model or version.
    ChampionMoved
        When the champion is another one than at the beginning; then nothing is written.
    """
    if reason is not None:
        refuse_reason(reason)
    moves = moves_of(registry.model_tags(name))
    present = registry.aliases([name], CHAMPION).get(name)
    wanted = to or champion_before(moves, present)
    if wanted is None:
        raise RollbackRefused(
            f"{name} has no champion before this one on record; see `risk-train history {name}`, "
            "and name a version with --to"
        )
    if wanted == present:
        raise RollbackRefused(f"{name} version {wanted} is the champion already")
    proven = _proven(registry, name, wanted, vocabulary)
    tags = registry.version(name, wanted).tags
    doubt = admission_of(
        tags.get(RECORD_TAG), name, proven.bundle.digest, GatePolicy(keys=keys)
    ).doubt
    if doubt is not None and not was_champion(moves, wanted):
        raise RollbackRefused(
            f"{name} version {wanted} was never champion, and {doubt}; use `risk-train promote`"
        )
    if present is not None and tags.get(TAG) == SYNTHETIC:
        its = registry.version(name, present).tags.get(TAG)
        if its != SYNTHETIC:
            raise RollbackRefused(f"{name} version {wanted}: {REAL_STAYS.expected}")
    _refuse_moved(registry, name, present)
    _move(registry, name, Move(present, wanted, ROLLED_BACK, reason, _now(), account_name()))
    return RolledBack(name, present or "none", wanted, doubt)


def refuse_reason(reason: str) -> None:
    """Refuse a reason that cannot stand in the registry and on a card.

    Raises
    ------
    OverrideRefused
        When it is empty, too long, or holds what looks like an identifier of a person.
    """
    if not reason.strip():
        raise OverrideRefused("the reason is empty; it is what the next reader will ask for")
    if len(reason) > LONGEST_REASON:
        raise OverrideRefused(f"the reason is longer than {LONGEST_REASON} characters")
    if found := find_in_bytes(reason.encode("utf-8", "surrogatepass")):
        kinds = ", ".join(sorted({finding.kind for finding in found}))
        raise OverrideRefused(f"the reason holds what looks like an identifier ({kinds})")


@cache
def rules_digest() -> str:
    """SHA-256 of the file of rules."""
    return "sha256:" + hashlib.sha256(OWN_RULES.read_bytes()).hexdigest()


@cache
def gate_code() -> str:
    """Release and SHA-256 of the code that applies the rules."""
    here = Path(__file__).parent
    files = [here / "promotion.py", Path(__file__), *sorted((here / "gate").glob("*.py"))]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return f"complication-risk {installed_version('complication-risk')} {digest[:16]}"


def _verdict(decision: Decision, override: str | None) -> tuple[str, str | None]:
    if decision.passed:
        return PASSED, None
    if override is None:
        return FAILED, None
    fixed = [finding.rule for finding in decision.failed if not finding.can_be_lifted]
    if fixed:
        raise OverrideRefused(
            f"{', '.join(fixed)} cannot be overridden: {REAL_STAYS.expected}; simulated patients "
            "prove nothing about real ones, whatever the reason"
        )
    if not decision.findings:
        raise OverrideRefused("no rule of the gate applies, so there is nothing to answer for")
    return OVERRIDDEN, override.strip()


def _refuse_moved(registry: Registry, name: str, before: str | None) -> None:
    """See that the champion is still the one it was: two people may promote at once.

    MLflow moves an alias without a condition, so while a decision is written it cannot be seen; in the
    minutes of judging it can.
    """
    now = registry.aliases([name], CHAMPION).get(name)
    if now != before:
        was, found = (f"version {v}" if v else "nobody" for v in (before, now))
        raise ChampionMoved(
            f"{name}: the champion was {was} and is {found} now; nothing was written, begin again"
        )


def _move(registry: Registry, name: str, move: Move) -> None:
    registry.tag_model(name, *move.tag())
    registry.set_alias(name, CHAMPION, move.after)


def _rival(registry: Registry, name: str, version: str, vocabulary: Vocabulary) -> Proven | str:
    """The champion, or why it cannot be compared with: then the rules beside it do not hold."""
    try:
        return _proven(registry, name, version, vocabulary)
    except (BundleRefused, ModelNotFound) as error:
        return f"the champion, version {version}, cannot be proven: {error}"


def _proven(registry: Registry, name: str, version: str, vocabulary: Vocabulary) -> Proven:
    found = registry.version(name, version)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bundle"
        registry.download(name, version, target)
        bundle: Bundle = read_bundle(target, found.digest)
    return Proven(version, bundle, prove(bundle, name, vocabulary))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def account_name() -> str:
    """Of the process's account; the environment, which anybody can set, is not asked."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
