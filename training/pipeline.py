"""The whole way of one outcome: cohort -> fit -> evaluate on held-out rows -> bundle -> register.

Everything up to the bundle is worked out without the registry, so that many outcomes can be prepared
at once in several processes while one of them registers (`training.workers`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.card import card_page
from models.registry import Run
from models.risk.calibration import probability
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from monitoring.reference import reference_profile
from training.card import Making, build_card, card_markdown
from training.cohort import Cohort
from training.evaluation import draw
from training.fit.fit_outcome import fit_outcome
from training.judge import answers, judge
from training.publish import record, write_model_bundle


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model that is fitted, evaluated and written as a bundle, but not registered.

    Attributes
    ----------
    bundle : Path
        Its folder.
    run : Run
        What is registered beside it.
    """

    name: str
    form: str
    evaluation: dict[str, Any]
    bundle: Path
    run: Run


def usable_features(cohort: Cohort) -> list[int]:
    """Columns of the cohort that vary in the fitting rows."""
    fitting = ~cohort.held_out
    return [
        i
        for i in range(cohort.X.shape[1])
        if (own := cohort.X[fitting, i]).size
        and np.nanmax(own, initial=-np.inf) > np.nanmin(own, initial=np.inf)
    ]


def prepare_outcome(
    cohort: Cohort,
    outcome: str,
    vocabulary: Vocabulary,
    folder: Path,
    *,
    seed: int,
    fingerprint: str = "",
    progress: Callable[[float], None] = lambda _: None,
) -> Prepared:
    """Fit and evaluate one outcome and write its bundle into a new folder below `folder`.

    Parameters
    ----------
    fingerprint : str
        Of the cohort and the code (`training.lineage`).
    progress : callable
        Told the share that each step completes; the shares sum to 1.

    Raises
    ------
    CohortTooSmall
        When the cohort cannot carry the outcome.
    """
    columns = usable_features(cohort)
    features = [vocabulary.features[cohort.features[i]] for i in columns]
    point = vocabulary.branch_points[cohort.source.branch_point]
    fitting = np.flatnonzero(~cohort.held_out & ~np.isnan(cohort.labels[outcome]))
    X = cohort.X[np.ix_(fitting, np.array(columns))]
    fitted = fit_outcome(
        X,
        cohort.labels[outcome][fitting],
        features,
        point=point,
        outcome=vocabulary.outcomes[outcome],
        training_data=cohort.source.training_data,
        seed=seed,
        plan=cohort.source.plan,
        patients=None if cohort.patients is None else cohort.patients[fitting],
        progress=lambda share: progress(share * 0.9),
    )
    inputs = fitted.choice.inputs
    prepared = finish(
        fitted.model, fitted.trees_text, Making(str(fitted.choice.candidate)), cohort,
        [columns[i] for i in inputs], vocabulary, folder, seed=seed, fingerprint=fingerprint,
    )  # fmt: skip
    progress(0.1)
    return prepared


def finish(
    model: RiskModel,
    trees_text: str | None,
    making: Making,
    cohort: Cohort,
    columns: Sequence[int],
    vocabulary: Vocabulary,
    folder: Path,
    *,
    seed: int,
    fingerprint: str = "",
) -> Prepared:
    """Evaluate a finished model on held-out rows, describe it, and write and prove its bundle.

    Parameters
    ----------
    trees_text : str or None
        What `model.trees` was read from; None without trees.
    columns : sequence of int
        Columns of the cohort that the model reads, in its order.

    Raises
    ------
    CohortTooSmall
        When the held-out rows cannot carry the evaluation.
    BundleRefused
        When what was written does not prove itself.
    """
    outcome = model.outcome
    fitting = np.flatnonzero(~cohort.held_out & ~np.isnan(cohort.labels[outcome]))
    X = cohort.X[np.ix_(fitting, np.array(columns))]
    features = [vocabulary.features[cohort.features[i]] for i in columns]
    held_out = answers(model, cohort, cohort.held_out)
    evaluation = judge(model, cohort, held_out, vocabulary, seed)
    score, contributions = model.explain(model.vectors(X))
    predictions = probability(score) if model.kind == "binary" else score
    card = build_card(
        model, making, cohort, evaluation, len(fitting), vocabulary,
        seed=seed, fingerprint=fingerprint,
    )  # fmt: skip
    bundle = folder / model.name
    write_model_bundle(
        bundle,
        model,
        trees_text,
        X,
        reference_profile(X, features, predictions, model.kind, contributions),
        evaluation,
        card,
        card_markdown(card),
        vocabulary,
    )
    pictures = draw(model.name, evaluation) | {"card.html": card_page(card).encode()}
    run = record(
        model, making, evaluation, pictures, cohort.source.name, seed, fingerprint
    )  # fmt: skip
    return Prepared(model.name, making.form, evaluation, bundle, run)
