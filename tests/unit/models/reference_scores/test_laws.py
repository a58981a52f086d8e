"""Laws of every reference score: sums add up, ranges hold every completion, risk moves one way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reference_scores import SCORES, NotCovered, ReferenceScore, Scored
from models.vocabulary import load_vocabulary
from tests.lib.properties import HEAVY_LAW

FEATURES = load_vocabulary().features
# Numbers on both sides of every class edge of every table that reads them.
EDGES: Mapping[str, tuple[float, ...]] = {
    "age": (16, 54, 55, 60, 61, 64, 65, 70, 71, 79, 80, 90),
    "asa_class": (1, 2, 3, 4, 5),
    "sbp": (0, 40, 60, 80, 89, 90, 91, 99, 100, 101, 109, 110, 111, 130, 131, 170, 171, 219, 220),
    "heart_rate": (39, 40, 41, 49, 50, 51, 80, 81, 90, 91, 100, 101, 110, 111, 120, 121, 130, 131),
    "resp_rate": (0, 3, 7, 8, 9, 11, 12, 20, 21, 22, 24, 25, 29, 30),
    "spo2": (83, 84, 85, 86, 87, 88, 91, 92, 93, 94, 95, 96, 97, 100),
    "temperature": (34, 35.0, 35.1, 36.0, 36.1, 38.0, 38.1, 39.0, 39.1),
    "gcs_total": (3, 4, 6, 8, 9, 11, 12, 13, 14, 15),
    "hemoglobin": (99, 100, 114, 115, 129, 130, 160, 161, 170, 171, 180, 181),
    "wbc": (3.0, 3.1, 3.9, 4.0, 10.0, 10.1, 20.0, 20.1),
    "urea": (7.5, 7.6, 10.0, 10.1, 15.0, 15.1),
    "sodium": (125, 126, 130, 131, 135, 136),
    "potassium": (2.8, 2.9, 3.1, 3.2, 3.4, 3.5, 5.0, 5.1, 5.3, 5.4, 5.9, 6.0),
    "procedures_count": (1, 2, 3),
    "estimated_blood_loss": (100, 101, 500, 501, 600, 601, 999, 1000, 1001),
    "lowest_map_intraoperative": (39, 40, 54, 55, 69, 70),
    "lowest_heart_rate_intraoperative": (0, 1, 55, 56, 65, 66, 75, 76, 85, 86),
    "creatinine": (90, 177, 178, 400),
    "injury_iss": (0, 1, 25, 75),
    "prehospital_gcs_total": (3, 4, 5, 6, 8, 9, 12, 13, 15),
    "prehospital_sbp": (0, 1, 49, 50, 75, 76, 89, 90, 140),
    "prehospital_resp_rate": (0, 1, 5, 6, 9, 10, 29, 30),
    "prehospital_heart_rate": (60, 120),
}
# The same facts under a second name; tests of their own look at these.
SECOND_NAMES = {"asa_band", "prehospital_sbp_rts", "prehospital_resp_rate_rts"}
CHILDREN = {"triss": (10.0, 14.0, 15.0)}


def choices(score: ReferenceScore, name: str) -> tuple[float, ...]:
    feature = FEATURES[name]
    if feature.kind == "category":
        return tuple(
            float(i) for i, category in enumerate(feature.categories) if category != "cardiac"
        )
    if feature.kind == "flag":
        return (0.0, 1.0)
    if name == "age":
        return CHILDREN.get(score.id, ()) + EDGES[name]
    if score.id.startswith("shock_index"):
        return tuple(value for value in EDGES[name] if value > 0)
    return EDGES[name]


def readable(score: ReferenceScore) -> list[str]:
    return [name for name in score.features if name not in SECOND_NAMES]


def patients(score: ReferenceScore) -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries(
        {name: st.sampled_from(choices(score, name)).map(float) for name in readable(score)}
    )


EVERY_SCORE = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)


def whole(score: ReferenceScore, values: Mapping[str, float]) -> Scored:
    answer = score.assess(values, FEATURES)
    assert isinstance(answer, Scored)
    return answer


def certain(score: ReferenceScore, values: Mapping[str, float]) -> bool:
    """Whether this patient's categories map onto one published class each."""
    position = values.get("surgical_specialty")
    if position is None:
        return True
    return FEATURES["surgical_specialty"].categories[int(position)] != "trauma"


@EVERY_SCORE
@HEAVY_LAW
@given(st.data())
def test_contributions_add_up_to_what_is_shown(score, data):
    values = data.draw(patients(score))
    if not certain(score, values):
        return
    answer = whole(score, values)
    assert answer.complete
    assert answer.missing == answer.ambiguous == ()
    assert answer.contributions is not None
    assert answer.base_value is not None
    assert set(answer.contributions) <= set(score.features)
    total = answer.base_value + sum(answer.contributions.values())
    assert total == pytest.approx(answer.lowest, abs=1e-12)
    assert answer.lowest == answer.highest
    if score.scale == "log_odds":
        assert answer.log_odds == pytest.approx(total, abs=1e-12)
        assert answer.probability == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-12)
        assert answer.probability == answer.probability_lowest == answer.probability_highest
    else:
        assert answer.base_value == 0
        assert answer.probability is answer.log_odds is None


