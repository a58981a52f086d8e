"""`risk-train card`: the model card of a registered version, as a page, JSON or XML."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from models.bundle import read_bundle
from models.card import card_page, chai_card, source_attributes
from models.card.said import text
from models.registry import Registry, Version
from training.commands.options import DEFAULT_VAR, Var, tell
from training.errors import TrainingError
from training.travel import find_version

# What the registry says of a version, in the order and the words in which a page says it.
SAID = {
    "gate": "Gate",
    "gate_failed": "Rules that failed",
    "override": "Promoted all the same, because",
    "override_reason": "Promoted all the same, because",
    "local_validation": "Validated where it is used",
    "packed_by": "Packed by",
    "signer_fingerprint": "Signed by",
    "origin_name": "There named",
    "origin_version": "There version",
    "model_licence": "Licence of the model",
}
UNSAID = (None, "", "[]")


class CardFormUnclear(TrainingError):
    """More than one form of a card was asked for."""


def card(
    model: Annotated[str, typer.Argument(help="NAME, NAME@alias or NAME/VERSION.")],
    as_html: Annotated[bool, typer.Option("--html", help="A page of HTML.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="card.json as it was published.")] = False,
    as_xml: Annotated[
        bool, typer.Option("--xml", help="The applied model card of CHAI, schema v0.2.")
    ] = False,
    var: Var = DEFAULT_VAR,
) -> None:
    """Print the card of a version; without a form, its Markdown and what nobody has stated."""
    if as_html + as_json + as_xml > 1:
        raise CardFormUnclear("give one of --html, --json and --xml")
    registry = Registry.at(var)
    version = find_version(registry, model)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "bundle"
        registry.download(version.name, version.version, target)
        bundle = read_bundle(target, version.digest)
    document = bundle.document("card.json")
    if as_html:
        sys.stdout.write(card_page(document, _standing(version)))
    elif as_xml:
        standing = {"version": version.version, "digest": version.digest or ""}
        sys.stdout.write(chai_card(document, standing).decode("utf-8"))
    elif as_json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        sys.stdout.write(bundle.files["card.md"].decode("utf-8"))
        _tell_unsaid(document)


def _standing(version: Version) -> dict[str, str]:
    said = {"Version": version.version, "Digest": version.digest or "not recorded"}
    tags = {
        label: version.tags[tag]
        for tag, label in SAID.items()
        if version.tags.get(tag) not in UNSAID
    }
    return said | tags


def _tell_unsaid(document: Mapping[str, Any]) -> None:
    unsaid = [one for one in source_attributes(document) if one.answer is None]
    name = text(document, "name") or "the model"
    tell.print(f"not stated of {name} ({len(unsaid)} of 31 source attributes):", style="yellow")
    for one in unsaid:
        tell.print(f"  {one.place} {one.text}", highlight=False, soft_wrap=True)
