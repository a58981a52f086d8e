"""A simulated cohort with known truth, through the nine branch points.

It exercises the machinery; it proves nothing about patients.
"""

from __future__ import annotations

from training.pathway.parameters import Parameters, load_parameters
from training.pathway.simulate import Visits, simulate_episodes

__all__ = ["Parameters", "Visits", "load_parameters", "simulate_episodes"]
