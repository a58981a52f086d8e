"""The 31 source attributes of HTI-1: said by the card, or said by nobody."""

from __future__ import annotations

import tomllib
from collections import Counter

from models.card import source_attributes
from models.card.source_attributes import CONTENT, FOLLOWS
from models.vocabulary import Vocabulary
from tests.lib.model_card import full_card

# What nothing in a card tells: people must say it, or somebody must have tested the model elsewhere.
ONLY_PEOPLE_KNOW = {
    "(1)(i)": "developer",
    "(1)(ii)": "funding",
    "(4)(i)": "criteria",
    "(5)(ii)": "bias_approach",
    "(6)(i)": "external_data",
    "(6)(ii)": "external_party",
    "(6)(iii)": "external_representativeness",
    "(6)(iv)": "external_process",
    "(7)(iii)": "external_validity",
    "(7)(iv)": "external_fairness",
    "(7)(v)": "outcome_evaluations",
    "(8)(ii)": "local_validity",
    "(8)(iii)": "fairness_monitoring",
    "(8)(iv)": "local_fairness",
    "(9)(ii)": "correction",
}
FILLED = {
    "(1)(iii)", "(1)(iv)", "(2)(i)", "(2)(ii)", "(2)(iii)", "(2)(iv)", "(3)(i)", "(3)(ii)", "(4)(ii)",
    "(4)(iii)", "(4)(iv)", "(5)(i)", "(7)(i)", "(7)(ii)", "(8)(i)", "(9)(i)",
}  # fmt: skip


def answers(card: dict) -> dict[str, str | None]:
    return {one.place: one.answer for one in source_attributes(card)}


def test_there_are_31_in_nine_groups_of_the_regulations_sizes():
    """4 + 4 + 2 + 4 + 2 + 4 + 5 + 4 + 2, 45 CFR 170.315(b)(11)(iv)(B)(1) to (9)."""
    found = source_attributes({})
    assert list(Counter(one.group for one in found).values()) == [4, 4, 2, 4, 2, 4, 5, 4, 2]
    numerals = ("i", "ii", "iii", "iv", "v")
    sizes = (4, 4, 2, 4, 2, 4, 5, 4, 2)
    places = [f"({n})({numerals[i]})" for n, size in enumerate(sizes, 1) for i in range(size)]
    assert [one.place for one in found] == places
    assert len({one.id for one in found}) == len({one.text for one in found}) == 31


def test_what_a_full_card_fills_and_what_stays_unsaid():
    found = answers(full_card())
    assert {place for place, answer in found.items() if answer} == FILLED
    assert {place for place, answer in found.items() if answer is None} == set(ONLY_PEOPLE_KNOW)


def test_an_empty_card_says_only_what_the_product_does_for_every_model():
    assert {place for place, answer in answers({}).items() if answer} == {"(8)(i)", "(9)(i)"}


def test_what_people_say_wins_and_fills_what_only_they_know():
    said = dict.fromkeys(ONLY_PEOPLE_KNOW.values(), "Region Halland says so.")
    card = full_card() | {"source_attributes": said}
    found = answers(card)
    assert all(found.values())
    assert {found[place] for place in ONLY_PEOPLE_KNOW} == {"Region Halland says so."}
    assert answers({"source_attributes": {"users": "Nurses"}})["(2)(iii)"] == "Nurses"


def test_personal_variables_are_told_as_used_and_as_not_used():
    answer = answers(full_card())["(4)(ii)"]
    assert answer is not None
    used, unused = answer.split(" Not used: ")
    assert used == (
        "Used: sex (as sex), date of birth (as age), "
        "social determinants of health (as education_years)."
    )
    for name in ("race", "ethnicity", "language", "sexual orientation", "gender identity"):
        assert name in unused


def test_groups_are_told_and_small_ones_withheld():
    assert answers(full_card())["(4)(iii)"] == "Held-out rows by sex: female 981, male withheld."


def test_simulated_patients_are_relevant_to_nobody():
    answer = answers(full_card() | {"training_data": "synthetic"})["(4)(iv)"]
    assert answer is not None
    assert "proves nothing about real ones" in answer


def test_variables_name_features_of_the_dictionary(vocabulary: Vocabulary):
    content = tomllib.loads(CONTENT.read_text(encoding="utf-8"))
    named = {name for variable in content["variable"] for name in variable["features"]}
    assert named <= set(vocabulary.features)
    assert len(content["variable"]) == 9  # (A)(5) through (13)


def test_every_rule_belongs_to_an_attribute():
    assert set(FOLLOWS) <= {one.id for one in source_attributes({})}
