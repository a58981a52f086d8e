"""One made cohort for all tests of this folder."""

from __future__ import annotations

import pytest

from models.vocabulary import Vocabulary
from tests.lib.signal_cohort import made
from training.rows import Cohort


@pytest.fixture(scope="session")
def cohort(vocabulary: Vocabulary) -> Cohort:
    return made(vocabulary)
