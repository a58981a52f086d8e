"""The declared subgroups fit the dictionary, and a row that does not is refused by name."""

from __future__ import annotations

import pytest

from models.errors import ContentInvalid
from models.vocabulary import Vocabulary
from monitoring.outcomes.subgroups import labels_of, load_subgroups

SOURCE = 'source = "product proposal, to be set by the site"'


def test_the_products_own_rows(vocabulary: Vocabulary) -> None:
    found = load_subgroups(vocabulary.features)
    assert [(one.feature.name, one.limits) for one in found] == [("sex", ()), ("age", (18, 65, 80))]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ('{"age":{"value":64.9,"minutes_before":3}}', ("age: 18-64",)),
        ('{"age":{"value":90},"sex":{"value":"female"}}', ("sex: female", "age: 80 or over")),
        ('{"sex":{"value":"unheard of"}}', ()),
        ('{"sex":"female","age":[]}', ()),
        ("{}", ()),
    ],
)
def test_groups_of_stored_inputs(vocabulary: Vocabulary, inputs: str, expected: tuple) -> None:
    assert labels_of(inputs, load_subgroups(vocabulary.features)) == expected


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (f'name = "shoe_size"\n{SOURCE}', "feature dictionary"),
        (f'name = "age"\n{SOURCE}', "a number needs them"),
        (f'name = "sex"\nlimits = [1]\n{SOURCE}', "are for numbers"),
        (f'name = "age"\nlimits = [65, 18]\n{SOURCE}', "ascending"),
        (f'name = "age"\nlimits = [18, "x"]\n{SOURCE}', "ascending"),
        ('name = "sex"', "`source` is missing"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(
    vocabulary: Vocabulary, tmp_path, row: str, rule: str
) -> None:
    path = tmp_path / "subgroups.toml"
    path.write_text(f"[[subgroup]]\n{row}\n")
    with pytest.raises(ContentInvalid, match=rule):
        load_subgroups(vocabulary.features, path)
