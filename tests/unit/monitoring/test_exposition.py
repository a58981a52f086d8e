"""The text reads back as what was put in, for the client library and for promtool."""

from __future__ import annotations

import math
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from monitoring.exposition import Family, labelled, rendered
from tests.lib.properties import LAW

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats())


@LAW
@given(st.dictionaries(st.sampled_from(["unit", "bin", "model"]), WORDS), NUMBERS, WORDS)
def test_labels_and_numbers_read_back(labels, value, told) -> None:
    family = Family("risk_units", "gauge", f"Units. {told}")
    text = rendered([(family, [(labelled(labels), value)])]).decode()
    (found,) = text_string_to_metric_families(text)
    (sample,) = found.samples
    assert found.type == "gauge"
    assert sample.labels == labels
    assert sample.value == value or (math.isnan(sample.value) and math.isnan(value))


def test_a_histogram_and_a_counter_pass_promtool() -> None:
    times = Family("risk_commit_duration_seconds", "histogram", "How long a commit took.")
    rows = [
        ('le="0.5"', 2, "_bucket"), ('le="+Inf"', 3, "_bucket"), ("", 1.75, "_sum"), ("", 3, "_count"),
    ]  # fmt: skip
    served = Family("risk_models_total", "counter", "Models that were served.")
    text = rendered([(times, rows), (served, [(labelled({"model": "a"}), 1)])])
    counter, histogram = sorted(
        text_string_to_metric_families(text.decode()), key=lambda found: found.type
    )
    assert [sample.value for sample in histogram.samples] == [2, 3, 1.75, 3]
    assert [sample.name for sample in counter.samples] == ["risk_models_total"]
    if (promtool := shutil.which("promtool")) is not None:
        subprocess.run([promtool, "check", "metrics"], input=text, check=True)


@pytest.mark.parametrize(
    ("name", "kind"), [("risk_models", "counter"), ("risk_total", "gauge"), ("risk_x", "summary")]
)
def test_a_name_that_does_not_fit_its_kind_is_refused(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match=name):
        Family(name, kind, "Nothing.")
