"""Fitted on the past alone: no later row, no label that was not known yet, no patient twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.lib.transported import BINARY, elsewhere
from training.errors import NotTransportable
from training.transport import expanding_window
from training.transport.expanding_window import Window, running_month, windows


def dated(cohort, n_months):
    """Rows in order of time, as many in each month."""
    place = np.arange(len(cohort.X)) * n_months // len(cohort.X)
    return replace(cohort, months=(202201 + place // 12 * 100 + place % 12).astype(np.int64))


def test_blocks_follow_each_other_and_wait_for_the_outcome():
    assert windows(np.arange(100, 136), 12, 6) == [
        Window(106, 112, 124),
        Window(118, 124, 136),
    ]
    # A rest is a block of its own.
    assert windows(np.arange(15), 12, 1) == [Window(11, 12, 15)]
    assert running_month(np.array([202212, 202301])).tolist() == [24275, 24276]


def test_a_world_that_moves_is_followed_by_the_refit_and_not_by_the_registered_model(
    additive, vocabulary
):
    """From the second year on the odds are three times as high; the third is fitted on both."""
    cohort = dated(elsewhere(vocabulary, n=9000), 36)
    later = dated(elsewhere(vocabulary, lambda log_odds: log_odds + np.log(3), n=9000), 36)
    y = np.where(cohort.months >= 202301, later.labels[BINARY], cohort.labels[BINARY])
    cohort = replace(cohort, labels={**cohort.labels, BINARY: y})
    found = expanding_window(additive, cohort, vocabulary, block_months=12, seed=1)
    assert found["wait_months"] == 2  # 60 days
    second, third = found["windows"]
    assert (second["fitted_until"], second["judged"]) == (202210, [202301, 202312])
    assert (third["fitted_until"], third["judged"]) == (202310, [202401, 202412])
    for window in (second, third):
        assert window["registered"]["observed_expected"]["lower"] > 1.2
    # What was fitted on 2022 alone is as wrong as the registered model; half of it was mended later.
    assert second["refit"]["observed_expected"]["lower"] > 1.2
    assert (
        third["refit"]["observed_expected"]["upper"]
        < (third["registered"]["observed_expected"]["lower"])
    )
    # Three quarters of ten months: the held-out rows are never fitted on.
    assert second["refit"]["rows_fitted"] == pytest.approx(9000 * 10 / 36 * 0.75, abs=10)


def test_who_was_fitted_on_is_not_judged_when_he_comes_back(additive, vocabulary):
    cohort = dated(elsewhere(vocabulary, n=6000), 24)
    patients = np.arange(6000)
    patients[3000:4500] = patients[:1500]  # a quarter of all comes back in the second year
    cohort = replace(cohort, patients=patients)
    window = expanding_window(additive, cohort, vocabulary, block_months=12, seed=1)["windows"][0]
    seen = np.isin(patients[3000:], patients[:2500][~cohort.held_out[:2500]]).sum()
    assert window["refit"]["rows"] == pytest.approx(3000 - seen, abs=10)
    assert window["registered"]["rows"] == pytest.approx(3000, abs=10)


def test_without_months_or_with_one_block_there_is_no_window(additive, vocabulary):
    cohort = elsewhere(vocabulary, n=1000)
    with pytest.raises(NotTransportable, match="when its rows are from"):
        expanding_window(additive, cohort, vocabulary, block_months=12, seed=1)
    with pytest.raises(NotTransportable, match="one block"):
        expanding_window(additive, dated(cohort, 12), vocabulary, block_months=12, seed=1)