# Total without any input known: nothing may ever lie outside.
BOUNDS = {
    "rcri": (0, 6), "news2": (0, 20), "surgical_apgar": (0, 10), "rts": (0, 7.8408),
    "t_rts": (0, 12), "rts_arrival": (0, 7.8408), "t_rts_arrival": (0, 12), "qsofa": (0, 3),
    "sort": (-7.366, -7.366 + 4.081 + 2.452 + 0.712 + 0.381 + 0.667 + 1.591),
    "sort_morbidity": (
        -3.228 - 1.065, -3.228 + 1.223 + 1.658 + 1.238 + 0.897 + 0.550,
    ),
    "possum": (-5.91 + 12 * 0.16 + 6 * 0.19, -5.91 + 88 * 0.16 + 48 * 0.19),
    "possum_mortality": (-7.04 + 12 * 0.13 + 6 * 0.16, -7.04 + 88 * 0.13 + 48 * 0.16),
    "p_possum": (-9.065 + 12 * 0.1692 + 6 * 0.1550, -9.065 + 88 * 0.1692 + 48 * 0.1550),
    # Best: blunt, RTS 7.8408, ISS 0, young. Worst: penetrating, RTS 0, ISS 75, 55 years or more.
    "triss": (0.4499 - 0.8085 * 7.8408, 2.5355 + 0.0651 * 75 + 1.1360),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDS)
def test_knowing_nothing_spans_the_whole_score(name):
    lowest, highest = BOUNDS[name]
    answer = whole(SCORES[name], {})
    assert answer.lowest == pytest.approx(lowest, abs=1e-9)
    assert answer.highest == pytest.approx(highest, abs=1e-9)
    assert not answer.complete


def test_every_score_that_has_a_range_has_its_bounds_checked():
    without_range = {"shock_index", "shock_index_prehospital"}
    assert set(BOUNDS) == set(SCORES) - without_range


@pytest.mark.parametrize("name", BOUNDS)
@HEAVY_LAW
@given(st.data())
def test_no_patient_lies_outside_the_bounds(name, data):
    lowest, highest = BOUNDS[name]
    answer = whole(SCORES[name], data.draw(patients(SCORES[name])))
    assert lowest - 1e-9 <= answer.lowest <= answer.highest <= highest + 1e-9


@EVERY_SCORE
@HEAVY_LAW
@given(st.data())
def test_a_range_is_exactly_what_every_completion_could_give(score, data):
    """By brute force: up to three features are missing, and every class of each is tried."""
    values = data.draw(patients(score))
    names = st.sampled_from(readable(score))
    hidden = data.draw(st.lists(names, min_size=1, max_size=3, unique=True), label="hidden")
    known = {name: value for name, value in values.items() if name not in hidden}
    answer = score.assess(known, FEATURES)
    if score.id.startswith("shock_index"):
        if set(hidden) - {"age"}:
            assert isinstance(answer, NotCovered)
            assert answer.reason == "missing_required"
        return
    assert isinstance(answer, Scored)
    assert set(answer.missing) == set(hidden)
    completions = [
        whole(score, known | dict(zip(hidden, found, strict=True)))
        for found in product(*(choices(score, name) for name in hidden))
    ]
    assert answer.lowest == pytest.approx(min(c.lowest for c in completions), abs=1e-9)
    assert answer.highest == pytest.approx(max(c.highest for c in completions), abs=1e-9)
    if answer.band is not None:
        assert {c.band for c in completions} <= {answer.band, None}
    if answer.complete:
        assert answer.lowest == answer.highest
    if answer.probability_lowest is not None:
        assert answer.probability_highest is not None
        assert 0 < answer.probability_lowest <= answer.probability_highest < 1


@pytest.mark.parametrize("name", BOUNDS)
@HEAVY_LAW
@given(st.data())
def test_learning_one_more_thing_never_widens_a_range(name, data):
    score = SCORES[name]
    values = data.draw(patients(score))
    order = data.draw(st.permutations(readable(score)))
    known: dict[str, float] = {}
    before = whole(score, known)
    for name in order:
        known[name] = values[name]
        after = whole(score, known)
        assert before.lowest - 1e-9 <= after.lowest
        assert after.highest <= before.highest + 1e-9
        before = after


