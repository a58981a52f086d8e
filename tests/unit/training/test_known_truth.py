"""Where the truth is known: calibration against it, directions, the leak, and who is abstained on.

Small and fast here; `tests/benchmarks/truth.py` has the figures over the whole simulated pathway.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.bundle import prove, read_bundle
from models.errors import BundleRefused
from models.risk.assessment import OUT_OF_DISTRIBUTION, Abstained, Answered
from models.risk.calibration import probability
from models.vocabulary import Feature, Vocabulary
from monitoring.reference import reference_profile
from tests.lib.pathway_files import POINT, columns, write, write_source
from training.cohort import Cohort, load_cohort
from training.encode import encode_column
from training.errors import SourceInvalid
from training.evaluation.discrimination import auroc
from training.evaluation.truth import BesideTruth, beside_truth
from training.fit.fit_outcome import Fitted, fit_outcome
from training.publish import write_model_bundle
from training.sources.pathway_source import TRUE_RISK, load_declared
from training.sources.source import Mapped

OUTCOME = "major_complication"
ROWS = 60_000
LATE = "complication_clavien_dindo"


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary) -> list[Cohort]:
    """To fit on, and fresh patients; ROWS of each.

    What chance leaves of O/E after fitting on n events is about 1 / sqrt(n): the rarer outcome has
    5,000, where 0.97 and 1.03 are two standard errors away.
    """
    folder = tmp_path_factory.mktemp("truth")
    declared = load_declared(write_source(folder), vocabulary)
    assert declared is not None
    found = []
    for seed in (31, 32):
        files = write(folder / str(seed), columns(ROWS, seed))
        source = declared.at(POINT, files, vocabulary)
        found.append(load_cohort(source, declared.file(files, POINT), vocabulary))
    return found


def dictionary(cohort: Cohort, vocabulary: Vocabulary) -> list[Feature]:
    return [vocabulary.features[name] for name in cohort.features]


def fit(
    cohort: Cohort, vocabulary: Vocabulary, outcome: str = OUTCOME, **changed: object
) -> Fitted:
    inside = ~cohort.held_out
    told = {"X": cohort.X, "features": dictionary(cohort, vocabulary), **changed}
    assert cohort.patients is not None
    return fit_outcome(
        told["X"][inside], cohort.labels[outcome][inside], told["features"],
        point=vocabulary.branch_points[POINT], outcome=vocabulary.outcomes[outcome],
        training_data="synthetic", seed=1, plan=cohort.source.plan,
        patients=cohort.patients[inside],
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(cohorts: list[Cohort], vocabulary: Vocabulary) -> dict[str, Fitted]:
    return {name: fit(cohorts[0], vocabulary, name) for name in (OUTCOME, "death_30d")}


def judged(fitted: Fitted, fresh: Cohort, outcome: str) -> BesideTruth:
    X = fresh.X[:, fitted.choice.inputs]
    p = probability(fitted.model.explain(X)[0])
    return beside_truth(fresh.labels[outcome], p, fresh.comparators[TRUE_RISK][outcome])


@pytest.mark.parametrize("outcome", [OUTCOME, "death_30d"])
def test_predictions_are_calibrated_against_the_true_risk(cohorts, fitted, outcome):
    assert cohorts[0].labels[outcome][~cohorts[0].held_out].sum() > 1000
    found = judged(fitted[outcome], cohorts[1], outcome)
    assert 0.97 <= found.observed_expected <= 1.03
    assert 0.95 <= found.slope <= 1.05
    assert found.true_auroc - 0.02 <= found.auroc <= found.true_auroc + 0.005


def test_only_what_the_truth_is_made_of_is_kept(cohorts, fitted):
    """Required ones stay; of the rest only haemoglobin matters, and four inputs were allowed."""
    names = {cohorts[0].features[i] for i in fitted[OUTCOME].choice.inputs}
    assert {"age", "asa_band", "procedure_group", "hemoglobin"} == names


def test_attributions_follow_the_generating_direction(cohorts, fitted):
    """A contribution rises with the truth's own term: older, sicker, less haemoglobin."""
    model, fresh = fitted[OUTCOME].model, cohorts[1]
    X = fresh.X[:4000][:, fitted[OUTCOME].choice.inputs]
    _, contributions = model.explain(X)
    at = {name: model.features.index(name) for name in ("age", "asa_band", "hemoglobin")}
    term = {
        "age": 0.05 * X[:, at["age"]],
        "asa_band": np.array([0, 1.1, 2.0])[X[:, at["asa_band"]].astype(int)],
        "hemoglobin": -0.03 * X[:, at["hemoglobin"]],
    }
    for name, own in term.items():
        present = ~np.isnan(own)
        found = contributions[present, at[name]]
        assert np.corrcoef(own[present], found)[0, 1] > 0.97
        # Size as well as sign: one unit of the truth is about one unit of the reason.
        assert np.polyfit(own[present], found, 1)[0] == pytest.approx(1.0, abs=0.15)
    nothing = contributions[:, model.features.index("procedure_group")]
    assert nothing.std() < 0.05


