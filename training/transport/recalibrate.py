"""A site version of a registered model: the update that the closed test chooses, on local patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.registry import Run
from models.risk.abstention import Familiarity, fit_familiarity
from models.risk.calibration import probability
from models.risk.intervals import (
    ConformalInterval,
    GroupInterval,
    fit_conformal_interval,
    fit_group_interval,
)
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from monitoring.reference import reference_profile
from training.card import card_markdown
from training.cohort import Cohort
from training.errors import CohortTooSmall, NotTransportable
from training.evaluation import draw
from training.evaluation.plain import plain
from training.fit.selection import assign_folds
from training.judge import Answers, answers, judge, vectors_of
from training.publish import MLFLOW_TYPES, figures, write_model_bundle
from training.transport.closed_test import ORIGINAL, REFIT, ClosedTest, closed_test
from training.transport.registered import Registered, is_own, refuse_unfit
from training.transport.updating import (
    PATIENTS_A_WEIGHT,
    Division,
    Parts,
    Update,
    apply_update,
    divide,
    fit_update,
    parts_of,
    weighable,
)

Floats = NDArray[np.float64]

AUTO = "auto"
# Fewer cannot say what an intercept should be; the same as for a fit. Product proposal.
FEWEST_EVENTS = 20
FEWEST_ROWS = 100
# "Farther than all but one in a thousand" needs thousands to be learnt. Product proposal.
FEWEST_FAMILIAR = 2000
FOLDS = 5
SIMULATED = "synthetic"


@dataclass(frozen=True, slots=True)
class SiteVersion:
    """A recalibrated model that is written as a bundle, but not registered.

    Attributes
    ----------
    name : str
        Of the registered model; the site version is its next version.
    bundle : Path
        Its folder.
    run : Run
        What is registered beside it.
    report : mapping
        Method, tests, weights, figures before and after on held-out rows.
    """

    name: str
    bundle: Path
    run: Run
    report: Mapping[str, Any]


def recalibrate(
    registered: Registered,
    cohort: Cohort,
    vocabulary: Vocabulary,
    folder: Path,
    *,
    method: str = AUTO,
    other_patients: bool = False,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> SiteVersion:
    """Update a model on the fitting rows of a cohort, judge it on the held-out ones, write its bundle.

    Parameters
    ----------
    method : str
        "auto" for the closed test, or one of its methods, which is then taken whatever the test says.
    other_patients : bool
        The cohort bears the title of one that the model was fitted on, but holds other patients.
    progress : callable
        Told the share that each step completes; the shares sum to 1.

    Raises
    ------
    NotTransportable
        When the cohort lacks an input or the outcome, is the one that the model was fitted on, or is
        ordered the wrong way.
    CohortTooSmall
        When it has too few rows or events.
    """
    refuse_unfit(registered, cohort)
    if is_own(registered, cohort) and not other_patients:
        raise NotTransportable(
            f"{registered.model.name} was fitted on {cohort.source.title}; what it knows by heart "
            "cannot recalibrate it (--other-patients if these are others)"
        )
    model = registered.model
    familiarity, own_familiarity = _familiarity(model, cohort, vocabulary)
    asked = replace(model, familiarity=familiarity)
    fitting = answers(asked, cohort, ~cohort.held_out)
    _refuse_small(model, fitting.y)
    patients = _patients(cohort, fitting)
    groups = {name: vocabulary.features[name].group for name in model.features}
    division = divide(model, groups, _carried(model.kind, fitting.y))
    if method == REFIT and division.is_whole:
        raise CohortTooSmall(
            f"{model.outcome}: a refit needs {PATIENTS_A_WEIGHT} patients of the rarer class for "
            "every weight; these rows carry intercept-slope at most"
        )
    parts = parts_of(asked, division, fitting.X)
    progress(0.1)
    test = _test(fitting.y, parts, model.kind, patients, seed)
    chosen = test.method if method == AUTO else method
    update = fit_update(fitting.y, parts, chosen, model.kind)
    out_of_fold = _out_of_fold(fitting.y, parts, chosen, model.kind, patients, seed)
    updated = apply_update(asked, division, update)
    updated = replace(
        updated,
        interval=_interval(updated, fitting, out_of_fold),
        cohort_value=float(fitting.y.mean()),
        training_data=SIMULATED
        if SIMULATED in (model.training_data, cohort.source.training_data)
        else model.training_data,
    )
    progress(0.2)
    held_out = answers(updated, cohort, cohort.held_out)
    evaluation = judge(updated, cohort, held_out, vocabulary, seed)
    progress(0.5)
    before_score, _ = asked.explain(held_out.X)
    before = judge(asked, cohort, replace(held_out, score=before_score), vocabulary, seed)
    report = plain(
        {
            "name": model.name,
            "from": _origin(registered),
            "cohort": {
                "title": cohort.source.title,
                "training_data": cohort.source.training_data,
                "rows_fitting": len(fitting.y),
                "rows_held_out": evaluation["rows"],
            },
            "method": chosen,
            "asked_for": method,
            "closed_test": _told(test),
            "update": _told_update(division, update),
            "familiarity": "of this cohort" if own_familiarity else "of the original model",
            "calibration": {"intercept": updated.calibration.intercept,
                            "slope": updated.calibration.slope},
            "before": before,
            "after": evaluation,
        }
    )  # fmt: skip
    bundle = folder / model.name
    card = _card(registered, updated, report, evaluation)
    features = [vocabulary.features[name] for name in model.features]
    predictions = probability(out_of_fold) if model.kind == "binary" else out_of_fold
    _, contributions = updated.explain(updated.vectors(fitting.X))
    write_model_bundle(
        bundle,
        updated,
        registered.trees_text,
        fitting.X,
        reference_profile(fitting.X, features, predictions, model.kind, contributions),
        evaluation,
        card,
        card_markdown(card),
        vocabulary,
    )
    run = Run(
        parameters={"form": f"recalibrated: {chosen}", "seed": str(seed)},
        metrics=dict(figures(evaluation)),
        tags=_tags(registered, updated, cohort, report),
        pictures=draw(model.name, evaluation),
        columns={item.name: MLFLOW_TYPES[item.kind] for item in updated.inputs},
    )
    progress(0.2)
    return SiteVersion(model.name, bundle, run, report)


def _refuse_small(model: RiskModel, y: Floats) -> None:
    if model.kind == "binary":
        if min(y.sum(), len(y) - y.sum()) < FEWEST_EVENTS:
            raise CohortTooSmall(
                f"{model.outcome}: fewer than {FEWEST_EVENTS} events or non-events to recalibrate on"
            )
    elif len(y) < FEWEST_ROWS:
        raise CohortTooSmall(f"{model.outcome}: fewer than {FEWEST_ROWS} rows to recalibrate on")


def _carried(kind: str, y: Floats) -> int:
    return int(min(y.sum(), len(y) - y.sum())) if kind == "binary" else len(y)


def _patients(cohort: Cohort, found: Answers) -> NDArray[np.int64]:
    if cohort.patients is None:
        return np.arange(len(found.rows))
    return np.unique(cohort.patients[found.rows], return_inverse=True)[1].astype(np.int64)


def _test(y: Floats, parts: Parts, kind: str, patients: NDArray[np.int64], seed: int) -> ClosedTest:
    """The closed test on one row of each patient, drawn at random: rows of one are no strangers."""
    order = np.random.default_rng(seed).permutation(len(y))
    rows = np.sort(order[np.unique(patients[order], return_index=True)[1]])
    free = weighable(parts)
    if not free.values.shape[1]:
        raise NotTransportable("the model says the same of all of these patients")
    return closed_test(y[rows], free.base, free.values[rows], free.now, kind=kind)


def _out_of_fold(
    y: Floats, parts: Parts, method: str, kind: str, patients: NDArray[np.int64], seed: int
) -> Floats:
    """The new score of every fitting row, from an update that has not seen its patient."""
    folds = assign_folds(y, kind, FOLDS, seed, patients)
    score = np.empty(len(y))
    for fold in range(FOLDS):
        inside = folds == fold
        seen = Parts(parts.base, parts.values[~inside], parts.now)
        update = fit_update(y[~inside], seen, method, kind)
        score[inside] = update.score(Parts(parts.base, parts.values[inside], parts.now))
    return score


def _interval(
    model: RiskModel, found: Answers, out_of_fold: Floats
) -> GroupInterval | ConformalInterval:
    if model.kind == "binary":
        variance = model.calibration.slope**2 * model.additive.variance(found.X)
        return fit_group_interval(found.y, out_of_fold, variance)
    low, high = model.minimum, model.maximum
    return fit_conformal_interval(
        found.y, out_of_fold, 0.0 if low is None else low, inf if high is None else high
    )


def _familiarity(
    model: RiskModel, cohort: Cohort, vocabulary: Vocabulary
) -> tuple[Familiarity, bool]:
    """Of the new cohort when it is large enough to say who is a stranger; whether it is."""
    known = np.flatnonzero(~cohort.held_out & ~np.isnan(cohort.labels[model.outcome]))
    X = vectors_of(model, cohort, known)
    required = [i for i, name in enumerate(model.features) if name in model.required]
    X = X[~np.isnan(X[:, required]).any(axis=1)]
    if len(X) < FEWEST_FAMILIAR:
        return model.familiarity, False
    numeric = [
        i for i, name in enumerate(model.features) if vocabulary.features[name].kind == "number"
    ]
    return fit_familiarity(X, numeric, [i for i in required if i in numeric]), True


def _origin(registered: Registered) -> dict[str, Any]:
    return {
        "version": registered.version.version,
        "digest": registered.bundle.digest,
        "title": registered.card.get("cohort", {}).get("title"),
    }


def _told(test: ClosedTest) -> dict[str, Any]:
    return {
        "method": test.method,
        "level": test.level,
        "comparisons": [
            {
                "method": one.method,
                "statistic": one.statistic,
                "degrees_of_freedom": one.degrees_of_freedom,
                "p": one.p,
            }
            for one in test.comparisons
        ],
    }


def _told_update(division: Division, update: Update) -> dict[str, Any]:
    ratio = {
        name: float(weight) for name, weight in zip(division.names, update.weights, strict=True)
    }
    return {"base": update.base, "weights": ratio}


def _card(
    registered: Registered,
    model: RiskModel,
    report: Mapping[str, Any],
    evaluation: Mapping[str, Any],
) -> dict[str, Any]:
    old = dict(registered.card)
    site = {
        **report["cohort"],
        "method": report["method"],
        "closed_test": report["closed_test"],
        "from": report["from"],
        "familiarity": report["familiarity"],
    }
    limits = [
        f"Recalibrated and evaluated on {report['cohort']['title']}: it speaks for that site alone.",
        "What it weighs was learnt elsewhere; trees and curves were not fitted on these patients.",
        *(limit for limit in old.get("limits", []) if "no other hospital" not in limit),
    ]
    calibration = (
        "kept as it was"
        if report["method"] == ORIGINAL
        else f"updated on the site's own patients ({report['method']})"
    )
    card: dict[str, Any] = plain(
        {
            **old,
            "training_data": model.training_data,
            "cohort": {**old.get("cohort", {}), "cohort_value": model.cohort_value},
            "sites": [*old.get("sites", []), site],
            "model": {**old.get("model", {}), "calibration": calibration},
            "interval": {
                **old.get("interval", {}),
                "coverage_held_out": evaluation["interval"]["coverage"],
            },
            "limits": limits,
            "evaluation": evaluation,
        }
    )
    return card


def _tags(
    registered: Registered, model: RiskModel, cohort: Cohort, report: Mapping[str, Any]
) -> dict[str, str]:
    """Lineage: from which version, on whom, how, and with which p-values."""
    p_values = {
        f"closed_test_p_{one['method']}": f"{one['p']:.6g}"
        for one in report["closed_test"]["comparisons"]
    }
    return {
        "branch_point": model.branch_point,
        "outcome": model.outcome,
        "training_data": model.training_data,
        "source": cohort.source.name,
        "site_version": "true",
        "recalibrated_from_version": registered.version.version,
        "recalibrated_from_digest": registered.bundle.digest,
        "recalibrated_on": cohort.source.title,
        "recalibrated_on_rows": str(report["cohort"]["rows_fitting"]),
        "recalibration_method": report["method"],
        "recalibration_closed_test": report["closed_test"]["method"],
        **p_values,
    }
