"""Which variables of a cohort carry the prediction, which could go, and what each costs.

One document per branch point, made of plain JSON values; tables and pages read nothing else. No count
of one to four patients stands in it, and no patient's value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from training.cohort import Cohort
from training.errors import CohortTooSmall
from training.evaluation.bootstrap import Estimate
from training.evaluation.inputs import FEWEST_ROWS
from training.evaluation.plain import plain
from training.fit.fit_outcome import Fitted, fit_outcome
from training.fit.plan import Plan
from training.fit.selection import assign_folds
from training.pipeline import usable_features
from training.signal.confirmation import Confirmed, Refit, confirm
from training.signal.elimination import Folds, Labelled, Loss, eliminate
from training.signal.missingness import count_of, measured, missing_by_outcome
from training.signal.reliance import Judged, Reliance, reliance
from training.signal.served import Served

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

# Intervals of single variables; 200 resamples give bounds to about a fifth of their width.
MOST_RESAMPLES = 200
# What each of an outcome's steps takes of its time, as measured on SUPPORT.
FITTED, RELIED, CUT, CONFIRMED = 0.25, 0.2, 0.05, 0.25
# The first so much of what all variables tell: where the curve bends.
MOST_OF_IT = 0.9
VERDICT = {"binary": ("log_loss", 1.0), "numeric": ("r2", -1.0)}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One outcome while the report is made."""

    name: str
    rows: Rows
    judged: Judged
    served: Served
    refit: Refit
    folds: Folds
    reliance: Mapping[str, Reliance]
    own: Confirmed


def signal_report(
    cohort: Cohort,
    outcomes: Sequence[str],
    vocabulary: Vocabulary,
    *,
    seed: int,
    champion: Callable[[str], Served | None] = lambda _: None,
    progress: Callable[[str, float], None] = lambda _, __: None,
) -> dict[str, Any]:
    """Report on the outcomes of one branch point.

    Parameters
    ----------
    champion : callable
        Outcome -> the model whose reliance is reported, or None to fit one.
    progress : callable
        Told an outcome and the share of its work that a step completes; the shares sum to 1.

    Returns
    -------
    dict
        JSON-serialisable: `sentence`, `branch_point`, `source`, `training_data`, `rows`,
        `variables` (label, unit, measured, kept, share), `together` (the set that serves all
        outcomes: `kept`, `droppable`, `curve`, `complete_rows`), `outcomes` (each with `model`,
        `variables`, `kept`, `droppable`, `curve`, `held_out`), `left_out` (outcome -> reason).

    Raises
    ------
    CohortTooSmall
        When no outcome can be reported on.
    """
    report = _Report(cohort, vocabulary, seed, champion, progress)
    left_out: dict[str, str] = {}
    found: list[_Outcome] = []
    for name in outcomes:
        try:
            found.append(report.outcome(name))
        except CohortTooSmall as error:
            left_out[name] = str(error)
    if not found:
        raise CohortTooSmall(next(iter(left_out.values()), "no outcome to report on"))
    document: dict[str, Any] = plain(report.document(found, left_out))
    return document


