"""One version as one signed file: the bundle as it is registered, and who says what about it.

    pack.json          the signed manifest: origin, lineage, dependencies, licences, and the size and
                       SHA-256 of every other file
    bundle/…           the bundle's own files: model, card, evaluation, reference profile, manifest

The same version, packed by the same installation, gives the same bytes: no date, no alias.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from models.bundle import FORMAT as BUNDLE_FORMAT
from models.bundle import MANIFEST as BUNDLE_MANIFEST
from models.bundle import Bundle, prove, read_bundle
from models.errors import ModelNotFound
from models.registry import CHAMPION, Registry, Version
from models.tripwire import find_in_bytes
from models.vocabulary import Vocabulary
from monitoring.keyring import Key
from training.publish import FINGERPRINT_TAG
from training.signing import canonical, public_key, sha256, sign
from training.travel.archive import write_archive
from training.travel.errors import PackRefused
from training.travel.reading import FOLDER, KIND, MANIFEST, PRODUCT, read_pack

NOT_STATED = "not stated"
RUNS_WITH = ("numpy",)


@dataclass(frozen=True, slots=True)
class Packed:
    """A pack's bytes and its signed statement."""

    manifest: Mapping[str, Any]
    content: bytes = field(repr=False)


def find_version(registry: Registry, wanted: str) -> Version:
    """Look up `NAME`, `NAME@alias` or `NAME/VERSION`; a bare name means its champion.

    Raises
    ------
    ModelNotFound
        When nothing is registered there.
    """
    name, at, alias = wanted.partition("@")
    if at or "/" not in wanted:
        alias = alias or CHAMPION
        number = registry.aliases([name], alias).get(name)
        if number is None:
            raise ModelNotFound(f"{name} has no {alias}; see `risk-train models`, or give {name}/1")
        return registry.version(name, number)
    name, _, number = wanted.partition("/")
    try:
        return registry.version(name, number)
    except ModelNotFound:
        raise ModelNotFound(f"no version {number} of {name} is registered") from None


def pack(
    registry: Registry,
    version: Version,
    vocabulary: Vocabulary,
    key: Key,
    *,
    packed_by: str = NOT_STATED,
    licence: str = NOT_STATED,
) -> Packed:
    """Prove a version and write it as one signed file.

    Parameters
    ----------
    key : Key
        The newest export key of the keyring.
    packed_by : str
        The organisation that hands it over, in words.
    licence : str
        Under which the model is handed over; that of its training data stands in its card.

    Raises
    ------
    BundleRefused
        When the version does not prove itself.
    PackRefused
        When the statement would hold what looks like an identifier of a person.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bundle"
        registry.download(version.name, version.version, target)
        prove(read_bundle(target, version.digest), version.name, vocabulary)
        return seal(version, target, key, packed_by=packed_by, licence=licence)


def seal(
    version: Version,
    bundle: Path,
    key: Key,
    *,
    packed_by: str = NOT_STATED,
    licence: str = NOT_STATED,
) -> Packed:
    """Write a bundle's folder that was proven as one signed file.

    Raises
    ------
    BundleRefused
        When the folder is not the version's bundle.
    PackRefused
        When the statement would hold what looks like an identifier of a person.
    """
    held = read_bundle(bundle, version.digest)
    files = {**held.files, BUNDLE_MANIFEST: (bundle / BUNDLE_MANIFEST).read_bytes()}
    statement = _statement(version, held, packed_by, licence)
    if found := find_in_bytes(canonical(statement)):
        kinds = ", ".join(sorted({finding.kind for finding in found}))
        raise PackRefused(f"{MANIFEST} would hold what looks like an identifier ({kinds})")
    statement["files"] = {
        FOLDER + name: {"sha256": sha256(files[name]), "bytes": len(files[name])}
        for name in sorted(files)
    }
    content = write_archive(
        {MANIFEST: sign(statement, key)} | {FOLDER + name: files[name] for name in sorted(files)}
    )
    # What cannot be read back is not handed over.
    return Packed(read_pack(content, {public_key(key)}).manifest, content)


def _statement(version: Version, bundle: Bundle, packed_by: str, licence: str) -> dict[str, Any]:
    card = bundle.document("card.json")
    cohort = card.get("cohort")
    told = cohort if isinstance(cohort, dict) else {}
    return {
        "kind": KIND,
        "product": PRODUCT,
        "name": version.name,
        "packed_by": packed_by,
        "origin": {"name": version.name, "version": version.version, "digest": bundle.digest},
        "lineage": {
            "source": version.tags.get("source", NOT_STATED),
            "title": told.get("title", NOT_STATED),
            "citation": told.get("citation", NOT_STATED),
            "training_data": bundle.document("model.json").get("training_data", NOT_STATED),
            "training_fingerprint": version.tags.get(FINGERPRINT_TAG) or NOT_STATED,
            **_made(card),
        },
        # Those with which it was proven a moment ago.
        "dependencies": {
            "bundle_format": str(BUNDLE_FORMAT),
            PRODUCT: installed(PRODUCT),
            "python": platform.python_version(),
            **{name: installed(name) for name in RUNS_WITH},
        },
        "licence": {"model": licence, "training_data": told.get("licence", NOT_STATED)},
    }


def _made(card: Mapping[str, Any]) -> dict[str, Any]:
    """What the card itself says of how the model was made."""
    lineage = card.get("lineage")
    return {"made": lineage} if isinstance(lineage, dict) else {}
