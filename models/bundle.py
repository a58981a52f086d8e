"""A model on disk: text, JSON and Markdown only, with a SHA-256 per file.

Layout of a bundle folder (format 1):

    manifest.json     format, and the SHA-256 of every other file
    model.json        inputs, additive part, calibration, interval, abstention
    trees.txt         LightGBM text, when the model has trees
    example.json      a stored example and what the model must answer to it
    reference.json    bins and shares for drift
    evaluation.json   held-out figures
    card.json card.md the model card

The digest of a bundle is the SHA-256 of its manifest. Files are read once, checked, and parsed from
the bytes that were checked. Nothing is unpickled, ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import BundleRefused
from models.risk.assessment import Answered
from models.risk.risk_model import RiskModel
from models.tripwire import find_in_bytes
from models.vocabulary import Vocabulary

FORMAT = 1
MANIFEST = "manifest.json"
NEEDED = ("model.json", "example.json", "reference.json", "evaluation.json", "card.json", "card.md")
OPTIONAL = ("trees.txt",)
LARGEST_FILE_BYTES = 64 * 1024 * 1024
PROOF_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Bundle:
    """The checked files of one model version.

    Attributes
    ----------
    digest : str
        `sha256:` and the hash of the manifest.
    files : mapping
        File name to the bytes that were checked.
    """

    digest: str
    files: Mapping[str, bytes]

    def document(self, name: str) -> dict[str, Any]:
        """Parse one JSON file of the bundle.

        Raises
        ------
        BundleRefused
            When it is not a JSON object.
        """
        try:
            document = json.loads(self.files[name])
        except (KeyError, ValueError, RecursionError) as error:
            raise BundleRefused(f"{name} is not JSON") from error
        if not isinstance(document, dict):
            raise BundleRefused(f"{name} is not a JSON object")
        return document

    def model(self) -> RiskModel:
        """Build the model.

        Raises
        ------
        BundleRefused
            When the document or the trees are malformed.
        """
        trees = self.files.get("trees.txt")
        try:
            text = None if trees is None else trees.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BundleRefused("trees.txt is not UTF-8") from error
        return RiskModel.from_document(self.document("model.json"), text)


def write_bundle(directory: Path, files: Mapping[str, bytes]) -> str:
    """Write the files and their manifest into a new folder; return the digest.

    Raises
    ------
    BundleRefused
        When a needed file is missing, one is not part of the format, or the tripwire sees an
        identifier of a person in one.
    """
    _refuse_strangers(set(files))
    _refuse_identifiers(files)
    directory.mkdir(parents=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    manifest = {
        "format": FORMAT,
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    content = (json.dumps(manifest, indent=1) + "\n").encode()
    (directory / MANIFEST).write_bytes(content)
    return digest_of(content)


def _refuse_identifiers(files: Mapping[str, bytes]) -> None:
    """A bundle travels between hospitals: nothing in it may name a patient."""
    for name, content in files.items():
        if found := find_in_bytes(content):
            kinds = ", ".join(sorted({finding.kind for finding in found}))
            raise BundleRefused(f"{name} holds what looks like an identifier ({kinds})")


def digest_of(manifest: bytes) -> str:
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def read_bundle(directory: Path, expected_digest: str | None = None) -> Bundle:
    """Read a bundle and hold every byte against its manifest.

    Parameters
    ----------
    directory : Path
        The bundle's folder.
    expected_digest : str, optional
        What the registry recorded when the version was published.

    Raises
    ------
    BundleRefused
        Naming the file and what is wrong with it.
    """
    try:
        names = {path.name for path in directory.iterdir()}
    except OSError as error:
        raise BundleRefused(f"bundle cannot be read: {error.strerror}") from error
    if MANIFEST not in names:
        raise BundleRefused(f"{MANIFEST} is missing")
    _refuse_strangers(names - {MANIFEST})
    manifest = _read(directory / MANIFEST)
    digest = digest_of(manifest)
    if expected_digest is not None and digest != expected_digest:
        raise BundleRefused(f"{MANIFEST} is not the one that was published")
    try:
        document = json.loads(manifest)
        declared = dict(document["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleRefused(f"{MANIFEST} is malformed") from error
    if document.get("format") != FORMAT:
        raise BundleRefused(f"{MANIFEST}: format {FORMAT} expected")
    if set(declared) != names - {MANIFEST}:
        raise BundleRefused(f"{MANIFEST} and the folder name different files")
    files = {}
    for name in sorted(declared):
        content = _read(directory / name)
        if hashlib.sha256(content).hexdigest() != declared[name]:
            raise BundleRefused(f"{name} does not match its SHA-256")
        files[name] = content
    _refuse_identifiers(files)
    return Bundle(digest, files)


def prove(bundle: Bundle, name: str, vocabulary: Vocabulary) -> RiskModel:
    """Build a bundle's model and prove it before it may serve.

    Checks: it is the model that was asked for, for an outcome of its kind; every input exists in the dictionary with the same
    unit and categories and can be known at the branch point; the stored examples give the stored
    answers; the reasons add up.

    Raises
    ------
    BundleRefused
        Naming what does not hold.
    """
    model = bundle.model()
    if model.name != name or name != f"{model.branch_point}.{model.outcome}":
        raise BundleRefused(f"holds `{model.name}`, expected `{name}`")
    point = vocabulary.branch_points.get(model.branch_point)
    if point is None or model.outcome not in point.outcomes:
        raise BundleRefused("its branch point does not declare this outcome")
    declared = vocabulary.outcomes[model.outcome].kind
    if model.kind != declared:
        raise BundleRefused(f"predicts a {model.kind} outcome, `{model.outcome}` is {declared}")
    for item in model.inputs:
        feature = vocabulary.features.get(item.name)
        if feature is None:
            raise BundleRefused(f"input `{item.name}` is not in the dictionary")
        if (feature.kind, feature.unit, feature.categories) != (
            item.kind, item.unit, item.categories,
        ):  # fmt: skip
            raise BundleRefused(f"input `{item.name}` changed its unit or categories since fitting")
        if not vocabulary.can_be_known(item.name, model.branch_point):
            raise BundleRefused(f"input `{item.name}` cannot be known at `{model.branch_point}`")
    examples = bundle.document("example.json").get("examples") or []
    if not examples:
        raise BundleRefused("example.json holds no example")
    for example in examples:
        _prove_example(model, example)
    return model


def _prove_example(model: RiskModel, example: Mapping[str, Any]) -> None:
    try:
        answer = model.assess(example["values"])
        score, expected = example["score"], dict(example["contributions"])
        if set(expected) != set(model.features):
            raise BundleRefused("its example names other inputs")
        reasons = np.array([expected[name] for name in model.features], dtype=np.float64)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BundleRefused("example.json is malformed") from error
    if not isinstance(score, float):
        raise BundleRefused("example.json is malformed")
    if not isinstance(answer, Answered):
        raise BundleRefused("abstains on its own example")
    # Written so that NaN, which compares as false, is refused.
    if not abs(answer.score - score) <= PROOF_TOLERANCE:
        raise BundleRefused("does not reproduce its own example")
    if not np.abs(answer.contributions - reasons).max(initial=0.0) <= PROOF_TOLERANCE:
        raise BundleRefused("does not reproduce the reasons of its own example")
    total = answer.base_value + float(answer.contributions.sum())
    if not abs(total - answer.score) <= PROOF_TOLERANCE:
        raise BundleRefused("its reasons do not add up on its own example")


def _refuse_strangers(names: set[str]) -> None:
    if missing := set(NEEDED) - names:
        raise BundleRefused(f"{', '.join(sorted(missing))} missing")
    if strangers := names - set(NEEDED) - set(OPTIONAL):
        shown = ", ".join(sorted(strangers)[:3])
        raise BundleRefused(
            f"{shown} is not part of the format (text, JSON and Markdown only; nothing is unpickled)"
        )


def _read(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise BundleRefused(f"{path.name} is not a plain file")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise BundleRefused(f"{path.name} is larger than {LARGEST_FILE_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BundleRefused(f"{path.name} cannot be read: {error.strerror}") from error