class _Report:
    def __init__(
        self,
        cohort: Cohort,
        vocabulary: Vocabulary,
        seed: int,
        champion: Callable[[str], Served | None],
        progress: Callable[[str, float], None],
    ) -> None:
        self._cohort, self._vocabulary, self._seed = cohort, vocabulary, seed
        self._champion, self._progress = champion, progress
        self._point = vocabulary.branch_points[cohort.source.branch_point]
        self._columns = usable_features(cohort)
        self._names = [cohort.features[i] for i in self._columns]
        self._features = [vocabulary.features[name] for name in self._names]
        self._plan = replace(cohort.source.plan, inputs=())
        self._patients = patients_of(cohort)
        fitting = np.flatnonzero(~cohort.held_out)
        chosen = some_rows(self._patients[fitting], self._plan.choosing_rows, seed)
        self._choosing = fitting[chosen]
        self._folds = self._assign_folds()

    def outcome(self, name: str) -> _Outcome:
        cohort = self._cohort
        known = ~np.isnan(cohort.labels[name])
        folds = Folds(self._labelled(name), self._features, self._plan.smoothings)
        refit = self._refit(name, np.flatnonzero(~cohort.held_out & known))
        self._progress(name, FITTED)
        chosen = refit.chosen
        served = self._champion(name) or Served(chosen.model, str(chosen.choice.candidate))
        held = np.flatnonzero(cohort.held_out & known)
        rows = held[served.model.answers(self._read(served.model, held))]
        judged = self._judged(name, rows)
        relied = reliance(served.model, self._read(served.model, rows), judged)
        self._progress(name, RELIED)
        path = eliminate([folds], lambda share: self._progress(name, share * CUT))
        own = confirm(path, [refit])
        self._progress(name, CONFIRMED)
        return _Outcome(name, rows, judged, served, refit, folds, relied, own)

    def document(self, found: Sequence[_Outcome], left_out: Mapping[str, str]) -> dict[str, Any]:
        together = found[0].own
        if len(found) > 1:
            together = confirm(
                eliminate([one.folds for one in found]), [one.refit for one in found]
            )
        found = [replace(one, own=_smaller_of(one, together)) for one in found]
        held_out = {one.name: self._held_out(one, together) for one in found}
        cohort, source = self._cohort, self._cohort.source
        present = ~np.isnan(cohort.X[:, self._columns])
        return {
            "sentence": self._sentence(found, together, held_out),
            "branch_point": self._point.id,
            "source": source.name,
            "training_data": source.training_data,
            "seed": self._seed,
            "rows": {
                "all": len(cohort.X),
                "held_out": int(cohort.held_out.sum()),
                "patients": int(self._patients.max()) + 1,
            },
            "variables": self._variables(found, together, present),
            "together": {
                **self._path(together, found),
                "complete_rows": {
                    "full": count_of(np.all(present, axis=1)),
                    "kept": count_of(np.all(present[:, list(together.path.kept)], axis=1)),
                },
            },
            "outcomes": [self._outcome_part(one, held_out[one.name]) for one in found],
            "left_out": dict(left_out),
        }

    def _held_out(self, one: _Outcome, together: Confirmed) -> dict[str, Any]:
        def score(repeats: Sequence[Fitted]) -> Floats:
            own = [m.model.explain(self._read(m.model, one.rows))[0] for m in repeats]
            return np.asarray(np.mean(own, axis=0))

        full = score(one.refit.full)
        scores = {
            "together": score(together.models[one.name]),
            "own": score(one.own.models[one.name]),
        }
        changes = one.judged.changes(full, scores)
        self._progress(one.name, 1 - FITTED - RELIED - CUT - CONFIRMED)
        return {
            "full": one.judged.figures(full),
            **{
                name: {"figures": one.judged.figures(own), "change": changes[name]}
                for name, own in scores.items()
            },
        }

    def _variables(
        self, found: Sequence[_Outcome], together: Confirmed, present: NDArray[np.bool_]
    ) -> list[dict[str, Any]]:
        lines = []
        for i, feature in enumerate(self._features):
            own = measured(present[:, i], self._cohort.hospitals)
            shares = [
                one.reliance[feature.name].share if feature.name in one.reliance else 0.0
                for one in found
            ]
            lines.append(
                {
                    "feature": feature.name,
                    "label": feature.label_en,
                    "unit": feature.unit,
                    "group": feature.group,
                    "required": feature.name in self._point.required,
                    "kept": i in together.path.kept,
                    "kept_for": [one.name for one in found if i in one.own.path.kept],
                    "share": float(np.mean(shares)),
                    "measured": own.share,
                    "measured_by_hospital": dict(own.by_hospital),
                }
            )
        return sorted(lines, key=lambda line: -float(line["share"]))

    def _outcome_part(self, one: _Outcome, held_out: Mapping[str, Any]) -> dict[str, Any]:
        cohort = self._cohort
        y = cohort.labels[one.name]
        known = np.flatnonzero(~np.isnan(y))
        binary = one.judged.kind == "binary"
        variables = []
        for i, name in zip(self._columns, self._names, strict=True):
            own = one.reliance.get(name)
            line: dict[str, Any] = {
                "feature": name,
                "share": own.share if own else 0.0,
                "contribution": own.contribution if own else 0.0,
                "from_absence": own.from_absence if own else None,
                "lost": own.lost if own else None,
            }
            if binary:
                line["missing"] = missing_by_outcome(~np.isnan(cohort.X[known, i]), y[known])
            variables.append(line)
        return {
            "outcome": one.name,
            "label": self._vocabulary.outcomes[one.name].label_en,
            "kind": one.judged.kind,
            "model": {
                "version": one.served.version,
                "alias": "champion" if one.served.version else None,
                "form": one.served.form,
                "inputs": len(one.served.model.features),
            },
            "rows": {"fitting": len(one.refit.y), "held_out": len(one.rows)},
            "events": count_of(y[known] == 1) if binary else None,
            "variables": sorted(variables, key=lambda line: -line["share"]),
            **self._path(one.own, [one]),
            "held_out": held_out,
        }

    def _path(self, confirmed: Confirmed, found: Sequence[_Outcome]) -> dict[str, Any]:
        path = confirmed.path
        return {
            "kept": [self._names[i] for i in path.kept],
            "droppable": [self._names[i] for i in path.dropped],
            "out_of_fold": {name: _loss(own) for name, own in confirmed.losses.items()},
            "curve": [
                {
                    "variables": len(step.inputs),
                    "kept": [self._names[i] for i in step.inputs],
                    "loss": {
                        one.name: {
                            **_loss(step.losses[one.name]),
                            "gain": one.folds.gain(step.losses[one.name]),
                        }
                        for one in found
                    },
                }
                for step in path.steps
            ],
        }

    def _sentence(
        self,
        found: Sequence[_Outcome],
        together: Confirmed,
        held_out: Mapping[str, Mapping[str, Any]],
    ) -> str:
        path = together.path
        n, kept = len(self._names), len(path.kept)
        most = min(
            len(step.inputs)
            for step in path.steps
            if all(one.folds.gain(step.losses[one.name]) >= MOST_OF_IT for one in found)
        )
        bend = f" {most} of them carry nine tenths of it." if most < kept else ""
        if kept == n:
            return f"None of {n} variables could be dropped without a measurable loss.{bend}"
        told = []
        for one in found:
            figure, sign = VERDICT[one.judged.kind]
            own: Estimate = held_out[one.name]["together"]["change"][figure]
            certain = (own["lower"] if sign > 0 else -own["upper"]) > 0
            told.append((certain, sign * own["value"], self._told(one.name, figure, own)))
        head = (
            f"{kept} of {n} variables carry all that can be measured; {n - kept} could be dropped"
        )
        if costly := "; ".join(text for certain, _, text in told if certain):
            return (
                f"{head} at no loss that cross-validation can measure, but held-out patients show "
                f"one for {costly}.{bend}"
            )
        largest = max(told, key=lambda line: line[1])[2]
        return f"{head} at no measurable loss (largest on held-out patients: {largest}).{bend}"

    def _told(self, outcome: str, figure: str, own: Mapping[str, float]) -> str:
        label = self._vocabulary.outcomes[outcome].label_en
        words = {"log_loss": "log loss", "r2": "R²"}[figure]
        return f"{label}, {words} {own['value']:+.4f}, {own['lower']:+.4f} to {own['upper']:+.4f}"

    def _refit(self, name: str, fitting: Rows) -> Refit:
        cohort, outcome = self._cohort, self._vocabulary.outcomes[name]
        y, patients = cohort.labels[name][fitting], self._patients[fitting]

        def fit(columns: Sequence[int], plan: Plan, seed: int) -> Fitted:
            read = np.array([self._columns[i] for i in columns])
            return fit_outcome(
                cohort.X[np.ix_(fitting, read)], y, [self._features[i] for i in columns],
                point=self._point, outcome=outcome, seed=seed, plan=plan,
                training_data=cohort.source.training_data, patients=patients,
            )  # fmt: skip

        return Refit(name, outcome.kind, y, patients, fit, len(self._names), self._plan, self._seed)

    def _read(self, model: RiskModel, rows: Rows) -> Floats:
        """Rows of the cohort in a model's order."""
        position = {name: i for i, name in enumerate(self._cohort.features)}
        columns = np.array([position[name] for name in model.features], dtype=np.intp)
        return model.vectors(self._cohort.X[np.ix_(rows, columns)])

    def _judged(self, name: str, rows: Rows) -> Judged:
        y, kind = self._cohort.labels[name][rows], self._vocabulary.outcomes[name].kind
        if len(rows) < FEWEST_ROWS or np.ptp(y) == 0:
            raise CohortTooSmall(f"{name}: held-out rows cannot be evaluated")
        patients = np.unique(self._patients[rows], return_inverse=True)[1].astype(np.intp)
        resamples = min(self._plan.resamples, MOST_RESAMPLES)
        return Judged(y, patients, kind, self._seed, resamples)

    def _labelled(self, name: str) -> Labelled:
        cohort, outcome = self._cohort, self._vocabulary.outcomes[name]
        known = ~np.isnan(cohort.labels[name][self._choosing])
        rows = self._choosing[known]
        y = cohort.labels[name][rows]
        if outcome.kind == "binary":
            for fold in range(self._plan.folds):
                if np.ptp(y[self._folds[known] != fold]) == 0:
                    raise CohortTooSmall(f"{name}: too few events to leave inputs out by folds")
        return Labelled(
            name, cohort.X[np.ix_(rows, np.array(self._columns))], y, self._folds[known],
            self._patients[rows], outcome.kind, outcome.directions_apply,
        )  # fmt: skip

    def _assign_folds(self) -> Rows:
        """One fold per patient for all outcomes, events of the rarest binary one spread evenly."""
        labels = [
            np.nan_to_num(self._cohort.labels[name][self._choosing])
            for name in self._cohort.labels
            if self._vocabulary.outcomes[name].kind == "binary"
        ]
        rarest = min(labels, key=lambda y: float(y.mean()), default=np.zeros(len(self._choosing)))
        own = self._patients[self._choosing]
        return assign_folds(rarest, "binary", self._plan.folds, self._seed, own)


