"""The ledger as a cohort: the same vectors that were served, what is unknown left out, one side each."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from models.bundle import prove, read_bundle
from models.vocabulary import take
from monitoring.ledger.matured import Matured
from tests.lib.signal_cohort import BINARY, NAMES, made
from training.errors import CohortTooSmall
from training.transport.retrain import ledger_cohort, patient_number, retrain

START_US = 1_700_000_000_000_000
POINT = "icu-review"


def stored(cohort, vocabulary, i: int) -> str:
    """Inputs as the service stores them."""
    return json.dumps(
        {
            name: {"value": vocabulary.features[name].show(value), "minutes_before": 30}
            for name, value in zip(NAMES, cohort.X[i].tolist(), strict=True)
            if not np.isnan(value)
        }
    )


def rows_of(cohort, vocabulary, unknown=frozenset()):
    return [
        Matured(
            f"a{i}", f"1.p{cohort.patients[i]}", START_US + i, START_US + i,
            stored(cohort, vocabulary, i),
            None if i in unknown else float(cohort.labels[BINARY][i]),
        )
        for i in range(len(cohort.X))
    ]  # fmt: skip


def test_rows_are_encoded_as_they_were_served_and_unreported_ones_left_out(vocabulary):
    cohort = made(vocabulary, 200)
    found = ledger_cohort(
        rows_of(cohort, vocabulary, {3, 4}), POINT, BINARY, vocabulary, real=False
    )
    assert (found.matured, found.coverage) == (200, 0.99)
    kept = np.delete(np.arange(200), [3, 4])
    for name in NAMES:
        feature = vocabulary.features[name]
        served = [
            value if np.isnan(value) else take(feature, feature.show(value))
            for value in cohort.X[kept, NAMES.index(name)].tolist()
        ]
        own = found.cohort.X[:, found.cohort.features.index(name)]
        assert own == pytest.approx(np.array(served), nan_ok=True)
    assert found.cohort.labels[BINARY].tolist() == cohort.labels[BINARY][kept].tolist()
    assert found.cohort.source.training_data == "synthetic"
    # Two rows a patient, always on one side.
    for patient in np.unique(found.cohort.patients):
        assert len(set(found.cohort.held_out[found.cohort.patients == patient])) == 1
    assert 0.1 < found.cohort.held_out.mean() < 0.4


def test_what_the_dictionary_no_longer_takes_is_missing_and_counted(vocabulary):
    row = Matured("a", "1.p", START_US, START_US, '{"age":{"value":71.0},"gone":{"value":1}}', 1.0)
    found = ledger_cohort([row], POINT, BINARY, vocabulary, real=True)
    assert found.cohort.features == ("age",)
    assert found.cohort.set_aside == {("gone", "changed_since"): 1}
    assert found.cohort.source.training_data == "real"


def test_without_reports_there_is_nothing_to_learn_from(vocabulary):
    rows = rows_of(made(vocabulary, 20), vocabulary, set(range(20)))
    with pytest.raises(CohortTooSmall, match="none has an outcome reported"):
        ledger_cohort(rows, POINT, BINARY, vocabulary, real=True)


def test_the_horizon_is_the_outcomes_own(vocabulary):
    assert vocabulary.outcomes["death_60d"].matures_after_days == 60
    assert vocabulary.outcomes["death_in_hospital"].matures_after_days == 90


def test_a_patient_stays_on_his_side_from_one_retraining_to_the_next():
    # SHA-256 of "1.aa" begins 0x…: the number is that of its first 62 bits, whoever asks.
    assert patient_number("1.aa") == patient_number("1.aa")
    assert patient_number("1.aa") != patient_number("1.ab")


def test_a_candidate_is_written_with_where_it_comes_from(vocabulary, tmp_path):
    cohort = made(vocabulary, 1500)
    found = ledger_cohort(rows_of(cohort, vocabulary), POINT, BINARY, vocabulary, real=True)
    source = replace(found.cohort.source, plan=cohort.source.plan)
    found = replace(found, cohort=replace(found.cohort, source=source))
    prepared = retrain(found, BINARY, vocabulary, tmp_path, champion="4", seed=1)
    tags = prepared.run.tags
    assert tags["candidate"] == "challenger"
    assert tags["retrained_beside_version"] == "4"
    assert (tags["ledger_rows"], tags["ledger_coverage"]) == ("1500", "1.000")
    assert tags["ledger_from_month"] == "2023-11"
    assert tags["source"] == "ledger"
    assert "training_fingerprint" not in tags
    prove(read_bundle(prepared.bundle), f"{POINT}.{BINARY}", vocabulary)
    assert prepared.evaluation["auroc"]["value"] > 0.75
