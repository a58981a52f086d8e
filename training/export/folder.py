"""Writing an export: statement, report, signature; all of it or nothing."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from models.tripwire import find_in_bytes
from models.vocabulary import OWN_CONTENT
from models.vocabulary.coarsening import SIGNIFICANT_DIGITS
from monitoring.keyring import Key
from training.export.attacks import Attack, attack
from training.export.errors import ExportRefused
from training.export.export import Export
from training.export.manifest import FILES, MANIFEST, REPORT, ROWS, SOURCE
from training.export.report import report
from training.export.rules import Rules
from training.export.source_file import source_file
from training.export.suppression import suppress
from training.export.verify import verify
from training.signing import canonical, fingerprint, public_key, sha256, sign

PRODUCT = "complication-risk"


@dataclass(frozen=True, slots=True)
class Written:
    """An export on disk."""

    statement: Mapping[str, Any]
    attacks: tuple[Attack, ...]


def refuse_taken(folder: Path) -> None:
    """Refuse a folder that holds something already.

    Raises
    ------
    ExportRefused
    """
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise ExportRefused(f"{folder} cannot be written: {error.strerror}") from None
    if taken:
        raise ExportRefused(f"{folder} is there already; name a new folder, nothing is overwritten")


def write_export(
    export: Export,
    folder: Path,
    *,
    rules: Rules,
    key: Key,
    made_on: date,
    reviewer: str | None = None,
    site: Path | None = None,
    further_rules: Mapping[str, bytes] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Written:
    """Attack the export, then write its files beside `folder` and move them there in one step.

    Parameters
    ----------
    export : Export
    folder : Path
        Must not exist, or be empty. Readable by its owner only.
    rules : Rules
    key : Key
        The newest export key of the keyring.
    made_on : date
    reviewer : str, optional
        Who looked at it.
    site : Path, optional
        A site's own content folder, for the hash of the rules.
    further_rules : mapping, optional
        Name -> content of further rule files that were applied before the rows came here.

    Raises
    ------
    ExportRefused
        The folder is taken, an attack that must be blocked is not, or the disk refuses. Nothing is
        left behind.
    """
    refuse_taken(folder)
    attacks = attack(export, rules)
    progress(0.6)
    for tried in attacks:
        if not tried.blocked and not tried.accepted:
            raise ExportRefused(
                f"the attack `{tried.name}` succeeds ({tried.found}); nothing was written"
            )
    public = public_key(key)
    statement = _statement(export, rules, made_on, reviewer, site, further_rules or {})
    files = {
        ROWS: _sheet(export),
        SOURCE: source_file(export).encode("utf-8"),
        REPORT: report({**statement, "fingerprint": fingerprint(public)}, attacks).encode("utf-8"),
    }
    statement["attacks"] = [
        {"name": a.name, "verdict": a.verdict, "found": a.found} for a in attacks
    ]
    statement["files"] = {
        name: {"sha256": sha256(files[name]), "bytes": len(files[name])} for name in FILES
    }
    # The sheet was read cell by cell; lines of numbers side by side look like anything.
    for name in (SOURCE, REPORT):
        _refuse_identifiers(name, files[name])
    _refuse_identifiers(MANIFEST, canonical({k: v for k, v in statement.items() if k != "files"}))
    try:
        _write(folder, {**files, MANIFEST: sign(statement, key)}, public)
    except OSError as error:
        raise ExportRefused(f"{folder} cannot be written: {error.strerror}") from None
    progress(0.4)
    return Written(statement, attacks)


def _sheet(export: Export) -> bytes:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(export.lines())
    return sink.getvalue().encode("utf-8")


def _refuse_identifiers(name: str, content: bytes) -> None:
    if kinds := {finding.kind for finding in find_in_bytes(content)}:
        raise ExportRefused(
            f"{name} would hold what looks like: {', '.join(sorted(kinds))}; look at the source's "
            "title, citation, licence and the reviewer's name; nothing was written"
        )


def _write(folder: Path, files: Mapping[str, bytes], public: bytes) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(
        tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent)
    )
    try:
        for name, content in files.items():
            descriptor = os.open(partial / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as sink:
                sink.write(content)
                sink.flush()
                os.fsync(sink.fileno())
        # What cannot be read back is not handed over.
        verify(partial, {public})
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _statement(
    export: Export,
    rules: Rules,
    made_on: date,
    reviewer: str | None,
    site: Path | None,
    further_rules: Mapping[str, bytes],
) -> dict[str, Any]:
    origin = export.origin
    left_out = suppress(export.left_out, smallest=rules.k)
    n = len(export.numbers)
    return {
        "product": PRODUCT,
        "version": version(PRODUCT),
        "made_on": made_on.isoformat(),
        "reviewer": reviewer,
        "source": {
            "name": origin.name,
            "title": origin.title,
            "citation": origin.citation,
            "licence": origin.licence,
            "training_data": origin.training_data,
            "branch_point": origin.branch_point,
            "held_out_rule": f"rows whose number is divisible by {origin.divisible_by}",
        },
        "rules": _rules_hash(rules, origin.branch_point, site, further_rules),
        "rows": {
            "in": None if left_out.total is None else n + left_out.total,
            "out": n,
            "fitting": n - export.held_out,
            "held_out": export.held_out,
        },
        "left_out": dict(left_out.cells),
        "rule_hits": {
            rule: suppress({rule: hits}, smallest=rules.k).cells[rule]
            for rule, hits in export.hits.items()
        },
        "outcomes": _outcomes(export, rules),
        "quasi_identifiers": [
            {
                "feature": ladder.feature.name,
                "told": told,
                "rung": rung + 1,
                "rungs": len(ladder.steps),
            }
            for ladder, rung, told in zip(
                export.ladders, export.rungs, export.generalised().values(), strict=True
            )
        ],
        "written_as": "A band of a quasi-identifier is written as one number for all in it: its middle, or what the rules declare.",
        "k": {"asked": rules.k, "achieved": export.k},
        "l": {"asked": rules.l, "achieved": dict(export.l)},
        "largest_left_out": rules.largest_left_out,
    }


def _rules_hash(
    rules: Rules, branch_point: str, site: Path | None, further_rules: Mapping[str, bytes]
) -> dict[str, Any]:
    named = {"disclosure.toml": rules.content, **further_rules}
    point = f"branch_points/{branch_point}.toml"
    for where, folder in (("", OWN_CONTENT), ("site/", site)):
        for name in ("features.toml", "outcomes.toml", point):
            if folder is not None and (folder / name).is_file():
                named[where + name] = (folder / name).read_bytes()
    parts = {name: sha256(content) for name, content in sorted(named.items())}
    coarsening = {"significant_digits": SIGNIFICANT_DIGITS}
    return {
        "disclosure_version": rules.version,
        "coarsening": coarsening,
        "parts": parts,
        "sha256": sha256(canonical({"parts": parts, "coarsening": coarsening})),
    }


def _outcomes(export: Export, rules: Rules) -> dict[str, dict[str, int | None]]:
    told: dict[str, dict[str, int | None]] = {}
    for i, outcome in enumerate(export.outcomes):
        if outcome.kind != "binary":
            continue
        column = export.labels[:, i]
        counts = {
            "event": int((column == 1).sum()),
            "no_event": int((column == 0).sum()),
            "unknown": int(np.isnan(column).sum()),
        }
        # How many rows leave can be counted in the sheet.
        told[outcome.name] = dict(suppress(counts, smallest=rules.k, total_is_public=True).cells)
    return told
