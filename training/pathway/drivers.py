"""What a visit's numbers depend on: the traits, and what the state does to the body."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.pathway.course import STATE, STATES
from training.pathway.history import has
from training.pathway.patients import Floats
from training.pathway.visits import Scene

ILLNESS_AT_REST = -0.4
SPELL = {
    "infection": "sepsis", "lung_infection": "pneumonia", "kidney_injury": "acute_kidney_injury",
    "heart_injury": "myocardial_injury", "delirious": "delirium",
}  # fmt: skip


def visit_drivers(
    scene: Scene, traits: Mapping[str, Floats], loss_litres: Floats, trouble: Floats
) -> dict[str, Floats]:
    """Return every driver that a row of `readings.toml` may name.

    Parameters
    ----------
    scene : Scene
        The visits, m of them.
    traits : mapping of ndarray, shape (n,)
        Traits of the whole block.
    loss_litres, trouble : ndarray, shape (m,)
        Blood lost at operation or injury; how hard the operation went.

    Returns
    -------
    dict of ndarray, shape (m,)
    """
    drivers = {name: values[scene.rows] for name, values in traits.items()}
    for name in STATES:
        drivers[name] = (scene.state == STATE[name]).astype(np.float64)
    for name, outcome in SPELL.items():
        drivers[name] = has(scene.spell, outcome)
    day = scene.day.astype(np.float64)
    acute = 1.0 - drivers["path:elective"]
    blood = np.maximum(drivers["haemorrhage"] + 0.3, 0.0) * acute
    at_end = scene.branch_point == "end-of-surgery"
    drivers["anaesthesia"] = np.full(len(day), 1.0 if at_end else 0.0)
    if scene.before:
        drivers["bleeding"] = blood * (0.4 + 0.6 * drivers["path:trauma"])
        drivers["stress"] = 0.15 * drivers["path:trauma"]
        drivers["blood_loss"] = np.zeros(len(day))
        drivers["trouble"] = np.zeros(len(day))
        return drivers
    drivers["bleeding"] = blood * 0.5 * np.exp(-day)
    drivers["stress"] = _stress(drivers, day)
    drivers["blood_loss"] = loss_litres * np.exp(-day / 20.0)
    drivers["trouble"] = trouble
    away = drivers["illness"] - ILLNESS_AT_REST
    drivers["illness"] = ILLNESS_AT_REST + away * np.exp(-day / 6.0)
    return drivers


def _stress(drivers: Mapping[str, Floats], day: Floats) -> Floats:
    """Answer of the body to operation or injury: a peak on the days 2 and 3, then fading."""
    extent = np.where(drivers["operated"] > 0, 0.45 + 0.18 * drivers["severity_grade"], 0.35)
    extent = extent + 0.08 * np.maximum(drivers["injury"], 0.0)
    rise = np.where(day == 0, 0.15, np.where(day == 1, 0.75, 1.0))
    fading: Floats = extent * rise * np.exp(-np.maximum(day - 3, 0) / 5.0)
    return fading
