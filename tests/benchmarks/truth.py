"""Models of the simulated pathway beside its true risks, on patients that nobody fitted on.

    python -m tests.benchmarks.truth --train FOLDER --fresh FOLDER [BRANCH_POINT[.OUTCOME] ...]

The folders come from `risk-train simulate` with two seeds. Every outcome is fitted on all fitting
rows of the first and judged on all rows of the second. Exit code 1 when a limit is broken for an
outcome with enough events in the fitting rows. Not part of the tests: it takes minutes per branch
point.

When it misleads: an outcome that was fitted on 1,500 events carries their own sampling error, 2.6 %
of the level; what is judged then is chance as much as method. Fit on a million episodes, and let
`--rows` bound the branch points that have most of them.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from models.risk.calibration import probability
from models.vocabulary import Vocabulary, load_vocabulary
from training.cohort import Cohort, load_cohort
from training.errors import CohortTooSmall
from training.evaluation.truth import BesideTruth, beside_truth
from training.fit.fit_outcome import Fitted, fit_outcome
from training.pipeline import usable_features
from training.sources.pathway_source import TRUE_RISK, load_declared

FEWEST_EVENTS = 1000
OBSERVED_EXPECTED = (0.97, 1.03)
SLOPE = (0.95, 1.05)


def fit(cohort: Cohort, outcome: str, vocabulary: Vocabulary) -> tuple[Fitted, list[int], int]:
    """The model, the columns it reads, and how many events it was fitted on."""
    columns = usable_features(cohort)
    rows = np.flatnonzero(~cohort.held_out & ~np.isnan(cohort.labels[outcome]))
    y = cohort.labels[outcome][rows]
    assert cohort.patients is not None
    fitted = fit_outcome(
        cohort.X[np.ix_(rows, columns)], y,
        [vocabulary.features[cohort.features[i]] for i in columns],
        point=vocabulary.branch_points[cohort.source.branch_point],
        outcome=vocabulary.outcomes[outcome], training_data="synthetic", seed=2026,
        plan=cohort.source.plan, patients=cohort.patients[rows],
    )  # fmt: skip
    return fitted, [columns[i] for i in fitted.choice.inputs], int(y.sum())


def judge(fitted: Fitted, names: list[str], fresh: Cohort, outcome: str) -> BesideTruth:
    """On every fresh row that has a label and that the model answers."""
    model = fitted.model
    rows = np.flatnonzero(~np.isnan(fresh.labels[outcome]))
    X = model.vectors(fresh.X[np.ix_(rows, [fresh.features.index(name) for name in names])])
    answered = model.answers(X)
    p = probability(model.explain(X[answered])[0])
    rows = rows[answered]
    return beside_truth(fresh.labels[outcome][rows], p, fresh.comparators[TRUE_RISK][outcome][rows])


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulated models beside their true risks.")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--fresh", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=None, help="At most so many rows to fit on.")
    parser.add_argument("names", nargs="*", help="Branch points, or models; all when left out.")
    asked = parser.parse_args()
    named: dict[str, list[str]] = {name.partition(".")[0]: [] for name in asked.names}
    for name in asked.names:
        named[name.partition(".")[0]] += [name.partition(".")[2]]
    vocabulary = load_vocabulary()
    declared = load_declared("pathway", vocabulary)
    assert declared is not None
    declared = replace(declared, plan=replace(declared.plan, rows=asked.rows))
    broken = 0
    print("model | rows | events fitted | inputs | s | AUROC | of truth | O/E | slope | holds")
    for point in named or declared.outcomes:
        cohort, fresh = (
            load_cohort(declared.at(point, f, vocabulary), declared.file(f, point), vocabulary)
            for f in (asked.train, asked.fresh)
        )
        for outcome in declared.outcomes[point]:
            if vocabulary.outcomes[outcome].kind != "binary":
                continue
            if (only := list(filter(None, named.get(point, ())))) and outcome not in only:
                continue
            start = time.perf_counter()
            try:
                # As the workers of `risk-train run` have it: two threads wait for each other here.
                with threadpool_limits(1):
                    fitted, columns, events = fit(cohort, outcome, vocabulary)
            except CohortTooSmall as error:
                print(f"{point}.{outcome} | {error}")
                continue
            took = time.perf_counter() - start
            found = judge(fitted, [cohort.features[i] for i in columns], fresh, outcome)
            holds = (
                OBSERVED_EXPECTED[0] <= found.observed_expected <= OBSERVED_EXPECTED[1]
                and SLOPE[0] <= found.slope <= SLOPE[1]
            )
            counts = events >= FEWEST_EVENTS
            broken += counts and not holds
            print(
                f"{point}.{outcome} | {len(cohort.X)} | {events} | {len(columns)} | {took:.1f} | "
                f"{found.auroc:.4f} | {found.true_auroc:.4f} | {found.observed_expected:.4f} | "
                f"{found.slope:.4f} | {'yes' if holds else 'NO' if counts else 'too few events'}",
                flush=True,
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB; {broken} outcomes beyond the limits")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
