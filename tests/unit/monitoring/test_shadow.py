"""Pairs of champion and challenger: who is compared, on which patients, with which figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from monitoring.shadow import Pair, Said, figures, matched, of_newest_champion, pairs
from tests.lib.ledger import assessment, keyring_at, outcome, reading, shadow, written
from tests.lib.properties import LAW

POINT, OUTCOME, DIGEST = "icu-review", "death_180d", "sha256:02"
DAY_US = 24 * 3600 * 1_000_000


def test_pairs_are_matched_with_what_became_of_the_patient(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    asked = [assessment(subject_id=f"1.{letter}") for letter in "abcde"]
    both = ((0.2, 0.3), (0.4, 0.5), (None, 0.9), (0.6, None), (0.7, 0.8))
    shadows = [
        *(
            shadow(
                entry, seq, prediction=challenger, champion_prediction=champion,
                champion_digest=None if champion is None else "sha256:01",
            )
            for (seq, entry), (champion, challenger) in zip(enumerate(asked, 4), both, strict=True)
        ),
        shadow(asked[0], 4, digest="sha256:09"),  # another challenger
    ]  # fmt: skip
    reports = [
        outcome(assessment_id=asked[0].assessment_id, value=1.0),
        outcome(assessment_id=asked[1].assessment_id, value=0.0),
        outcome(assessment_id=asked[3].assessment_id, value=1.0),
    ]
    written(url, keyring_at(tmp_path), asked, shadows, reports)
    engine = reading(url)
    found = pairs(engine, POINT, OUTCOME, DIGEST)
    said = [None if pair.champion is None else pair.champion.prediction for pair in found]
    assert said == [0.2, 0.4, None, 0.6, 0.7]
    assert [pair.challenger for pair in found] == [0.3, 0.5, 0.9, None, 0.8]
    assert pairs(engine, POINT, OUTCOME, DIGEST, tenant="elsewhere") == []
    known = matched(
        engine, POINT, OUTCOME, found, horizon_days=180, is_number=False,
        now_us=asked[0].recorded_at_us + 181 * DAY_US,
    )  # fmt: skip
    # The third was abstained from, the fourth by the challenger, the fifth nobody reported.
    assert known.y.tolist() == [1.0, 0.0]
    assert known.champion.tolist() == [0.2, 0.4]
    assert known.challenger.tolist() == [0.3, 0.5]
    assert known.whose == ("1.a", "1.b")
    early = matched(
        engine, POINT, OUTCOME, found, horizon_days=180, is_number=False,
        now_us=asked[0].recorded_at_us + 179 * DAY_US,
    )  # fmt: skip
    assert len(early.y) == 0
    engine.dispose()


def test_only_the_newest_champion_is_a_rival() -> None:
    old, new = Said("sha256:01", 0.1), Said("sha256:02", 0.2)
    found = [Pair(f"a{i}", said, 0.3) for i, said in enumerate((old, new, None, old, new))]
    assert [pair.assessment_id for pair in of_newest_champion(found)] == ["a1", "a4"]
    assert of_newest_champion(found[2:3]) == []


rows = st.lists(
    st.tuples(st.sampled_from((0.0, 1.0)), st.sampled_from(tuple(np.arange(1, 20) / 20))),
    min_size=2, max_size=40,
).filter(lambda found: len({y for y, _ in found}) == 2)  # fmt: skip


@LAW
@given(rows)
def test_the_auroc_is_scikit_learns(found: list[tuple[float, float]]) -> None:
    y, p = np.array(found).T
    assert figures(y, p, None)["auroc"] == pytest.approx(roc_auc_score(y, p), abs=1e-12)


def test_with_one_class_only_or_nobody_there_is_no_auroc() -> None:
    assert figures(np.array([1.0, 1.0]), np.array([0.5, 0.5]), None) == {"brier": 0.25}
    assert figures(np.array([]), np.array([]), 0.2) == {}
