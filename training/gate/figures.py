"""Every figure that the gate's rules can name, gathered in one document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.bundle import Bundle
from models.risk.risk_model import RiskModel
from models.vocabulary import BranchPoint
from training.errors import FetchFailed, SourceInvalid
from training.evaluation.decision_gain import decision_gain
from training.evaluation.plain import plain
from training.gate.beside_champion import beside_champion, predictions, resampling_of
from training.gate.cohort_shift import cohort_shift
from training.gate.serving_cost import serving_cost
from training.gate.subgroups import worst_subgroup
from training.rows import Cohort

BESIDE = "beside_champion"
NO_COHORT = "the rows are needed: give --source"

OpenCohort = Callable[[], Cohort]


@dataclass(frozen=True, slots=True)
class Proven:
    """A version whose bundle was read, checked and proven."""

    version: str
    bundle: Bundle
    model: RiskModel


def gate_figures(
    new: Proven, champion: Proven | str | None, cohort: OpenCohort | None, point: BranchPoint
) -> dict[str, Any]:
    """The evaluation, and beside it what promotion alone asks.

    Parameters
    ----------
    champion : Proven, str or None
        Who is replaced; why it cannot be read; None when there is nobody to compare with.
    cohort : callable or None
        Opens the rows; asked only when there is a champion.

    Returns
    -------
    dict
        The bundle's `evaluation.json`, and `worst_subgroup`, `serving`, `beside_champion`: None when
        there is no champion; otherwise with `cohort_psi` and, when the rows could be read, the
        paired differences. A figure that could not be worked out is absent or None.
    """
    evaluation = new.bundle.document("evaluation.json")
    if new.model.kind == "binary" and "decision" not in evaluation and cohort is not None:
        evaluation["decision"] = _decision(new.model, cohort, point)
    figures: dict[str, Any] = plain(
        {
            **evaluation,
            "worst_subgroup": _worked_out(lambda: worst_subgroup(evaluation)),
            "serving": serving_cost(new.bundle, new.model),
            BESIDE: None if champion is None else _beside(new, champion, cohort, point),
        }
    )
    return figures


def _worked_out(figure: Callable[[], Any]) -> Any:
    """The figure, or nothing where a document of the bundle is not as ours are: it fails closed."""
    try:
        return figure()
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _decision(model: RiskModel, cohort: OpenCohort, point: BranchPoint) -> dict[str, Any] | None:
    """Gain at the declared thresholds, for a bundle whose evaluation does not hold it yet."""
    try:
        rows = cohort()
    except (SourceInvalid, FetchFailed) as error:
        return {"where": f"the rows cannot be read: {error}"}
    if not _carries(rows, model):
        return None
    known = np.flatnonzero(rows.held_out & ~np.isnan(rows.labels[model.outcome]))
    p, answered = predictions(model, rows, known)
    y, own = rows.labels[model.outcome][known][answered], known[answered]
    if not 0 < y.sum() < len(y):
        return None
    thresholds = point.decision_thresholds(model.outcome)
    return decision_gain(y, p[answered], thresholds, resampling_of(rows, own))


def _carries(rows: Cohort, model: RiskModel) -> bool:
    return model.outcome in rows.labels and rows.source.branch_point == model.branch_point


def _beside(
    new: Proven, champion: Proven | str, cohort: OpenCohort | None, point: BranchPoint
) -> Mapping[str, Any]:
    if isinstance(champion, str):
        return {"where": champion}
    own, its = (one.bundle.document("reference.json") for one in (new, champion))
    found = {
        "version": champion.version,
        "cohort_psi": _worked_out(lambda: cohort_shift(own, its)),
    }
    if cohort is None:
        return found | {"where": NO_COHORT}
    try:
        rows = cohort()
    except (SourceInvalid, FetchFailed) as error:
        return found | {"where": f"the rows cannot be read: {error}"}
    thresholds = point.decision_thresholds(new.model.outcome)
    if not _carries(rows, new.model):
        return found | {"where": f"{rows.source.name} has no rows of this outcome here"}
    return found | beside_champion(new.model, champion.model, rows, thresholds)
