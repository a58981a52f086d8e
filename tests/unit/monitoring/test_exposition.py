"""The text reads back as what was put in."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from monitoring.exposition import labelled, text_of
from tests.lib.properties import LAW

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats())


@LAW
@given(st.dictionaries(st.sampled_from(["unit", "bin", "model"]), WORDS), NUMBERS)
def test_labels_and_numbers_read_back(labels: dict[str, str], value: float) -> None:
    (found,) = text_string_to_metric_families(text_of("risk_vlad", [(labelled(labels), value)]))
    (sample,) = found.samples
    assert (found.type, found.name) == ("gauge", "risk_vlad")
    assert sample.labels == labels
    assert sample.value == value or (math.isnan(sample.value) and math.isnan(value))
