"""Versions of one small model, told apart by what they answer: no training, many digests.

The n-th good version is the small model of `risk_models` with its calibration shifted, so that the
same patient gets another probability from each; the bad ones fail in one way each.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import write_bundle
from models.registry import Registry, Run
from models.risk.additive import Basis
from models.risk.assessment import Answered
from models.risk.calibration import LinearCalibration
from tests.lib.risk_models import Fitted, bundle_files, fitted, values_of

NAME = "icu-review.death_180d"
SHIFT = 0.05
CARD = b'{"cohort": {"title": "synthetic rows"}}'
SLOW_COLUMNS = 2300
"""Columns without weight: an answer is many times the work, and a bundle 13 MB."""
TIMED = 21
Files = dict[str, bytes]


def encoded_patient() -> dict[str, float]:
    """One patient, complete, of whom all versions are asked: three digits, as the door keeps them."""
    rows = fitted().X
    [row] = rows[~np.isnan(rows).any(axis=1)][:1]
    return {name: float(f"{value:.3g}") for name, value in values_of(row).items()} | {"age": 71.0}


def patient() -> dict[str, Any]:
    """The same patient's measurements as a request holds them."""
    sent: dict[str, Any] = dict(encoded_patient())
    for item in fitted().model.inputs:
        if item.kind == "category":
            sent[item.name] = item.categories[int(sent[item.name])]
        elif item.kind == "flag":
            sent[item.name] = bool(sent[item.name])
    return sent


def shifted(number: int) -> Fitted:
    """The n-th version of the small model."""
    found = fitted()
    was = found.model.calibration
    assert isinstance(was, LinearCalibration)
    model = replace(
        found.model, calibration=LinearCalibration(was.intercept + SHIFT * number, was.slope)
    )
    return replace(found, model=model)


def slower(found: Fitted) -> Fitted:
    """The same answers, at many times the work."""
    additive = found.model.additive
    basis, columns = additive.basis, len(additive.coefficients)
    again = np.concatenate([np.arange(columns), np.arange(SLOW_COLUMNS) % columns])
    covariance = np.zeros((len(again), len(again)))
    covariance[:columns, :columns] = additive.covariance
    heavy = replace(
        additive,
        basis=Basis(
            *(getattr(basis, f)[again] for f in ("feature", "kind", "start", "stop", "mean"))
        ),
        coefficients=np.concatenate([additive.coefficients, np.zeros(SLOW_COLUMNS)]),
        covariance=covariance,
    )
    return replace(found, model=replace(found.model, additive=heavy))


@cache
def telling_budget_ms() -> str:
    """An answer's budget that tells the slow version from the good ones on this machine.

    Half-way between their times, as ratios go: what is slow in milliseconds differs between machines.
    """
    times = []
    for found in (shifted(1), slower(shifted(1))):
        spent = []
        for _ in range(TIMED):
            start = time.thread_time()
            found.model.assess(encoded_patient())
            spent.append(time.thread_time() - start)
        times.append(
            min(spent)
        )  # a machine that is busy with other tests adds, and never takes off
    return f"{1000 * math.sqrt(times[0] * times[1]):.4f}"


def probability_of(number: int) -> float:
    """What the n-th version answers to the patient, by the definition of its shift."""
    answer = fitted().model.assess(encoded_patient())
    assert isinstance(answer, Answered)
    return 1.0 / (1.0 + math.exp(-(answer.score + SHIFT * number)))


def good(number: int) -> Files:
    return bundle_files(shifted(number), card_json=CARD)


def slow(number: int) -> Files:
    return bundle_files(slower(shifted(number)), card_json=CARD)


def wrong_feature(number: int) -> Files:
    """One input is called by a name that the dictionary does not have."""
    files = good(number)
    for name in ("model.json", "example.json"):
        files[name] = files[name].replace(b'"bilirubin"', b'"billirubin"')
    return files


def corrupt(bundle: Path) -> None:
    """Change a byte after publishing."""
    content = bytearray((bundle / "model.json").read_bytes())
    content[content.index(b"0.")] = ord("7")
    (bundle / "model.json").write_bytes(content)


def lose_a_file(bundle: Path) -> None:
    (bundle / "trees.txt").unlink()


@dataclass(frozen=True, slots=True)
class Publisher:
    """Registers versions with a server whose artifacts lie in a folder at hand."""

    registry: Registry
    artifacts: Path
    scratch: Path
    name: str = NAME

    def publish(self, files: Files, spoil: Callable[[Path], None] | None = None) -> str:
        """Register a bundle; `spoil` does something to the server's copy of it."""
        before = set(self._bundles())
        folder = self.scratch / f"bundle-{len(before)}"
        write_bundle(folder, files)
        columns = {item["name"]: "double" for item in json.loads(files["model.json"])["inputs"]}
        version = self.registry.publish(self.name, folder, Run({}, {}, {}, {}, columns))
        shutil.rmtree(folder)
        if spoil is not None:
            [kept] = set(self._bundles()) - before
            spoil(kept)
        return version.version

    def _bundles(self) -> list[Path]:
        return [path.parent for path in self.artifacts.glob("**/manifest.json")]


@contextmanager
def without_trace() -> Iterator[None]:
    """MLflow writes its addresses into the environment; others must not find them there."""
    before = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
                del os.environ[name]
            os.environ.update(before)
