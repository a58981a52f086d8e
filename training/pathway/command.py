"""What `risk-train simulate` needs beside the generator: which parameters, and visits as lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from training.errors import SourceInvalid
from training.pathway.parameters import Parameters, load_parameters
from training.pathway.requests import episode_visits
from training.pathway.simulate import blocks_of


def chosen_parameters(scenarios: Sequence[str], hospitals: Sequence[str]) -> Parameters:
    """Load the parameters with these scenarios, and only these hospitals where any are named.

    Raises
    ------
    SourceInvalid
        When a scenario or a hospital is not declared.
    """
    parameters = load_parameters(scenarios)
    if not hospitals:
        return parameters
    known = [house.name for house in parameters.hospitals]
    if unknown := [name for name in hospitals if name not in known]:
        raise SourceInvalid(f"no hospital {', '.join(unknown)}; known: {', '.join(known)}")
    kept = tuple(house for house in parameters.hospitals if house.name in hospitals)
    return replace(parameters, hospitals=kept)


def print_visits(
    parameters: Parameters, seed: int, episodes: int, say: Callable[[str], object]
) -> None:
    """Print one line of JSON per visit, episode by episode in order of time."""
    for first, count in blocks_of(episodes):
        for line in episode_visits(parameters, seed, first, count):
            say(json.dumps(line, ensure_ascii=False))
