"""The same rows, mapping, content, code and seed have one fingerprint; a change of any has another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.vocabulary import Vocabulary
from training.fit.plan import Plan
from training.lineage import digest_of_file, fingerprint
from training.sources.source import Source, load_source


@pytest.fixture
def support(vocabulary: Vocabulary) -> Source:
    return load_source("support2", vocabulary)


def test_what_is_the_same_has_the_same_fingerprint(support, vocabulary):
    again = load_source("support2", vocabulary)
    assert again is not support
    first, second = (
        fingerprint(source, "d", "death_60d", vocabulary, 1) for source in (support, again)
    )
    assert first == second
    assert len(first) == 64


def test_each_part_counts(support, vocabulary: Vocabulary):
    age = replace(vocabulary.features["age"], plausible=(0.0, 110.0))
    other_words = replace(vocabulary, features={**vocabulary.features, "age": age})
    found = [
        fingerprint(support, "d", "death_60d", vocabulary, 1),
        fingerprint(support, "e", "death_60d", vocabulary, 1),
        fingerprint(support, "d", "death_180d", vocabulary, 1),
        fingerprint(support, "d", "death_60d", vocabulary, 2),
        fingerprint(support, "d", "death_60d", other_words, 1),
        fingerprint(replace(support, divisible_by=5), "d", "death_60d", vocabulary, 1),
        fingerprint(replace(support, plan=Plan(folds=3)), "d", "death_60d", vocabulary, 1),
    ]
    assert len(set(found)) == len(found)


def test_a_file_is_told_by_its_bytes(tmp_path: Path):
    large = tmp_path / "large"
    large.write_bytes(b"0123456789abcdef" * 100_000)
    before = digest_of_file(large)
    assert digest_of_file(large) == before
    with large.open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"!")
    assert digest_of_file(large) != before
