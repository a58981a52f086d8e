"""What only people know is stated in the source and stands on the card."""

from __future__ import annotations

import pytest

from models.card import source_attributes
from models.errors import ContentInvalid
from models.vocabulary import Vocabulary
from models.vocabulary.content import Row
from training.sources.source import load_source, parse_source, read_source


def stating(vocabulary: Vocabulary, **stated: object) -> dict[str, str]:
    row = read_source("support2")
    source = parse_source(Row(row.file, row.label, {**row.values, "stated": stated}), vocabulary)
    return dict(source.stated)


def test_a_source_states_attributes_of_the_card(vocabulary: Vocabulary):
    said = stating(vocabulary, developer="Region Halland, a@b.example", funding="The region")
    answers = {one.id: one.answer for one in source_attributes({"source_attributes": said})}
    assert answers["developer"] == "Region Halland, a@b.example"
    assert answers["funding"] == "The region"
    assert answers["criteria"] is None


@pytest.mark.parametrize("stated", [{"founding": "The region"}, {"funding": 7}])
def test_what_is_no_attribute_or_no_text_is_refused(vocabulary: Vocabulary, stated: dict):
    with pytest.raises(ContentInvalid, match="stated"):
        stating(vocabulary, **stated)


def test_support_states_whom_it_took_and_names_where_that_is_written(vocabulary: Vocabulary):
    criteria = load_source("support2", vocabulary).stated["criteria"]
    assert "nine life-threatening diagnoses" in criteria
    assert "JAMA 1995" in criteria
