"""What every reference score must say of itself, and that the dictionary speaks its language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.errors import ContentInvalid
from models.reference_scores import SCORES, ReferenceScore, refuse_unknown_scores
from models.reference_scores.items import FirstKnown, Flag, Item, Level, Number
from models.reference_scores.triss import EQUATIONS
from models.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary()
EVERY_SCORE = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
# Categories that a score leaves out because it was never defined for them.
NOT_COVERED = {"surgical_specialty": {"cardiac"}}


def items_of(score: ReferenceScore) -> list[Item]:
    found: list[Item] = []
    waiting = list(score.items)
    if score.id == "triss":
        waiting = [item for equation in EQUATIONS.values() for item in equation]
    while waiting:
        item = waiting.pop()
        if isinstance(item, FirstKnown):
            waiting.extend(item.items)
        else:
            found.append(item)
    return found


@EVERY_SCORE
def test_a_score_states_its_source_its_reach_and_its_limits(score):
    for text in (score.title_en, score.title_sv, score.source, score.valid_for, score.not_for):
        assert text.strip()
    assert SCORES[score.id] is score


@EVERY_SCORE
def test_a_score_reads_features_of_the_dictionary_in_the_dictionarys_unit(score):
    assert set(score.features) <= set(VOCABULARY.features)
    for item in items_of(score):
        unit = getattr(item, "unit", None)
        if unit is not None:
            assert VOCABULARY.features[item.feature].unit == unit
        if isinstance(item, Number):
            assert VOCABULARY.features[item.feature].kind == "number"
        if isinstance(item, Flag):
            assert VOCABULARY.features[item.feature].kind == "flag"


@EVERY_SCORE
def test_a_score_knows_every_category_or_leaves_it_out_on_purpose(score):
    for item in items_of(score):
        if isinstance(item, Level):
            declared = set(VOCABULARY.features[item.feature].categories)
            assert item.categories == declared - NOT_COVERED.get(item.feature, set())


@EVERY_SCORE
def test_a_probability_stands_for_a_declared_outcome_and_points_for_none(score):
    assert bool(score.outcomes) is (score.scale == "log_odds")
    for outcome, fit in score.outcomes.items():
        assert VOCABULARY.outcomes[outcome].kind == "binary"
        assert fit.note


def test_only_sort_means_exactly_what_the_product_means():
    exact = [
        (score.id, outcome)
        for score in SCORES.values()
        for outcome, fit in score.outcomes.items()
        if fit.same_definition
    ]
    assert exact == [("sort", "death_30d")]


def test_every_score_of_a_branch_point_is_known_and_reads_inputs_of_it():
    refuse_unknown_scores(VOCABULARY)
    assert any(point.reference_scores for point in VOCABULARY.branch_points.values())


@pytest.mark.parametrize(
    ("point", "scores", "refusal"),
    [
        ("ward-round", ("news3",), "`news3` is not one of: sort, "),
        ("trauma-alert", ("news2",), "reference score `news2`: reads what is no input here: "),
    ],
)
def test_a_branch_point_with_a_score_that_cannot_be_read_is_refused(point, scores, refusal):
    wrong = replace(VOCABULARY.branch_points[point], reference_scores=scores)
    points = {**VOCABULARY.branch_points, point: wrong}
    with pytest.raises(ContentInvalid, match=f"^{point}.toml: .*{refusal}"):
        refuse_unknown_scores(replace(VOCABULARY, branch_points=points))
