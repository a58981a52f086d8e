"""Every test of the ledger runs on both databases; one PostgreSQL server for all of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitoring.keyring import Keyring
from tests.lib.ledger import keyring_at, written
from tests.lib.postgres import Postgres, needed_postgres

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    yield from needed_postgres()


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty database."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def copied(kind: str, request: pytest.FixtureRequest) -> Callable[[str, Path], str]:
    """Makes a copy of a ledger that nobody has open; writing it anew takes longer."""

    def copy(url: str, folder: Path) -> str:
        if kind == "sqlite":
            shutil.copy(url.removeprefix("sqlite:///"), folder / "copy.db")
            return f"sqlite:///{folder / 'copy.db'}"
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database(url)

    return copy


@pytest.fixture(scope="module")
def module_url(
    kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> str:
    """An empty database that the tests of one file share."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('module') / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    keyring_at(folder)
    return folder / "keys.toml"


@pytest.fixture(scope="session")
def keyring(keys: Path) -> Keyring:
    return keyring_at(keys.parent)


@pytest.fixture(scope="session")
def prepared(
    kind: str,
    keyring: Keyring,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> str:
    """An empty ledger to be copied: making its tables takes longer than most tests."""
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('prepared') / 'ledger.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    written(url, keyring)
    return url
