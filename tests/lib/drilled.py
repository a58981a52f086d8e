"""Rows for a drill and a service that takes it: a small model, registered; nobody trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from scipy.special import expit

from models.registry import CHAMPION, Registry
from tests.lib.gated import good, registered, version_files
from tests.lib.risk_models import BRANCH_POINT, synthetic_rows
from tests.lib.service import Service, running_service

NAME, OUTCOME = "icu-review.death_180d", "death_180d"
UNITS = ("ward-1", "ward-2")


def rows(count: int, seed: int = 5) -> list[bytes]:
    """Patients as `risk-train rows` prints them, whose labels follow the truth of the simulation."""
    rng = np.random.default_rng(seed)
    X, log_odds = synthetic_rows(rng, count)
    happened = rng.random(count) < expit(log_odds)
    return [
        orjson.dumps({
            "row": str(number), "branch_point": BRANCH_POINT, "comparators": {},
            "request": {"measurements": _measured(row), "unit": UNITS[int(rng.integers(2))]},
            "labels": {OUTCOME: bool(event)},
        })
        for number, (row, event) in enumerate(zip(X, happened, strict=True))
    ]  # fmt: skip


def _measured(row: np.ndarray) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for item, value in zip(good().model.inputs, row, strict=True):
        if np.isnan(value):
            continue
        if item.kind == "category":
            sent[item.name] = item.categories[int(value)]
        else:
            sent[item.name] = bool(value) if item.kind == "flag" else float(f"{value:.3g}")
    return sent


@contextmanager
def drilled_service(folder: Path, *others: str) -> Iterator[Service]:
    """One worker whose outcomes are read at once; `others` are notes of further versions, not served."""
    registry = Registry.at(folder / "var")
    for version, note in enumerate(("", *others), 1):
        registered(registry, folder / f"bundle-{version}", version_files(good(), note))
    registry.set_alias(NAME, CHAMPION, "1")
    given = {
        "RISK_KEYS_FILE": str(folder / "keys.toml"),
        "RISK_REGISTRY_POLL_S": "0.5",
        "RISK_OUTCOMES_POLL_S": "0.02",
        "RISK_BORN_AT_ZERO_S": "0",
        "RISK_CARE_UNITS": orjson.dumps(UNITS).decode(),
    }
    with running_service(folder / "var", folder / "log", given) as service:
        yield service
