"""Which files are meant by a path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.file_drop.errors import FileRefused


def files_of(path: Path) -> Sequence[Path]:
    """The file itself, or a folder's NDJSON files by name."""
    if not path.is_dir():
        return (path,)
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in (".ndjson", ".jsonl"))
    if not found:
        raise FileRefused("the folder has no .ndjson file")
    return found
