"""`python -m monitoring.drift_process`: drift of one window, asked and answered as JSON.

What comes in says where the ledger and the site's content are, the profiles to compare with
(`ModelProfile.to_document`), and the window. It ends with 1 when the ledger cannot be read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine

from models.vocabulary import Vocabulary, load_vocabulary
from monitoring.counting.profile import ModelProfile
from monitoring.drift import as_document, model_drift
from monitoring.ledger.engine import open_engine
from monitoring.ledger.errors import LedgerUnavailable
from monitoring.recounted import Progress, recount

LOWEST_PRIORITY = 19
PATIENCE_S = 30.0


def main() -> None:
    """Answer once."""
    os.nice(LOWEST_PRIORITY)
    asked = orjson.loads(sys.stdin.buffer.read())
    content = asked["content"]
    vocabulary = load_vocabulary(None if content is None else Path(content))
    engine = open_engine(asked["database"], writes=False, patience_s=PATIENCE_S)
    profiles = [ModelProfile.from_document(one) for one in asked["profiles"]]
    try:
        told = drift_document(engine, profiles, vocabulary, asked["since_us"], asked["until_us"])
    except LedgerUnavailable:
        sys.exit(1)
    sys.stdout.buffer.write(orjson.dumps(told))


def drift_document(
    engine: Engine,
    profiles: list[ModelProfile],
    vocabulary: Vocabulary,
    since_us: int,
    until_us: int,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Drift of every model in a window, as JSON.

    Raises
    ------
    LedgerUnavailable
        When the database does not answer.
    """
    found = recount(engine, profiles, vocabulary, since_us, until_us, progress=progress)
    return {
        "since_us": since_us,
        "until_us": until_us,
        "assessments": found.assessments,
        "models": [
            as_document(model_drift(profile, counts), profile, slices)
            for (profile, counts), slices in zip(found.models, found.over_time, strict=True)
        ],
        "without_profile": [{"model": name, "digest": digest} for name, digest in found.strangers],
    }


if __name__ == "__main__":
    main()
