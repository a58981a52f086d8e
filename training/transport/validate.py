"""External validation of a registered model: a report on patients that it has never seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.calibration import probability
from models.vocabulary import Vocabulary
from training.cohort import Cohort
from training.errors import CohortTooSmall
from training.evaluation.calibration_intervals import N_RESAMPLES, calibration_intervals
from training.evaluation.disclosure import SMALLEST_COUNT, is_small
from training.evaluation.inputs import patient_numbers
from training.evaluation.log_odds import clipped_log_odds
from training.evaluation.plain import plain
from training.evaluation.resampling import Resampling
from training.judge import Answers, answers, judge, vectors_of
from training.transport.case_mix import case_mix, spread_of_predictions
from training.transport.membership import membership_auroc
from training.transport.registered import Registered, is_own, refuse_unfit
from training.transport.sample_size import sample_size
from training.transport.score_columns import score_columns
from training.transport.words import sentences

Floats = NDArray[np.float64]

HOSPITAL = "hospital"


def validate(
    registered: Registered,
    cohort: Cohort,
    vocabulary: Vocabulary,
    *,
    seed: int,
    other_patients: bool = False,
    development: Cohort | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Judge a model, as it is, on another cohort.

    Every labelled row is asked, as the service would be asked. Of a cohort with the title of one
    that the model was fitted on, only the held-out rows are.

    Parameters
    ----------
    other_patients : bool
        The cohort bears such a title, but holds other patients: all rows are asked.
    development : Cohort, optional
        Rows that the model was fitted on, for the measure of relatedness; a bundle holds none.
    progress : callable
        Told the share that each step completes; the shares sum to 1.

    Returns
    -------
    dict
        JSON-serialisable: `sentences` (two), `model`, `cohort`, `case_mix`, `predictions` (spread of
        the linear predictor), `relatedness`, `evaluation` (`training.evaluation`, with published
        scores among the comparators and hospitals among the subgroups), `calibration` (intervals),
        `sample_size` (None for a number). Counts of one to four are withheld.

    Raises
    ------
    NotTransportable
        When the cohort lacks the outcome or a required input.
    CohortTooSmall
        When it cannot carry an evaluation.
    """
    refuse_unfit(registered, cohort)
    model = registered.model
    own = is_own(registered, cohort) and not other_patients
    among = cohort.held_out if own else np.ones(len(cohort.X), dtype=bool)
    found = answers(model, cohort, among)
    if not len(found.rows):
        raise CohortTooSmall(f"{model.outcome}: the model answers none of {found.asked} rows")
    _refuse_few(model.kind, found)
    scores = (
        score_columns(cohort, found.rows, model.outcome, vocabulary)
        if model.kind == "binary"
        else {}
    )
    progress(0.2)
    evaluation = judge(
        model, cohort, found, vocabulary, seed, comparators=scores, groups=_hospitals(cohort, found)
    )
    progress(0.4)
    predicted = probability(found.score) if model.kind == "binary" else found.score
    calibration = calibration_intervals(
        found.y, predicted, model.kind, _resampling(cohort, found, seed)
    )
    progress(0.3)
    known = np.flatnonzero(among & ~np.isnan(cohort.labels[model.outcome]))
    features = [vocabulary.features[name] for name in model.features]
    X = vectors_of(model, cohort, known)
    abstained = _masked(evaluation["abstained"])
    report: dict[str, Any] = {
        "model": {
            "name": model.name,
            "version": registered.version.version,
            "digest": registered.bundle.digest,
            "training_data": model.training_data,
            "fitted_on": registered.card.get("cohort", {}).get("title"),
            "form": registered.card.get("model", {}).get("form"),
        },
        "cohort": {
            "title": cohort.source.title,
            "source": cohort.source.name,
            "training_data": cohort.source.training_data,
            # Less those that were answered, either would tell how few were not.
            "rows": None if abstained["rows"] is None else len(cohort.X),
            "asked": None if abstained["rows"] is None else found.asked,
            "own": own,
            "which": "held-out rows of the cohort it was fitted on" if own else "all labelled rows",
            "patients": _patient_count(cohort, found),
            "inputs_missing": sorted(set(model.features) - set(cohort.features)),
        },
        "case_mix": case_mix(X, features, registered.reference),
        "predictions": _predictions(model.kind, evaluation, registered.evaluation),
        "relatedness": _relatedness(registered, cohort, X, known, development, vocabulary, seed),
        "evaluation": {**evaluation, "abstained": abstained},
        "calibration": calibration,
        "sample_size": sample_size(
            found.y, predicted, clipped_log_odds(predicted), evaluation["auroc"]["value"]
        )
        if model.kind == "binary"
        else None,
    }
    report = plain(report)
    progress(0.1)
    return {"sentences": sentences(report), **report}


def _refuse_few(kind: str, found: Answers) -> None:
    """Refuse what could be shown of nobody: figures of four events are those of four patients."""
    events = float(found.y.sum())
    if kind == "binary" and is_small(events, len(found.y) - events):
        raise CohortTooSmall(
            f"fewer than {SMALLEST_COUNT} events or non-events: nothing of them can be shown"
        )


def _masked(abstained: dict[str, Any]) -> dict[str, Any]:
    """Abstentions, or nothing of them where they point at a few patients."""
    few = abstained["rows"] and is_small(abstained["rows"])
    return {"rows": None, "share": None} if few else abstained


def _hospitals(cohort: Cohort, found: Answers) -> dict[str, list[str | None]]:
    if cohort.hospitals is None:
        return {}
    own = cohort.hospitals[found.rows].tolist()
    return {HOSPITAL: own} if len(set(own)) > 1 else {}


def _resampling(cohort: Cohort, found: Answers, seed: int) -> Resampling:
    patients = None
    if cohort.patients is not None:
        patients = patient_numbers(cohort.patients[found.rows].astype(str).tolist(), len(found.y))
    most = min(N_RESAMPLES, cohort.source.plan.resamples)
    return Resampling(np.random.default_rng(seed), most, patients)


def _patient_count(cohort: Cohort, found: Answers) -> int:
    if cohort.patients is None:
        return len(found.rows)
    return len(np.unique(cohort.patients[found.rows]))


def _predictions(kind: str, here: dict[str, Any], original: Any) -> dict[str, Any] | None:
    own, other = (_tenths(kind, evaluation) for evaluation in (here, original))
    return spread_of_predictions(own, other) if own and other else None


def _tenths(kind: str, evaluation: Any) -> list[float]:
    """Mean prediction of every tenth, as log-odds for probabilities; empty where there are none."""
    groups = evaluation.get("calibration", {}).get("deciles") or evaluation.get("deciles") or []
    means = np.array([group["mean_predicted"] for group in groups], dtype=np.float64)
    if kind == "binary" and len(means):
        means = clipped_log_odds(means)
    return [float(mean) for mean in means]


def _relatedness(
    registered: Registered,
    cohort: Cohort,
    X: Floats,
    rows: NDArray[np.intp],
    development: Cohort | None,
    vocabulary: Vocabulary,
    seed: int,
) -> dict[str, Any]:
    model = registered.model
    if development is None:
        return {"membership_auroc": None, "reason": "the rows that it was fitted on are not here"}
    refuse_unfit(registered, development)
    y = development.labels[model.outcome]
    fitted = np.flatnonzero(~development.held_out & ~np.isnan(y))
    there = vectors_of(model, development, fitted), y[fitted]
    features = [vocabulary.features[name] for name in model.features]
    own = cohort.labels[model.outcome][rows]
    return {"membership_auroc": membership_auroc((X, own), there, features, seed), "reason": None}