def test_a_leak_is_seen_and_refused(cohorts, tmp_path: Path, vocabulary: Vocabulary):
    """One feature that is known only at discharge, let in by hand here and by nothing else."""
    cohort = cohorts[0]
    folder = write(tmp_path, columns(ROWS, 31))
    table = pq.read_table(folder / f"{POINT}.parquet", columns=[f"later:{LATE}"])
    late, _ = encode_column(
        vocabulary.features[LATE], table.column(0).combine_chunks(), None,
        vocabulary.branch_points["discharge"],
    )  # fmt: skip
    X = np.column_stack([cohort.X, late])
    features = [*dictionary(cohort, vocabulary), vocabulary.features[LATE]]
    honest = fit(cohort, vocabulary)
    leaking = fit(cohort, vocabulary, X=X, features=features)
    held = cohort.held_out
    y = cohort.labels[OUTCOME][held]

    def area(fitted: Fitted, rows: np.ndarray) -> float:
        return auroc(y, fitted.model.explain(rows[held][:, fitted.choice.inputs])[0])

    assert area(honest, cohort.X) < auroc(y, cohort.comparators[TRUE_RISK][OUTCOME][held]) + 0.01
    assert area(leaking, X) > area(honest, cohort.X) + 0.15  # better than the truth: it cheats

    mapped = (*cohort.source.measurements, Mapped(f"later:{LATE}", LATE, None, None))
    with pytest.raises(SourceInvalid, match="can never be an input"):
        load_cohort(
            replace(cohort.source, measurements=mapped), folder / f"{POINT}.parquet", vocabulary
        )
    under_its_name = {**columns(8), LATE: np.full(8, "none")}
    declared = load_declared(write_source(tmp_path), vocabulary)
    assert declared is not None
    with pytest.raises(SourceInvalid, match=f"`{LATE}` cannot be an input of `{POINT}`"):
        declared.at(POINT, write(tmp_path / "named", under_its_name), vocabulary)
    with pytest.raises(BundleRefused, match="cannot be known at"):
        _write(leaking, X[~held], features, tmp_path / "bundle", vocabulary)


def _write(
    fitted: Fitted, X: np.ndarray, features: list[Feature], folder: Path, vocabulary: Vocabulary
) -> None:
    inputs = fitted.choice.inputs
    X, features = X[:, inputs], [features[i] for i in inputs]
    reference = reference_profile(X, features, np.full(len(X), 0.5), "binary")
    write_model_bundle(
        folder, fitted.model, fitted.trees_text, X, reference, {}, {}, "", vocabulary
    )
    prove(read_bundle(folder), fitted.model.name, vocabulary)


def test_who_comes_from_outside_the_generator_is_abstained_on(cohorts, fitted):
    model, fresh = fitted[OUTCOME].model, cohorts[1]
    usual = {"age": 62.0, "asa_band": 1.0, "procedure_group": 3.0, "hemoglobin": 128.0}
    categories = fresh.X[0, fresh.features.index("procedure_group")]
    usual["procedure_group"] = float(categories)
    assert isinstance(model.assess(usual), Answered)
    # Nobody younger than 20 or older than 90 was made; haemoglobin was 130 +- 15.
    for strange in ({"age": 4.0}, {"age": 104.0}, {"hemoglobin": 30.0}, {"hemoglobin": 245.0}):
        answer = model.assess({**usual, **strange})
        assert isinstance(answer, Abstained)
        assert answer.reason == OUT_OF_DISTRIBUTION
    X = fresh.X[:, fitted[OUTCOME].choice.inputs]
    assert model.answers(X).mean() > 0.998
