"""Moving the `champion` alias, if and only if the gate holds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.bundle import prove, read_bundle
from models.registry import CHAMPION, Registry
from models.vocabulary import Vocabulary
from training.promotion import Decision, Finding, decide, load_rules

TAG, SYNTHETIC = "training_data", "synthetic"
# Not a row of promotion.toml: no site may loosen it.
REAL_STAYS = Finding(
    "real-patients-first",
    "training_data",
    None,
    "not simulated patients in the place of a champion fitted on real ones",
    False,
)


def promote_version(
    registry: Registry,
    name: str,
    version: str,
    vocabulary: Vocabulary,
    evaluation: Mapping[str, Any] | None = None,
) -> Decision:
    """Prove a version, judge it by `promotion.toml`, and make it champion when every rule holds.

    The decision is written to the version as tags either way. A version fitted on simulated
    patients never takes the place of one fitted on real ones; the other way round, the two are not
    compared, as they were judged on patients of different worlds.

    Parameters
    ----------
    evaluation : mapping, optional
        Of a version that this process has just proven and registered; read back without it.

    Raises
    ------
    ModelNotFound
        When there is no such version.
    BundleRefused
        When the version cannot be proven.
    """
    if evaluation is None:
        evaluation = _evaluation(registry, name, version, vocabulary)
    present = registry.aliases([name], CHAMPION).get(name)
    rival, real_stays = None, False
    if present is not None and present != version:
        own, its = (registry.version(name, v).tags.get(TAG) for v in (version, present))
        real_stays = own == SYNTHETIC and its != SYNTHETIC
        if (own == SYNTHETIC) == (its == SYNTHETIC):
            rival = _evaluation(registry, name, present, vocabulary)
    branch_point, outcome = name.split(".", 1)
    decision = decide(
        vocabulary.outcomes[outcome].kind, branch_point, outcome, evaluation, rival, load_rules()
    )
    if real_stays:
        decision = Decision(False, (*decision.findings, REAL_STAYS))
    failed = [finding.rule for finding in decision.findings if not finding.passed]
    tags = {"gate": "passed" if decision.passed else "failed", "gate_failed": json.dumps(failed)}
    registry.tag(name, version, tags)
    if decision.passed:
        registry.set_alias(name, CHAMPION, version)
    return decision


def _evaluation(
    registry: Registry, name: str, version: str, vocabulary: Vocabulary
) -> dict[str, Any]:
    found = registry.version(name, version)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bundle"
        registry.download(name, version, target)
        bundle = read_bundle(target, found.digest)
        prove(bundle, name, vocabulary)
        return bundle.document("evaluation.json")
