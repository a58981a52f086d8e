"""A cohort whose truth is written down: four variables weigh, one of them twice over, four do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.risk.calibration import probability
from models.vocabulary import Vocabulary
from training.fit.plan import Plan
from training.rows import Cohort
from training.sources.source import load_source

# Log-odds per standard deviation at the third; urea is creatinine again.
WEIGHTS = {"age": 0.9, "albumin": -0.8, "creatinine": 0.7, "diabetes": 1.0}
TWIN = "urea"
IDLE = ("sodium", "glucose", "ph", "heart_rate")
NAMES = (*WEIGHTS, TWIN, *IDLE)
CENTRE = {
    "age": (65, 12), "albumin": (33, 5), "creatinine": (100, 20), "urea": (8, 2),
    "sodium": (140, 4), "glucose": (7, 1.5), "ph": (7.4, 0.05), "heart_rate": (90, 15),
}  # fmt: skip
BINARY, SECOND, NUMERIC = "death_60d", "prolonged_stay", "length_of_stay_days"
# An emptier one: whoever has a value of it has it at random.
OFTEN_MISSING = "albumin"


def rows_of(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Encoded inputs and the log-odds of `BINARY`."""
    random = np.random.default_rng(seed)
    z = {name: random.normal(size=n) for name in NAMES}
    z["diabetes"] = (random.random(n) < 0.3).astype(float)
    z[TWIN] = z["creatinine"]
    log_odds = -0.5 + sum(weight * z[name] for name, weight in WEIGHTS.items())
    columns = []
    for name in NAMES:
        centre, spread = CENTRE.get(name, (0, 1))
        column = centre + spread * z[name]
        if name == OFTEN_MISSING:
            column = np.where(random.random(n) < 0.3, np.nan, column)
        columns.append(column)
    return np.column_stack(columns), log_odds


def made(vocabulary: Vocabulary, n: int = 4000, seed: int = 3) -> Cohort:
    """Two rows a patient; `SECOND` hangs on age alone, `NUMERIC` on age and diabetes."""
    X, log_odds = rows_of(n, seed)
    random = np.random.default_rng(seed + 1)
    age, diabetes = (X[:, NAMES.index("age")] - 65) / 12, X[:, NAMES.index("diabetes")]
    source = load_source("support2", vocabulary)
    return Cohort(
        source=replace(
            source, title="made", plan=Plan(folds=4, smoothings=(30.0,), leaves=(), rounds=(),
                                            resamples=100),
        ),
        features=NAMES,
        X=X,
        labels={
            BINARY: (random.random(n) < probability(log_odds)).astype(float),
            SECOND: (random.random(n) < probability(1.2 * age)).astype(float),
            NUMERIC: 12 + 4 * age + 3 * diabetes + random.normal(size=n),
        },
        comparators={},
        held_out=(np.arange(n) // 2) % 4 == 0,
        set_aside={},
        patients=np.arange(n) // 2,
        hospitals=np.array(["north", "south", "west"])[np.arange(n) % 3],
    )  # fmt: skip
