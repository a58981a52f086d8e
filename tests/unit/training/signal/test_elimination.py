"""Leaving inputs out: what it costs, in which order, and where it ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.vocabulary import Vocabulary
from tests.lib.properties import LAW
from tests.lib.signal_cohort import BINARY, IDLE, NAMES, SECOND
from training.fit.takeover import Takeover
from training.rows import Cohort
from training.signal.elimination import (
    Elimination,
    Folds,
    Labelled,
    eliminate,
    standard_error,
)


@LAW
@given(st.integers(0, 10_000), st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
def test_the_cost_is_the_rise_of_the_loss_when_the_rest_is_fitted_again(seed, gone):
    """Ridge regression, where second order is exact: four inputs of two columns each."""
    random = np.random.default_rng(seed)
    Z = random.normal(size=(60, 8)) @ random.normal(size=(8, 8))
    y = random.normal(size=60)
    owner = np.arange(8) // 2

    def least(kept: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        inner = Z[:, kept]
        curvature = inner.T @ inner + 0.5 * np.eye(kept.sum())
        weights = np.linalg.solve(curvature, inner.T @ y)
        residual = y - inner @ weights
        return 0.5 * float(residual @ residual + 0.5 * weights @ weights), weights, curvature

    kept = np.ones(8, dtype=bool)
    loss, weights, curvature = least(kept)
    fit = Takeover(owner, weights, np.linalg.inv(curvature), dispersion=2.0)
    for feature in gone:
        kept &= owner != feature
        without = least(kept)[0]
        assert 2.0 * fit.cost(feature) == pytest.approx(without - loss, rel=1e-5, abs=1e-7)
        fit.drop(feature)
        loss = without
        assert fit.cost(feature) == 0.0


def folds_of(cohort: Cohort, vocabulary: Vocabulary, outcome: str) -> Folds:
    rows = np.flatnonzero(~cohort.held_out)
    assert cohort.patients is not None
    patients = cohort.patients[rows]
    labelled = Labelled(
        outcome, cohort.X[rows], cohort.labels[outcome][rows], (patients % 3).astype(np.intp),
        patients, "binary", directed=True,
    )  # fmt: skip
    return Folds(labelled, [vocabulary.features[name] for name in NAMES], (30.0,))


@pytest.fixture(scope="module")
def path(cohort: Cohort, vocabulary: Vocabulary) -> Elimination:
    return eliminate([folds_of(cohort, vocabulary, name) for name in (BINARY, SECOND)])


def test_each_step_is_part_of_the_one_before_and_all_inputs_have_their_turn(path):
    sizes = [len(step.inputs) for step in path.steps]
    assert sizes == list(range(len(NAMES), 0, -1))
    for larger, smaller in zip(path.steps, path.steps[1:], strict=False):
        assert set(smaller.inputs) < set(larger.inputs)
    assert sorted(path.order) == list(range(len(NAMES)))
    assert sorted((*path.kept, *path.dropped)) == list(range(len(NAMES)))
    assert path.larger().at == path.at - 1


def test_the_idle_go_first_and_the_curve_breaks_where_weight_begins(path):
    first = {NAMES[i] for i in path.order[:5]}
    assert set(IDLE) < first  # and one of the twins
    for loss in path.steps[0].losses.values():
        assert (loss.difference, loss.standard_error) == (0.0, 0.0)
    beyond = path.steps[path.at + 2].losses[BINARY]
    assert beyond.difference > 3 * beyond.standard_error


def test_no_fit_is_measured_on_a_patient_it_has_seen(cohort: Cohort, vocabulary: Vocabulary):
    """Labels drawn at random: whoever leaks finds something in them."""
    random = np.random.default_rng(8)
    labels = {BINARY: (random.random(len(cohort.X)) < 0.4).astype(float)}
    drawn = Cohort(
        cohort.source, cohort.features, cohort.X, labels, {}, cohort.held_out, {}, cohort.patients
    )
    folds = folds_of(drawn, vocabulary, BINARY)
    mean = labels[BINARY][~cohort.held_out].mean()
    nothing = -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean))
    assert eliminate([folds]).steps[0].losses[BINARY].value > nothing


@LAW
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=12), st.integers(1, 4))
def test_rows_that_are_written_down_again_make_nothing_surer(values, copies):
    once = np.array(values)
    own = standard_error(once, np.arange(len(once)))
    again = standard_error(np.repeat(once, copies), np.repeat(np.arange(len(once)), copies))
    assert own == pytest.approx(once.std(ddof=1) / np.sqrt(len(once)), abs=1e-12)
    assert again == pytest.approx(own, abs=1e-12)
