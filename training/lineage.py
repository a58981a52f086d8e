"""What went into a model version, as one hash: rows, mapping, clinical content, code, seed.

Fitting is deterministic, so a version that bears the same hash would only be made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from models.vocabulary import Vocabulary
from training.cohort import Readable
from training.sources.source import Source

ROOT = Path(__file__).parent.parent
# Where what a version is made of lives; how a cohort came to be shows in its rows, how a card looks
# shows in no bundle, and a limit of the gate changes no model.
CODE = ("models", "training")
APART = (
    "training/adopt", "training/export", "training/pathway", "training/signal", "training/signing",
    "training/transport", "training/travel", "training/commands", "training/cli.py", "training/workers.py",
    "training/gate/", "training/promot", "models/alias_moves.py", "models/alias_desk.py", "training/compare.py", "models/gate_record.py",
    "models/card/page.py", "models/card/pictures.py", "models/card/chai.py",
)  # fmt: skip
LIBRARIES = ("lightgbm", "numpy", "scipy")
CHUNK_BYTES = 1 << 20


def fingerprint(
    source: Source, cohort_digest: str, outcome: str, vocabulary: Vocabulary, seed: int
) -> str:
    """SHA-256 over everything that decides what the fit of one outcome becomes.

    Parameters
    ----------
    cohort_digest : str
        From `digest_of_file`.
    """
    point = vocabulary.branch_points[source.branch_point]
    parts = [
        cohort_digest,
        repr(source),
        repr(point),
        repr(vocabulary.outcomes[outcome]),
        *(repr(vocabulary.features[name]) for name in point.features),
        str(seed),
        code_digest(),
    ]
    return _digest(part.encode() for part in parts)


def digest_of_file(file: Readable) -> str:
    """SHA-256 of a cohort's file, whatever its form.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return _digest(iter(lambda: stream.read(CHUNK_BYTES), b""))
    with file.open(newline="", encoding="utf-8") as text:
        return _digest([text.read().encode()])


@cache
def code_digest() -> str:
    """SHA-256 of the code and data files that fit and evaluate, and of the numeric libraries."""
    files = sorted(
        path
        for folder in CODE
        for pattern in ("*.py", "*.toml")
        for path in (ROOT / folder).rglob(pattern)
        if not path.relative_to(ROOT).as_posix().startswith(APART)
    )
    parts = [
        path.relative_to(ROOT).as_posix().encode() + b"\n" + path.read_bytes() for path in files
    ]
    return _digest([*parts, *(f"{name} {version(name)}".encode() for name in LIBRARIES)])


def _digest(parts: Iterable[bytes]) -> str:
    # The length before each part keeps two neighbours from being read as others.
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{len(part)}:".encode())
        found.update(part)
    return found.hexdigest()
