"""A pack becomes a version of the registry here; no alias is moved, ever.

What it is worth here is for this hospital to find out: by external validation, recalibration and
the gate, like any version.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.bundle import Bundle, prove, read_bundle
from models.card import card_page
from models.registry import Registry, Run, Version
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from training.publish import MLFLOW_TYPES, figures
from training.travel.errors import PackRefused
from training.travel.reading import MANIFEST, Pack


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The version that holds a pack's bundle, and whether it was there before."""

    version: Version
    was_there: bool


def prove_pack(pack: Pack, vocabulary: Vocabulary) -> RiskModel:
    """Build and prove a pack's model with the dictionary of this installation.

    Raises
    ------
    BundleRefused
        Naming what does not hold.
    PackRefused
        When the manifest calls simulated patients real, or real ones simulated.
    """
    with _on_disk(pack) as folder:
        return _proven(pack, folder, vocabulary)[1]


def unpack(pack: Pack, registry: Registry, vocabulary: Vocabulary) -> Unpacked:
    """Prove a pack's bundle and register it, unless the same bundle is registered already.

    Parameters
    ----------
    pack : Pack
        From `read_pack`, with the keys that are trusted.

    Raises
    ------
    BundleRefused, PackRefused
        As `prove_pack`.
    RegistryUnreachable
        When MLflow does not answer.
    """
    with _on_disk(pack) as folder:
        bundle, model = _proven(pack, folder, vocabulary)
        for version in registry.versions(pack.name):
            if version.digest == bundle.digest:
                return Unpacked(version, was_there=True)
        return Unpacked(registry.publish(pack.name, folder, _run(pack, bundle, model)), False)


def _proven(pack: Pack, folder: Path, vocabulary: Vocabulary) -> tuple[Bundle, RiskModel]:
    bundle = read_bundle(folder, pack.said("origin", "digest"))
    model = prove(bundle, pack.name, vocabulary)
    if pack.said("lineage", "training_data") != model.training_data:
        raise PackRefused(f"{MANIFEST} does not say what its model was fitted on; not used")
    return bundle, model


def _run(pack: Pack, bundle: Bundle, model: RiskModel) -> Run:
    # The fingerprint of the training is kept under another name: a run here that finds it under its
    # own would think that the version is its own work.
    return Run(
        parameters={"pack": pack.digest},
        metrics=dict(figures(bundle.document("evaluation.json"))),
        tags={
            "branch_point": model.branch_point,
            "outcome": model.outcome,
            "training_data": model.training_data,
            "source": pack.said("lineage", "source"),
            **travel_tags(pack),
        },
        pictures={"card.html": card_page(bundle.document("card.json")).encode()},
        columns={item.name: MLFLOW_TYPES[item.kind] for item in model.inputs},
    )


def travel_tags(pack: Pack) -> Mapping[str, str]:
    """Where a version came from, as it is written to the registry."""
    return {
        "packed_by": pack.said("packed_by"),
        "signer_fingerprint": pack.signer,
        "pack_digest": pack.digest,
        "origin_name": pack.said("origin", "name"),
        "origin_version": pack.said("origin", "version"),
        "origin_digest": pack.said("origin", "digest"),
        "origin_training_fingerprint": pack.said("lineage", "training_fingerprint"),
        "model_licence": pack.said("licence", "model"),
        "training_data_licence": pack.said("licence", "training_data"),
    }


@contextmanager
def _on_disk(pack: Pack) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        bundle.mkdir()
        for name, content in pack.files.items():
            (bundle / name).write_bytes(content)
        yield bundle
