"""What training may read: a cohort as it is, or an export whose manifest was verified first."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection
from pathlib import Path

from models.errors import ContentInvalid
from models.vocabulary import Vocabulary
from models.vocabulary.content import Row
from training.cohort import Readable
from training.export.manifest import MANIFEST, ROWS, SOURCE
from training.export.verify import CheckedFile, verify
from training.signing import ManifestRefused
from training.sources.source import Source, load_source, parse_source, source_names


def admit(
    name: str,
    given: Path | None,
    vocabulary: Vocabulary,
    trusted: Callable[[], Collection[bytes]],
) -> tuple[Source, Readable | None]:
    """Open a source and its rows; what lies beside a manifest is verified before it is read.

    Parameters
    ----------
    name : str
        A source's name, the path of a mapping, or the folder of an export.
    given : Path, optional
        The file with the rows, or the folder of an export.
    vocabulary : Vocabulary
    trusted : callable
        Gives the public keys whose exports are trained on; asked only when there is a manifest.

    Returns
    -------
    source : Source
    rows : Path, CheckedFile or None
        None when no file was given and the source brings none.

    Raises
    ------
    ManifestRefused
        An export that does not verify, lacks its manifest, or is mixed with other files.
    SourceInvalid, ContentInvalid
        As `load_source`.
    """
    mapping = _mapping(name)
    rows = given / ROWS if given is not None and given.is_dir() else given
    if mapping is not None and _is_export(mapping.parent):
        return _admit_export(mapping, rows, vocabulary, trusted)
    source = load_source(name if mapping is None else str(mapping), vocabulary)
    if source.signed:
        raise ManifestRefused(
            f"{mapping} belongs to a signed export, and its {MANIFEST} is not beside it; ask the "
            "exporter for the whole folder"
        )
    if rows is not None and _is_export(rows.parent):
        raise ManifestRefused(
            f"{rows.parent} is an export and brings its own mapping; "
            f"give {rows.parent / SOURCE} as the source"
        )
    return source, rows


def _mapping(name: str) -> Path | None:
    if name in source_names():
        return None
    path = Path(name)
    if path.is_dir():
        path = path / SOURCE
    return path if path.is_file() else None


def _is_export(folder: Path) -> bool:
    # A dangling link to a manifest is still somebody's attempt to have one there.
    return (folder / MANIFEST).exists() or (folder / MANIFEST).is_symlink()


def _admit_export(
    mapping: Path,
    rows: Path | None,
    vocabulary: Vocabulary,
    trusted: Callable[[], Collection[bytes]],
) -> tuple[Source, CheckedFile]:
    folder = mapping.parent
    for path, name in ((mapping, SOURCE), (rows, ROWS)):
        if path is not None and path.resolve() != (folder / name).resolve():
            raise ManifestRefused(
                f"{path} is not part of the export in {folder}; only its own {name} goes with it"
            )
    files = verify(folder, trusted()).files
    try:
        values = tomllib.loads(files[SOURCE].content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise ContentInvalid(SOURCE, "file", "is not TOML") from None
    return parse_source(Row(SOURCE, "file", values), vocabulary), files[ROWS]
