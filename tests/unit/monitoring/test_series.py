"""The table of series keeps Prometheus's own rules, and what is shown today is in it."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.vocabulary import Vocabulary
from monitoring.metrics import Metrics
from monitoring.series import FAMILIES, SERIES, Family


def test_no_name_stands_twice():
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert len(SERIES) == sum(len(family.series) for family in FAMILIES)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_named_as_prometheus_wants_it(family: Family):
    assert re.fullmatch(r"risk_[a-z_]+[a-z]", family.name)
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert not family.name.endswith(("_bucket", "_sum", "_count"))
    assert re.fullmatch(r"[A-Z1].*\.", family.help)
    assert len(set(family.labels)) == len(family.labels)
    assert not {"le", "instance", "job"} & set(family.labels)


def test_what_is_not_counted_twice_says_so_by_its_first_label():
    """Rules take the largest of the replicas where the ledger is named, and sum elsewhere."""
    outcome = re.compile(r"risk_(outcome|unit_|subgroup_|cusum|vlad|calibration|auroc)")
    for family in FAMILIES:
        assert (family.labels[:1] == ("ledger",)) == bool(outcome.match(family.name)), family.name


def test_what_the_service_shows_is_in_the_table(vocabulary: Vocabulary):
    shown = Metrics(vocabulary, ["token"])
    known = {family.name.removesuffix("_total"): family for family in FAMILIES}
    found = list(text_string_to_metric_families(shown.exposition().decode()))
    assert found
    for family in found:
        if family.name.endswith("_created"):
            continue
        assert (family.type, family.documentation) == (
            known[family.name].kind,
            known[family.name].help,
        )
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                assert set(sample.labels) == set(SERIES[sample.name])
