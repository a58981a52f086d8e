"""A pathway folder made by hand: small, with a truth that is written down here.

The log-odds of major complication at `surgery-decision` are

    -1.2 + 0.05 (age - 65) + 1.1 [ASA III] + 2.0 [ASA IV-VI] - 0.03 (haemoglobin - 130)

and those of death within 30 days 1.5 less; nothing else matters. `later:complication_clavien_dindo`
tells the outcome, as a leak does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.risk.calibration import probability

POINT = "surgery-decision"
SOURCE = """\
name = "by_hand"
title = "Patients made by hand"
citation = "none"
licence = "none"
training_data = "synthetic"
divisible_by = 4
[fit]
smoothings = [30]
leaves = [4]
rounds = [25]
inputs = [4]
folds = 3
resamples = 50
[group]
sex = []
[outcomes]
surgery-decision = ["major_complication", "death_30d", "length_of_stay_days"]
"""


def columns(rows: int, seed: int = 1) -> dict[str, Any]:
    """Two rows an episode; one patient in seven comes back with a second one.

    Episode 12 is of patient 10, and 26 of 24: a split by episodes would cut both patients in two.
    """
    random = np.random.default_rng(seed)
    age = random.uniform(20, 90, rows).round(1)
    asa = random.choice(3, rows, p=(0.6, 0.3, 0.1))
    hemoglobin = random.normal(130, 15, rows).round(0)
    log_odds = -1.2 + 0.05 * (age - 65) + np.array([0, 1.1, 2.0])[asa] - 0.03 * (hemoglobin - 130)
    truth = {"major_complication": probability(log_odds), "death_30d": probability(log_odds - 1.5)}
    drawn = random.random(rows)  # one lot for both: who dies had a major complication
    labels = {name: (drawn < p).astype(float) for name, p in truth.items()}
    lost = random.random(rows) < 0.2
    episode = np.arange(rows) // 2
    return {
        "row": np.arange(rows),
        "episode": episode,
        "patient": episode - 2 * (episode % 7 == 5),
        "hospital": np.array(["north", "south"])[np.arange(rows) % 2],
        "unit": np.full(rows, "ward-31"),
        "month": np.full(rows, 202403, dtype=np.int32),
        "visit": np.arange(rows, dtype=np.int32) % 2,
        "hours": np.zeros(rows),
        "age": age,
        "sex": random.choice(["female", "male"], rows),
        "asa_band": np.array(["I-II", "III", "IV-VI"])[asa],
        "procedure_group": random.choice(["mastectomy", "colorectal_resection"], rows),
        "diabetes": random.random(rows) < 0.2,
        "hemoglobin": pa.array(np.where(lost, 0.0, hemoglobin), mask=lost),
        "age_hours:hemoglobin": np.full(rows, 24.0),
        "sodium": random.normal(140, 3, rows).round(0),
        "later:complication_clavien_dindo": np.array(["none", "IIIa"])[
            labels["major_complication"].astype(int)
        ],
        **{f"label:{name}": values for name, values in labels.items()},
        "label:length_of_stay_days": (3 + 6 * truth["death_30d"] + random.exponential(1, rows)),
        **{f"truth:{name}": values for name, values in truth.items()},
    }


def write(folder: Path, made: Mapping[str, Any], point: str = POINT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(made)), folder / f"{point}.parquet", row_group_size=500)
    return folder


def write_source(folder: Path, text: str = SOURCE) -> str:
    """The mapping beside the files; its path, as `--source` takes it."""
    path = folder / "by_hand.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)
