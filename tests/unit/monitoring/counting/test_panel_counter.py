"""What an answer adds, held against counting one feature of one model at a time."""

from __future__ import annotations

from collections import Counter
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.risk.assessment import Abstained, Answered
from monitoring.counting.panel_counter import Asked, PanelCounter
from monitoring.counting.profile import ModelProfile, ProfileInvalid, model_profile

LEVELS = ("a", "b", "c", "d")
EDGES = {"age": ([40.0, 60.0, 80.0], [40.0, 60.0, 80.0], [50.0]),
         "albumin": ([], [20.0, 30.0], [20.0, 30.0])}  # fmt: skip


def profile(i: int, kind: str = "binary") -> ModelProfile:
    """Three models: the first two cut age alike, the last two albumin; the last never saw `d`."""
    features = {
        name: {"edges": cut[i], "counts": [5] * (len(cut[i]) + 1), "missing": 0}
        for name, cut in EDGES.items()
    }
    features["ward"] = {"values": list(LEVELS), "counts": [5, 6, 7, 0], "missing": 8}
    edges = [0.1, 0.5] if kind == "binary" else [2.0, 9.0]
    return model_profile(
        {"features": features, "prediction": {"edges": edges, "counts": [1, 2, 3]}},
        ["ward", "age", "albumin"], {"ward": LEVELS}, {"ward": {3.0}} if i == 2 else {},
        name=f"point.outcome{i}", version="1", digest="sha256:0", kind=kind,
    )  # fmt: skip


PROFILES = (profile(0), profile(1, "numeric"), profile(2))
patients = st.fixed_dictionaries(
    {},
    optional={
        "age": st.sampled_from([39.9, 40.0, 40.1, 50.0, 60.0, 80.0, 81.0, -5.0, 1e300]),
        "albumin": st.sampled_from([20.0, 25.0, 30.0, 30.5]),
        "ward": st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    },
)
answers = st.one_of(
    st.just(Abstained("missing_required")),
    st.builds(
        lambda p, reasons: Answered(0.0, p, 0.0, np.array(reasons), 0.0, 1.0),
        st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9]),
        st.lists(st.sampled_from([-2.0, -0.25, 0.0, 0.5]), min_size=3, max_size=3),
    ),
)
asked = st.tuples(
    patients, st.tuples(answers, answers, answers), st.sets(st.sampled_from(["age", "albumin"]))
)


def naive_bin(own: ModelProfile, i: int, values: dict[str, float], implausible: set[str]) -> str:
    feature = own.features[i]
    x = values.get(feature.name, float("nan"))
    if isnan(x):
        return "implausible" if feature.name in implausible else "missing"
    if feature.name == "ward":
        return "unseen" if x in feature.never else LEVELS[int(x)]
    return feature.values.labels[sum(edge < x for edge in feature.values.edges)]


@given(st.lists(st.lists(asked, max_size=5), max_size=5))
def test_every_model_counts_what_it_would_count_alone_and_many_as_one_by_one(
    parts: list[list[tuple[dict, tuple, set]]],
):
    requests = [one for some in parts for one in some]
    together = PanelCounter(PROFILES)
    block = np.zeros(together.size + 5)
    alone = [PanelCounter([own]) for own in PROFILES]
    blocks = [np.zeros(one.size) for one in alone]
    expected = [Counter() for _ in PROFILES]
    for some in parts:
        if some:
            together.add([Asked(*one) for one in some], block, 5)
    for values, said, implausible in requests:
        for own, one, own_block, answer, tally in zip(
            PROFILES, alone, blocks, said, expected, strict=True
        ):
            one.add([Asked(values, (answer,), implausible)], own_block, 0)
            for i, feature in enumerate(own.features):
                tally[feature.name, naive_bin(own, i, values, implausible)] += 1
            if isinstance(answer, Abstained):
                tally["abstained"] += 1
                continue
            p = answer.prediction
            tally["answered"] += 1
            tally["sum"] += p
            tally["variance"] += p * (1 - p) if own.kind == "binary" else 0
            tally["prediction", sum(edge < p for edge in own.predictions.edges)] += 1
            for feature, reason in zip(own.features, answer.contributions, strict=True):
                tally["reason", feature.name] += abs(reason)
    assert not block[:5].any()
    for i, (own, tally) in enumerate(zip(PROFILES, expected, strict=True)):
        counts = together.of_model(i, block[5:])
        assert counts == pytest.approx(alone[i].of_model(0, blocks[i]), rel=1e-12)
        vector = [tally["answered"], tally["abstained"], tally["sum"], tally["variance"]]
        vector += [tally["prediction", k] for k in range(3)]
        vector += [tally["reason", feature.name] for feature in own.features]
        vector += [
            tally[feature.name, label] for feature in own.features for label in feature.labels
        ]
        assert counts.tolist() == pytest.approx(vector)
        assert len(counts) == own.size


def test_a_feature_cut_alike_is_counted_once_for_all():
    """Seven distinct of nine: age of the first two and albumin of the last two are the same numbers."""
    alone = sum(PanelCounter([own]).size for own in PROFILES)
    shared = len(PROFILES[1].features[1].labels) + len(PROFILES[2].features[2].labels)
    shared += len(PROFILES[0].features[0].labels)  # the ward, of those that saw every category
    assert PanelCounter(PROFILES).size == alone - shared


def test_a_profile_comes_through_its_document_unchanged():
    for own in PROFILES:
        assert ModelProfile.from_document(own.to_document()) == own


def test_a_feature_that_the_profile_does_not_hold_is_present_or_not():
    own = model_profile({}, ["age"], {}, {}, name="a", version="1", digest="", kind="binary")
    counter = PanelCounter([own])
    block = np.zeros(counter.size)
    answer = Answered(0.0, 0.2, 0.0, np.array([1.0]), 0.0, 1.0)
    for values in ({"age": 3.0}, {"age": 99.0}, {}):
        counter.add([Asked(values, (answer,))], block, 0)
    assert counter.of_model(0, block)[-4:].tolist() == [1.0, 2.0, 0.0, 0.0]
    assert own.features[0].counts is None


@pytest.mark.parametrize(
    ("feature", "said"),
    [({"edges": [2.0, 1.0], "counts": [1, 1, 1], "missing": 0}, "edges do not ascend"),
     ({"edges": [1.0], "counts": [1, 1, 1], "missing": 0}, "has 3 counts in 2 bins"),
     ({"edges": [1.0], "counts": [1, -1], "missing": 0}, "a count is negative"),
     ({"edges": [float("nan")], "counts": [1, 1], "missing": 0}, "edges do not ascend"),
     ({"edges": ["x"], "counts": [1, 1], "missing": 0}, "malformed"),
     ({"edges": [1.0], "counts": [1, 1]}, "KeyError"),
     ({"values": ["missing", "b"], "counts": [1, 1], "missing": 0}, "told apart"),
     ({"values": ["b", "a"], "counts": [1, 1], "missing": 0}, "other categories")],
)  # fmt: skip
def test_a_profile_that_contradicts_itself_is_refused_with_the_reason(feature: dict, said: str):
    categories = {"age": ("a", "b")} if said == "other categories" else {}
    with pytest.raises(ProfileInvalid, match=said):
        model_profile({"features": {"age": feature}}, ["age"], categories, {},
                      name="a", version="1", digest="", kind="binary")  # fmt: skip
