"""Models of the made cohort, fitted once for the tests of this folder."""

from __future__ import annotations

import pytest

from models.vocabulary import Vocabulary
from tests.lib.transported import NUMERIC, registered
from training.transport.registered import Registered


@pytest.fixture(scope="session")
def additive(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return registered(vocabulary, tmp_path_factory.mktemp("additive"))


@pytest.fixture(scope="session")
def with_trees(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return registered(vocabulary, tmp_path_factory.mktemp("trees"), trees=True)


@pytest.fixture(scope="session")
def numeric(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return registered(vocabulary, tmp_path_factory.mktemp("numeric"), NUMERIC)
