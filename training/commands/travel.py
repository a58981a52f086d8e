"""`risk-train pack`, `unpack` and `inspect-pack`: a model to another hospital as one signed file."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.errors import BundleRefused
from models.registry import Registry
from models.vocabulary import load_vocabulary
from monitoring.keyring import EXPORT, FILE_NAME
from training.commands.options import DEFAULT_VAR, AsJson, Keys, Site, Var, tell
from training.signing import MODEL_MAKERS, fingerprint, public_key, signing_keyring, trusted_keys
from training.travel import (
    NOT_STATED,
    Pack,
    PackRefused,
    find_version,
    prove_pack,
    read_pack,
    read_pack_file,
)
from training.travel import pack as pack_version
from training.travel import unpack as unpack_version

SUFFIX = ".riskpack"
File = Annotated[Path, typer.Argument(help="For example: icu-review.death_180d.riskpack")]
Makers = Annotated[
    list[Path] | None,
    typer.Option("--trusted-model-maker", help="Public key of a maker; may be repeated."),
]


def pack(
    model: Annotated[str, typer.Argument(help="NAME, NAME@alias or NAME/VERSION.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write, *.riskpack.")],
    packed_by: Annotated[
        str, typer.Option("--packed-by", help="The organisation that hands it over.")
    ] = NOT_STATED,
    licence: Annotated[
        str, typer.Option("--licence", help="Under which the model is handed over.")
    ] = NOT_STATED,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Write a version as one signed file: model, card, evaluation, reference profile, lineage."""
    if out.suffix != SUFFIX:
        raise PackRefused(f"{out} must end in {SUFFIX}")
    if out.exists():
        raise PackRefused(f"{out} is there already; nothing is overwritten")
    if not out.parent.is_dir():
        raise PackRefused(f"{out} cannot be written: {out.parent} is no folder")
    registry = Registry.at(var)
    version = find_version(registry, model)
    key = signing_keyring(keys or var / FILE_NAME).newest(EXPORT)
    with tell.status(f"Packing {version.name} version {version.version}"):
        made = pack_version(
            registry, version, load_vocabulary(content), key, packed_by=packed_by, licence=licence
        )
        _write(out, made.content)
    signer = fingerprint(public_key(key))
    if as_json:
        document = {"file": str(out), "bytes": len(made.content), "signer": signer}
        print(json.dumps({**document, **made.manifest}, ensure_ascii=False))
        return
    tell.print(
        f"{out}: {version.name} version {version.version}, {len(made.content)} bytes, "
        f"signed by {signer}", highlight=False, soft_wrap=True, markup=False,
    )  # fmt: skip
    if licence == NOT_STATED:
        tell.print("the model's licence is not stated; --licence says it", style="yellow")


def unpack(
    file: File,
    promote: Annotated[
        str, typer.Option("--promote", help="Only `no`: an alias is moved by `risk-train promote`.")
    ] = "no",
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Makers = None,
    as_json: AsJson = False,
) -> None:
    """Register a pack that somebody trusted signed as a version; no alias is moved."""
    if promote != "no":
        raise PackRefused("unpack promotes nothing; run `risk-train promote` when it was validated")
    pack = _named(file, trusted_keys(keys or var / FILE_NAME, var, trusted or (),
                                     folder=MODEL_MAKERS))  # fmt: skip
    with tell.status(f"Registering {pack.name}"):
        found = unpack_version(pack, Registry.at(var), load_vocabulary(content))
    if as_json:
        version = found.version
        print(json.dumps({"name": version.name, "version": version.version,
                          "digest": version.digest, "was_there": found.was_there,
                          "signer": pack.signer}))  # fmt: skip
        return
    state = "is there already" if found.was_there else "registered, and serves nobody yet"
    tell.print(f"{pack.name} version {found.version.version}: {state}", highlight=False)


def inspect_pack(
    file: File,
    var: Var = DEFAULT_VAR,
    content: Site = None,
    keys: Keys = None,
    trusted: Makers = None,
    as_json: AsJson = False,
) -> None:
    """Print what a pack holds and who signed it; nothing is registered."""
    pack = _named(file, None)
    known = trusted_keys(keys or var / FILE_NAME, var, trusted or (), folder=MODEL_MAKERS)
    document = _document(pack, trusted=pack.public in known)
    # What a stranger signed is described, and not built.
    document["proves_itself"] = _proof(pack, content) if document["trusted"] else NOT_TRIED
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
        return
    table = Table("what", "found", title=f"{file.name}, unchanged since it was signed")
    for label, value in _lines(document):
        table.add_row(Text(_printable(label)), Text(_printable(value)))
    Console().print(table)


NOT_TRIED = "not tried: the signer is not trusted"


def _named(file: Path, trusted: frozenset[bytes] | None) -> Pack:
    content = read_pack_file(file)
    try:
        return read_pack(content, trusted)
    except PackRefused as error:
        raise PackRefused(f"{file}: {error}") from None


def _document(pack: Pack, *, trusted: bool) -> dict[str, Any]:
    claims = {k: v for k, v in pack.manifest.items() if k not in ("signature", "signed_by")}
    return {
        "digest": pack.digest,
        "signer": pack.signer,
        "public_key": pack.public.hex(),
        "trusted": trusted,
        **claims,
    }


def _proof(pack: Pack, content: Path | None) -> str:
    try:
        prove_pack(pack, load_vocabulary(content))
    except (BundleRefused, PackRefused) as error:
        return f"no: {error}"
    return "yes"


def _lines(document: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("model", str(document["name"])),
        ("signed by", document["signer"]),
        ("trusted here", "yes" if document["trusted"] else "NO"),
        ("proves itself here", str(document["proves_itself"])),
        ("packed by", str(document["packed_by"])),
    ]
    for part in ("origin", "lineage", "licence", "dependencies"):
        lines += [
            (f"{part}: {key.replace('_', ' ')}", _text(value))
            for key, value in document[part].items()
        ]
    return lines + [
        (name, f"{entry['bytes']} bytes, sha256 {entry['sha256'][:12]}…")
        for name, entry in document["files"].items()
    ]


def _printable(said: str) -> str:
    """A stranger's words without what a terminal would take for an order."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in said)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write(out: Path, content: bytes) -> None:
    """All of it or nothing, and never over another file."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        try:
            with os.fdopen(descriptor, "wb") as sink:
                sink.write(content)
                sink.flush()
                os.fsync(sink.fileno())
            os.link(name, out)
        finally:
            Path(name).unlink()
    except OSError as error:
        raise PackRefused(f"{out} cannot be written: {error.strerror}") from None
