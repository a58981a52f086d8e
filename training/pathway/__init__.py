"""A simulated cohort with known truth, through the nine branch points.

It exercises the machinery; it proves nothing about patients. Start reading in `simulate`.
"""

from __future__ import annotations

from training.pathway.parameters import Parameters, load_parameters
from training.pathway.requests import episode_visits
from training.pathway.simulate import Visits, simulate_episodes
from training.pathway.write import write_cohort

__all__ = [
    "Parameters",
    "Visits",
    "episode_visits",
    "load_parameters",
    "simulate_episodes",
    "write_cohort",
]
