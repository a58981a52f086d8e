"""The simulated pathway as training reads it: all nine files, one of them fitted, one leak let in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.risk.calibration import probability
from models.vocabulary import Vocabulary
from training.cohort import Cohort, load_cohort, measurements_of, read_rows
from training.encode import encode_column
from training.evaluation.discrimination import auroc
from training.evaluation.truth import beside_truth
from training.fit.fit_outcome import Fitted, fit_outcome
from training.fit.selection import assign_folds
from training.pipeline import usable_features
from training.sources.pathway_source import TRUE_RISK, PathwaySource, load_declared
from training.sources.simulated import simulated

POINT, OUTCOME, LATE = "surgery-decision", "major_complication", "complication_clavien_dindo"


@pytest.fixture(scope="module")
def declared(vocabulary: Vocabulary) -> PathwaySource:
    found = load_declared("pathway", vocabulary)
    assert found is not None
    assert found.simulation is not None
    quick = replace(found.plan, folds=3, smoothings=(300.0,), rounds=(50,), inputs=(12,))
    return replace(found, plan=quick, simulation=replace(found.simulation, episodes=8000))


@pytest.fixture(scope="module")
def folder(declared: PathwaySource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shares: list[float] = []
    made = simulated(declared, tmp_path_factory.mktemp("cohorts"), shares.append)
    assert sum(shares) == pytest.approx(1.0)
    return made


@pytest.fixture(scope="module")
def cohort(declared: PathwaySource, folder: Path, vocabulary: Vocabulary) -> Cohort:
    source = declared.at(POINT, folder, vocabulary)
    return load_cohort(source, declared.file(folder, POINT), vocabulary)


def fit(cohort: Cohort, X: np.ndarray, names: list[str], vocabulary: Vocabulary) -> Fitted:
    rows = np.flatnonzero(~cohort.held_out & ~np.isnan(cohort.labels[OUTCOME]))
    assert cohort.patients is not None
    return fit_outcome(
        X[rows], cohort.labels[OUTCOME][rows], [vocabulary.features[name] for name in names],
        point=vocabulary.branch_points[POINT], outcome=vocabulary.outcomes[OUTCOME],
        training_data="synthetic", seed=1, plan=cohort.source.plan,
        patients=cohort.patients[rows],
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(cohort: Cohort, vocabulary: Vocabulary) -> tuple[Fitted, list[int]]:
    usable = usable_features(cohort)
    found = fit(cohort, cohort.X[:, usable], [cohort.features[i] for i in usable], vocabulary)
    return found, usable


def test_all_nine_files_are_as_training_needs_them(declared, folder, vocabulary):
    for point in declared.outcomes:
        source = declared.at(point, folder, vocabulary)
        row = next(read_rows(source, declared.file(folder, point)))
        assert measurements_of(row, vocabulary)
        features = {mapped.feature for mapped in source.measurements}
        assert set(vocabulary.branch_points[point].required) <= features
        binary = {n for n in declared.outcomes[point] if vocabulary.outcomes[n].kind == "binary"}
        assert {comparator.outcomes[0] for comparator in source.comparators} == binary


def test_no_patient_stands_on_both_sides_at_any_branch_point(declared, folder, vocabulary):
    """Some come back with a second episode: their number decides, not the episode's."""
    sides: dict[bool, set[int]] = {True: set(), False: set()}
    returned = 0
    for point in declared.outcomes:
        file = declared.file(folder, point)
        found = load_cohort(declared.at(point, folder, vocabulary), file, vocabulary)
        assert found.patients is not None
        keys = pq.read_table(file, columns=["patient", "episode"])
        patients, episodes = (keys[name].to_numpy() for name in ("patient", "episode"))
        assert found.patients.tolist() == patients.tolist()
        returned += len(set(episodes.tolist()) - set(patients.tolist()))
        for held in sides:
            sides[held] |= set(patients[found.held_out == held].tolist())
        y = np.nan_to_num(found.labels[declared.outcomes[point][0]])
        folds = assign_folds(y, "binary", declared.plan.folds, 1, found.patients)
        pairs = set(zip(found.patients.tolist(), folds.tolist(), strict=True))
        assert len(pairs) == len(set(patients.tolist()))  # one fold each
    assert returned > 100
    assert not sides[True] & sides[False]


