"""A live model at each of the nine branch points, small and quickly trained on simulated patients.

Fitted, registered and served as the product does it; only the plan is poor (one additive candidate,
two folds, some thousand rows), and the champions are named here, past the gate: these models are for
seeing that everything runs and adds up, never for how good they are.
"""

from __future__ import annotations

import json
from pathlib import Path

from models.registry import CHAMPION, Registry
from tests.lib.service import run_command

EPISODES, SEED = 4096, 19
OUTCOMES = {
    "surgery-decision": ("any_complication", "length_of_stay_days"),
    "preoperative-clinic": ("any_complication",),
    "trauma-alert": ("not_discharged_home",),
    "trauma-bay-exit": ("poor_recovery_90d",),
    "end-of-surgery": ("any_complication",),
    "ward-round": ("not_discharged_home",),
    "icu-review": ("death_180d",),
    "discharge": ("poor_recovery_90d",),
    "recovery-follow-up": ("poor_recovery_90d",),
}
SOURCE = f"""\
name = "pathway"
title = "A small simulated cohort"
citation = "none"
licence = "none"
training_data = "synthetic"
divisible_by = 4
[simulate]
episodes = {EPISODES}
seed = {SEED}
[fit]
rows = 3000
folds = 2
smoothings = [300]
leaves = []
rounds = []
inputs = [16]
resamples = 20
[outcomes]
""" + "".join(f"{point} = {json.dumps(names)}\n" for point, names in OUTCOMES.items())


def train_pathway(var: Path) -> None:
    """Simulate, train, and name every version the champion, into the state folder `var`."""
    var.mkdir()
    source = var / "small-pathway.toml"
    source.write_text(SOURCE, encoding="utf-8")
    done = run_command(
        "risk-train", "run", "--all", "--source", str(source), "--jobs", "1", "--json", var=var,
        # One process of its own: threads would wait for those of the other test process.
        settings={"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    registry = Registry.at(var)
    for result in json.loads(done.stdout):
        registry.set_alias(result["name"], CHAMPION, result["version"])
