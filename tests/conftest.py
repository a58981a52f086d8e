"""What many tests share: the real cohort, models trained on it, and one running service."""

from __future__ import annotations

import json
import os

# Before any table is made: else it is cut to the width of whatever terminal the tests run in.
os.environ["COLUMNS"] = "200"

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.vocabulary import Vocabulary, load_vocabulary
from tests.lib.once import made_once
from tests.lib.pathway_models import train_pathway
from tests.lib.service import Service, run_command, running_service


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with SUPPORT fetched, every icu-review outcome trained and promoted.

    `RISK_TESTS_TRAINED` names such a folder to be used again, which spares a developer the minutes
    between two runs. Test processes that run side by side train once: the first does, the others
    wait for it.
    """
    if given := os.environ.get("RISK_TESTS_TRAINED"):
        return Path(given)

    def train(var: Path) -> None:
        run_command("risk-train", "fetch", "support2", var=var)
        run_command("risk-train", "run", "icu-review", "--promote", "--json", var=var)

    return made_once(tmp_path_factory, "trained", train)


@pytest.fixture(scope="session")
def pathway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a small champion, fitted on simulated patients, at each branch point.

    `RISK_TESTS_PATHWAY` names such a folder to be used again.
    """
    if given := os.environ.get("RISK_TESTS_PATHWAY"):
        return Path(given)
    return made_once(tmp_path_factory, "pathway", train_pathway)


@pytest.fixture(scope="session")
def service(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over the trained models, shared by tests that do not change it."""
    log = tmp_path_factory.mktemp("service") / "log"
    with running_service(trained, log) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as opened:
        yield opened


@pytest.fixture(scope="session")
def patients(trained: Path) -> list[dict[str, Any]]:
    """Forty held-out SUPPORT patients as `risk-train rows` prints them."""
    done = run_command("risk-train", "rows", "support2", "--held-out", "--limit", "40", var=trained)
    return [json.loads(line) for line in done.stdout.splitlines()]