def test_what_is_trained_is_common_enough_to_be_judged(folder, vocabulary: Vocabulary):
    """The gate asks for 20 held-out events; three times as many do not fall short by chance."""
    shipped = load_declared("pathway", vocabulary)
    assert shipped is not None
    assert shipped.simulation is not None
    assert shipped.plan.rows is not None
    for point, outcomes in shipped.outcomes.items():
        file = shipped.file(folder, point)
        binary = [name for name in outcomes if vocabulary.outcomes[name].kind == "binary"]
        labels = pq.read_table(file, columns=[f"label:{name}" for name in binary])
        rows = labels.num_rows * shipped.simulation.episodes / 8000
        held_out = min(rows, shipped.plan.rows) / shipped.divisible_by
        for name in binary:
            y = labels[f"label:{name}"].to_numpy()
            events, others = (held_out * float((y == value).mean()) for value in (1, 0))
            assert min(events, others) > 60, f"{point}.{name}: {events:.0f} and {others:.0f}"


def test_it_is_simulated_once(declared, folder):
    kept = (folder / f"{POINT}.parquet").stat().st_mtime_ns
    assert simulated(declared, folder.parent) == folder
    assert (folder / f"{POINT}.parquet").stat().st_mtime_ns == kept
    assert [path.name for path in folder.parent.iterdir()] == ["pathway"]


def test_a_small_cohort_already_comes_near_the_truth(cohort, fitted):
    """With some hundred events; the limits of a large cohort are the benchmark's."""
    model, usable = fitted[0].model, fitted[1]
    rows = np.flatnonzero(cohort.held_out & ~np.isnan(cohort.labels[OUTCOME]))
    X = cohort.X[np.ix_(rows, usable)][:, fitted[0].choice.inputs]
    rows, X = rows[model.answers(X)], X[model.answers(X)]
    p = probability(model.explain(X)[0])
    truth = cohort.comparators[TRUE_RISK][OUTCOME][rows]
    found = beside_truth(cohort.labels[OUTCOME][rows], p, truth)
    assert found.observed_expected == pytest.approx(1.0, abs=0.15)
    assert found.slope == pytest.approx(1.0, abs=0.15)
    assert found.true_auroc > found.auroc > found.true_auroc - 0.06
    assert len(model.features) < len(usable)


def test_letting_a_late_feature_in_is_seen_at_once(cohort, fitted, folder, vocabulary: Vocabulary):
    """By hand, in this test only; `test_pathway_source.py` has the guards that refuse it."""
    honest, usable = fitted
    file = pq.read_table(folder / f"{POINT}.parquet", columns=[f"later:{LATE}"])
    late, _ = encode_column(
        vocabulary.features[LATE], file[f"later:{LATE}"].combine_chunks(), None,
        vocabulary.branch_points["discharge"],
    )  # fmt: skip
    assert len(late) == len(cohort.X)  # nothing was thinned: row by row the same patients
    X = np.column_stack([cohort.X[:, usable], late])
    names = [*(cohort.features[i] for i in usable), LATE]
    leaking = fit(cohort, X, names, vocabulary)
    assert LATE in leaking.model.features
    held = cohort.held_out & ~np.isnan(cohort.labels[OUTCOME])
    y, truth = cohort.labels[OUTCOME][held], cohort.comparators[TRUE_RISK][OUTCOME][held]
    fair = auroc(y, honest.model.explain(X[held][:, honest.choice.inputs])[0])
    cheating = auroc(y, leaking.model.explain(X[held][:, leaking.choice.inputs])[0])
    assert fair < auroc(y, truth)
    assert cheating > auroc(y, truth)  # better than who knows the true risk: that is no forecast
    assert cheating > fair + 0.08