def _smaller_of(one: _Outcome, together: Confirmed) -> Confirmed:
    """What is kept for one outcome alone: what does for all of them does for one, if it is less."""
    if len(one.own.path.kept) <= len(together.path.kept):
        return one.own
    name = one.name
    return Confirmed(together.path, {name: together.models[name]}, {name: together.losses[name]})


def _loss(own: Loss) -> dict[str, Any]:
    return {
        "value": own.value,
        "difference": own.difference,
        "standard_error": own.standard_error,
        "within": own.is_within,
    }


def patients_of(cohort: Cohort) -> NDArray[np.int64]:
    """Number of each row's patient, 0 to k - 1."""
    if cohort.patients is None:
        return np.arange(len(cohort.X))
    return np.unique(cohort.patients, return_inverse=True)[1].astype(np.int64)


def some_rows(patients: NDArray[np.int64], most: int, seed: int) -> Rows:
    """All rows, or at most so many, of whole patients drawn at random; never none.

    Examples
    --------
    >>> rows = some_rows(np.array([0, 0, 1, 1, 2, 2]), 4, seed=1)
    >>> len(rows), len(set((rows // 2).tolist()))
    (4, 2)
    """
    if len(patients) <= most:
        return np.arange(len(patients))
    distinct, position, counts = np.unique(patients, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(distinct))
    together = np.cumsum(counts[order])
    taken = order[: max(1, int(np.searchsorted(together, most, side="right")))]
    return np.flatnonzero(np.isin(position, taken))


def subsample(cohort: Cohort, most: int, seed: int) -> Cohort:
    """At most so many rows of a cohort, by whole patients."""
    rows = some_rows(patients_of(cohort), most, seed)
    return replace(
        cohort,
        X=cohort.X[rows],
        labels={name: values[rows] for name, values in cohort.labels.items()},
        comparators={
            name: {outcome: values[rows] for outcome, values in own.items()}
            for name, own in cohort.comparators.items()
        },
        held_out=cohort.held_out[rows],
        patients=None if cohort.patients is None else cohort.patients[rows],
        hospitals=None if cohort.hospitals is None else cohort.hospitals[rows],
        months=None if cohort.months is None else cohort.months[rows],
    )