# Which way a total moves when a number rises or a scale climbs, over the stretch where the
# definition is monotone: (from, to) for numbers that are U-shaped.
EVERYWHERE = (-math.inf, math.inf)
MONOTONE = [
    ("sort", "age", 1, EVERYWHERE),
    ("sort", "asa_class", 1, EVERYWHERE),
    ("sort", "operation_urgency", 1, EVERYWHERE),
    ("sort", "operative_severity", 1, EVERYWHERE),
    ("sort", "cancer", 1, EVERYWHERE),
    ("sort_morbidity", "age", 1, EVERYWHERE),
    ("sort_morbidity", "asa_class", 1, EVERYWHERE),
    ("sort_morbidity", "operative_severity", 1, EVERYWHERE),
    ("sort_morbidity", "cancer", 1, EVERYWHERE),
    *(
        (score, name, sign, stretch)
        for score in ("possum", "possum_mortality", "p_possum")
        for name, sign, stretch in [
            ("age", 1, EVERYWHERE),
            ("possum_cardiac_signs", 1, EVERYWHERE),
            ("possum_respiratory_signs", 1, EVERYWHERE),
            ("ecg_finding", 1, EVERYWHERE),
            ("sbp", -1, (0, 130)),
            ("sbp", 1, (110, 300)),
            ("heart_rate", -1, (0, 80)),
            ("heart_rate", 1, (50, 300)),
            ("gcs_total", -1, EVERYWHERE),
            ("hemoglobin", -1, (0, 160)),
            ("hemoglobin", 1, (130, 250)),
            ("wbc", -1, (0, 10)),
            ("wbc", 1, (4, 100)),
            ("urea", 1, EVERYWHERE),
            ("sodium", -1, EVERYWHERE),
            ("potassium", -1, (0, 5)),
            ("potassium", 1, (3.5, 15)),
            ("operative_severity", 1, EVERYWHERE),
            ("procedures_count", 1, EVERYWHERE),
            ("estimated_blood_loss", 1, EVERYWHERE),
            ("peritoneal_soiling", 1, EVERYWHERE),
            ("malignancy_extent", 1, EVERYWHERE),
            ("operation_urgency", 1, EVERYWHERE),
        ]
    ),
    *(
        ("rcri", name, 1, EVERYWHERE)
        for name in (
            "rcri_high_risk_surgery",
            "ischaemic_heart_disease",
            "heart_failure",
            "stroke_or_tia_history",
            "insulin_treated_diabetes",
            "creatinine",
        )
    ),
    ("news2", "resp_rate", -1, (0, 20)),
    ("news2", "resp_rate", 1, (12, 90)),
    ("news2", "spo2", -1, (0, 92)),
    ("news2", "on_supplemental_oxygen", 1, EVERYWHERE),
    ("news2", "sbp", -1, (0, 219)),
    ("news2", "sbp", 1, (111, 300)),
    ("news2", "heart_rate", -1, (0, 90)),
    ("news2", "heart_rate", 1, (51, 300)),
    ("news2", "consciousness_acvpu", 1, EVERYWHERE),
    ("news2", "temperature", -1, (0, 38)),
    ("news2", "temperature", 1, (36.1, 45)),
    ("surgical_apgar", "estimated_blood_loss", -1, EVERYWHERE),
    ("surgical_apgar", "lowest_map_intraoperative", 1, EVERYWHERE),
    ("surgical_apgar", "lowest_heart_rate_intraoperative", -1, (1, 300)),
    *(
        (score, prefix + name, 1, stretch)
        for score, prefix in [
            ("rts", "prehospital_"),
            ("t_rts", "prehospital_"),
            ("rts_arrival", ""),
            ("t_rts_arrival", ""),
        ]
        for name, stretch in [
            ("gcs_total", EVERYWHERE),
            ("sbp", EVERYWHERE),
            ("resp_rate", (0, 29)),
        ]
    ),
    ("triss", "prehospital_gcs_total", -1, EVERYWHERE),
    ("triss", "prehospital_sbp", -1, EVERYWHERE),
    ("triss", "prehospital_resp_rate", -1, (0, 29)),
    ("triss", "injury_iss", 1, EVERYWHERE),
    ("triss", "age", 1, (15, 120)),
    ("shock_index", "heart_rate", 1, EVERYWHERE),
    ("shock_index", "sbp", -1, EVERYWHERE),
    ("qsofa", "resp_rate", 1, EVERYWHERE),
    ("qsofa", "sbp", -1, EVERYWHERE),
    ("qsofa", "gcs_total", -1, EVERYWHERE),
]


@pytest.mark.parametrize(("name", "feature", "sign", "stretch"), MONOTONE)
def test_totals_move_one_way_where_the_definition_does(name, feature, sign, stretch):
    """All else at the first and at the last choice; each class edge is crossed in order."""
    score = SCORES[name]
    first, last = stretch
    path = [value for value in choices(score, feature) if first <= value <= last]
    assert len(path) > 1
    for end in (0, -1):
        rest = {other: choices(score, other)[end] for other in readable(score)}
        if "surgical_specialty" in rest:
            rest["surgical_specialty"] = 0.0
        totals = [whole(score, rest | {feature: value}).lowest for value in path]
        assert all(sign * (b - a) >= -1e-12 for a, b in pairwise(totals))
        assert name == "news2" or totals[0] != totals[-1]


@EVERY_SCORE
def test_answering_changes_nothing(score):
    values = {name: choices(score, name)[0] for name in readable(score)}
    kept = dict(values)
    assert score.assess(values, FEATURES) == score.assess(values, FEATURES)
    assert values == kept
