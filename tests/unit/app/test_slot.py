"""The served models: one immutable set, swapped whole, that shares what can be shared."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from app.serving.slot import PANELS_KEPT, ServedModel, Slot, load_served_model
from models.bundle import read_bundle, write_bundle
from models.errors import BundleRefused
from models.risk.abstention import Familiarity
from models.risk.assessment import Answered
from models.vocabulary import Vocabulary
from tests.lib.risk_models import bundle_files, fitted

NAME = "icu-review.death_180d"
CARD = b'{"title": "A small model for tests", "cohort": {"title": "synthetic rows"}}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary) -> ServedModel:
    folder = tmp_path_factory.mktemp("slot") / "bundle"
    write_bundle(folder, bundle_files(fitted(), card_json=CARD))
    return load_served_model(read_bundle(folder), NAME, "3", "champion", vocabulary)


def again(served: ServedModel, **changed: object) -> ServedModel:
    """The same model, read a second time: equal rules, but another object."""
    document = served.model.familiarity.to_document(served.model.features)
    rule = Familiarity.from_document({**document, **changed}, served.model.features)
    return replace(served, model=replace(served.model, familiarity=rule))


def test_a_served_model_carries_the_registrys_words_for_it(served: ServedModel):
    assert served.reference == {
        "name": NAME, "version": "3", "alias": "champion", "digest": served.digest,
        "training_data": "synthetic",
    }  # fmt: skip


def test_equal_familiarity_rules_become_one_so_that_a_request_judges_once(served: ServedModel):
    assert again(served).model.familiarity is again(served).model.familiarity


def test_different_familiarity_rules_stay_apart(served: ServedModel):
    one, other = again(served).model.familiarity, again(served, limit=0.5).model.familiarity
    assert one is not other
    assert (one.limit, other.limit) == (served.model.familiarity.limit, 0.5)


def test_a_panel_answers_as_its_model_alone(served: ServedModel, vocabulary: Vocabulary):
    slot, values = Slot(), {
        "age": 70.0, "heart_rate": 90.0, "map": 80.0, "resp_rate": 20.0, "temperature": 37.0,
    }  # fmt: skip
    slot.replace({NAME: served})
    point = vocabulary.branch_points["icu-review"]
    alone = served.model.assess(values)
    for asked in ((), ("sepsis", "death_180d")):
        panel = slot.panel(point, asked)
        assert [name for name, _ in panel.served] == list(asked or point.outcomes)
        assert [name for name, model in panel.served if model is served] == ["death_180d"]
        (answer,) = panel.assess(values)
        assert isinstance(answer, Answered)
        assert isinstance(alone, Answered)
        np.testing.assert_array_equal(answer.contributions, alone.contributions)
        assert answer.score == alone.score


def test_panels_are_kept_until_the_models_change(served: ServedModel, vocabulary: Vocabulary):
    slot, point = Slot(), vocabulary.branch_points["icu-review"]
    before = slot.panel(point)
    assert slot.panel(point) is before
    slot.replace({NAME: served})
    after = slot.panel(point)
    assert after is not before
    assert set(after.used) == set(served.model.features)


def test_what_clients_choose_cannot_fill_the_memory(vocabulary: Vocabulary):
    slot, point = Slot(), vocabulary.branch_points["icu-review"]
    names = list(point.outcomes)
    choices = [tuple(c) for n in range(1, 4) for c in permutations(names, n)][: PANELS_KEPT + 50]
    first = slot.panel(point, choices[0])
    for chosen in choices:
        slot.panel(point, chosen)
    assert slot.panel(point, choices[-1]) is slot.panel(point, choices[-1])
    assert slot.panel(point, choices[0]) is not first


def test_a_request_keeps_the_set_it_took(served: ServedModel):
    slot = Slot()
    slot.replace({"a": served})
    taken = slot.models
    slot.replace({})
    assert list(taken) == ["a"]
    assert not slot.models
    with pytest.raises(TypeError):
        taken["b"] = served  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"card_json": b"{}"}, "cohort"),
        ({"card_json": b'{"cohort": "SUPPORT"}'}, "cohort"),
        ({"card_json": b"[]"}, "card.json"),
        ({"evaluation_json": b"["}, "evaluation.json"),
        ({"model_json": b"{}"}, "model.json"),
    ],
)
def test_a_bundle_that_could_not_be_shown_is_not_served(
    tmp_path: Path, vocabulary: Vocabulary, changed: dict[str, bytes], reason: str
):
    write_bundle(tmp_path / "bundle", bundle_files(fitted(), **{"card_json": CARD, **changed}))
    bundle = read_bundle(tmp_path / "bundle")
    with pytest.raises(BundleRefused, match=reason):
        load_served_model(bundle, NAME, "3", "champion", vocabulary)
