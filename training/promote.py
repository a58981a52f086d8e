"""Moving the `champion` alias, if and only if the gate holds."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from models.bundle import prove, read_bundle
from models.registry import CHAMPION, Registry
from models.vocabulary import Vocabulary
from training.promotion import Decision, decide, load_rules


def promote_version(
    registry: Registry, name: str, version: str, vocabulary: Vocabulary
) -> Decision:
    """Prove a version, judge it by `promotion.toml`, and make it champion when every rule holds.

    The decision is written to the version as tags either way.

    Raises
    ------
    ModelNotFound
        When there is no such version.
    BundleRefused
        When the version cannot be proven.
    """
    evaluation = _evaluation(registry, name, version, vocabulary)
    present = registry.aliases([name], CHAMPION).get(name)
    rival = None
    if present is not None and present != version:
        rival = _evaluation(registry, name, present, vocabulary)
    branch_point, outcome = name.split(".", 1)
    decision = decide(
        vocabulary.outcomes[outcome].kind, branch_point, outcome, evaluation, rival, load_rules()
    )
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
