"""Models of the decision to operate, taken to operations that they were not fitted on. Real patients.

    python -m tests.benchmarks.procedure_groups --from surgery_timing.csv [--json FILE]

Surgery Timing (the user brings the file) is cut into four disjoint groups of procedures. For each,
every outcome is fitted on the other three, validated on the fourth as `risk-train validate` does, and
recalibrated there by the closed test, which is judged on the fourth's held-out quarter. Two models:

- with the procedure as an input, as the product fits it: it must abstain, since it has seen none of
  these operations;
- without it, to see how far age, ASA class and other diseases carry.

Nothing is registered. It prints one line per group, outcome and model; there is nothing to pass.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import read_bundle
from models.registry import Version
from models.vocabulary import Vocabulary, load_vocabulary
from training.cohort import Cohort, load_cohort
from training.errors import TrainingError
from training.evaluation.disclosure import is_small
from training.fit.plan import Plan
from training.judge import answers
from training.pipeline import prepare_outcome
from training.sources.source import load_source
from training.transport import recalibrate, validate
from training.transport.registered import Registered
from training.transport.words import estimate

PROCEDURE = "procedure_group"
GROUPS = {
    "bones and spine": ("arthroplasty_knee", "hip_replacement", "spinal_fusion", "laminectomy"),
    "abdomen": (
        "colorectal_resection", "small_bowel_resection", "gastrectomy", "other_hernia_repair",
        "inguinal_and_femoral_hernia_repair",
    ),
    "urology and gynaecology": (
        "nephrectomy", "open_prostatectomy", "transurethral_resection_of_prostate",
        "endoscopy_of_urinary_tract", "hysterectomy", "oophorectomy",
        "other_excision_of_cervix_and_uterus", "repair_of_cystocele_and_rectocele",
        "genitourinary_incontinence_procedure",
    ),
    "neck, breast and other": (
        "thyroidectomy", "lumpectomy", "mastectomy", "plastic_procedure_on_nose", "other",
    ),
}  # fmt: skip
PLAN = Plan(smoothings=(30.0, 300.0), leaves=(4,), rounds=(50, 100, 200), resamples=500)


def some(cohort: Cohort, rows: np.ndarray, title: str, *, procedure: bool) -> Cohort:
    """Rows of a cohort under a title of their own, with or without the procedure as an input."""
    kept = [i for i, name in enumerate(cohort.features) if procedure or name != PROCEDURE]
    return replace(
        cohort,
        source=replace(cohort.source, title=title, plan=PLAN),
        features=tuple(cohort.features[i] for i in kept),
        X=cohort.X[np.ix_(rows, kept)],
        labels={name: y[rows] for name, y in cohort.labels.items()},
        held_out=cohort.held_out[rows],
    )


def fitted(cohort: Cohort, outcome: str, vocabulary: Vocabulary, folder: Path) -> Registered:
    """A model as the registry would give it."""
    prepared = prepare_outcome(cohort, outcome, vocabulary, folder, seed=2026)
    bundle = read_bundle(prepared.bundle)
    documents = (bundle.document(f"{name}.json") for name in ("card", "reference", "evaluation"))
    return Registered(
        Version(prepared.name, "1", bundle.digest, {}), bundle, bundle.model(), *documents
    )


def judged(
    cohort: Cohort, group: str, outcome: str, vocabulary: Vocabulary, folder: Path
) -> dict[str, Any]:
    """One group and one outcome: abstention with the procedure, everything else without it."""
    at = cohort.features.index(PROCEDURE)
    codes = [vocabulary.features[PROCEDURE].categories.index(name) for name in GROUPS[group]]
    there = np.isin(cohort.X[:, at], codes)
    here, rest = np.flatnonzero(there), np.flatnonzero(~there)
    line: dict[str, Any] = {"group": group, "outcome": outcome, "rows": len(here)}
    events = int(cohort.labels[outcome][here].sum())
    line["events"] = "fewer than 5" if is_small(events) else events
    with_procedure = fitted(
        some(cohort, rest, "the rest", procedure=True), outcome, vocabulary, folder / "with"
    )
    new = some(cohort, here, group, procedure=True)
    asked = answers(with_procedure.model, new, np.ones(len(here), dtype=bool))
    line["abstained_with_procedure"] = 1 - len(asked.rows) / asked.asked
    home = some(cohort, rest, "the rest", procedure=False)
    without = fitted(home, outcome, vocabulary, folder / "without")
    new = some(cohort, here, group, procedure=False)
    line["form"] = without.card["model"]["form"]
    line["at_home"] = without.evaluation["auroc"]
    report = validate(without, new, vocabulary, seed=2026, development=home)
    line |= {
        "auroc": report["evaluation"]["auroc"],
        **report["calibration"],
        "abstained": report["evaluation"]["abstained"]["share"],
        "membership_auroc": report["relatedness"]["membership_auroc"],
        "spread_ratio": report["predictions"]["ratio"],
        "differing_inputs": [one["feature"] for one in report["case_mix"] if one["differs"]],
        "sentences": report["sentences"],
    }
    try:
        site = recalibrate(without, new, vocabulary, folder / "site", seed=2026).report
    except TrainingError as error:
        line["recalibrated"] = str(error)
        return line
    line["recalibrated"] = {
        "method": site["method"],
        "p": {one["method"]: one["p"] for one in site["closed_test"]["comparisons"]},
        "weights": site["update"]["weights"],
        **{
            f"{figure}_{when}": site[when]["calibration"][figure]
            for figure in ("slope", "observed_expected", "ici")
            for when in ("before", "after")
        },
        "events_held_out": site["after"]["events"],
    }
    return line


def main() -> int:
    parser = argparse.ArgumentParser(description="Validation across disjoint procedure groups.")
    parser.add_argument("--from", dest="file", type=Path, required=True)
    parser.add_argument("--json", type=Path, default=None)
    asked = parser.parse_args()
    vocabulary = load_vocabulary()
    source = load_source("surgery_timing", vocabulary)
    cohort = load_cohort(source, asked.file, vocabulary)
    lines = []
    for outcome in cohort.labels:
        for group in GROUPS:
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    line = judged(cohort, group, outcome, vocabulary, Path(folder))
                except TrainingError as error:
                    print(f"{outcome} | {group} | {error}", flush=True)
                    continue
            lines.append(line)
            took = time.perf_counter() - start
            print(
                f"{outcome} | {group} | rows {line['rows']}, events {line['events']} | abstains with "
                f"procedure {line['abstained_with_procedure']:.0%} | {line['form']} | AUROC at home "
                f"{estimate(line['at_home'])}, there {estimate(line['auroc'])} | O/E "
                f"{estimate(line['observed_expected'])} | slope {estimate(line['slope'])} | ICI "
                f"{line['ici']['value']:.3f} | told apart {line['membership_auroc']:.2f} | "
                f"{line['recalibrated']} | {took:.0f} s",
                flush=True,
            )
    if asked.json is not None:
        asked.json.write_text(json.dumps(lines, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
