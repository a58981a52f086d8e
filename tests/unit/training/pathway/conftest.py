"""One simulated cohort for all tests of this folder."""

from __future__ import annotations

import pytest

from models.vocabulary import Vocabulary
from training.pathway import Parameters, Visits, load_parameters, simulate_episodes

SEED = 4711
EPISODES = 28_672


@pytest.fixture(scope="session")
def parameters() -> Parameters:
    return load_parameters()


@pytest.fixture(scope="session")
def simulated(parameters: Parameters, vocabulary: Vocabulary) -> dict[str, Visits]:
    return simulate_episodes(parameters, SEED, 0, EPISODES, vocabulary)
