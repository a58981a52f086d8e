"""What a visit's numbers depend on: the traits, and what the state does to the body."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.pathway.course import STATE, STATES
from training.pathway.history import has
from training.pathway.numbers import BodyNumbers
from training.pathway.patients import Floats
from training.pathway.visits import Scene

SPELL = {
    "infection": "sepsis", "lung_infection": "pneumonia", "kidney_injury": "acute_kidney_injury",
    "heart_injury": "myocardial_injury", "delirious": "delirium",
}  # fmt: skip


def visit_drivers(
    numbers: BodyNumbers,
    scene: Scene,
    traits: Mapping[str, Floats],
    loss_litres: Floats,
    trouble: Floats,
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
    blood = np.maximum(drivers["haemorrhage"] + numbers.bleeding_shift, 0.0) * acute
    at_end = scene.branch_point == "end-of-surgery"
    drivers["anaesthesia"] = np.full(len(day), 1.0 if at_end else 0.0)
    if scene.before:
        share = numbers.bleeding_before + numbers.bleeding_before_injured * drivers["path:trauma"]
        drivers["bleeding"] = blood * share
        drivers["stress"] = numbers.stress_of_injury * drivers["path:trauma"]
        drivers["blood_loss"] = np.zeros(len(day))
        drivers["trouble"] = np.zeros(len(day))
        return drivers
    drivers["bleeding"] = blood * numbers.bleeding_after * np.exp(-day)
    drivers["stress"] = _stress(numbers, drivers, day)
    drivers["blood_loss"] = loss_litres * np.exp(-day / numbers.blood_days)
    drivers["trouble"] = trouble
    away = drivers["illness"] - numbers.illness_at_rest
    drivers["illness"] = numbers.illness_at_rest + away * np.exp(-day / numbers.illness_days)
    return drivers


def _stress(numbers: BodyNumbers, drivers: Mapping[str, Floats], day: Floats) -> Floats:
    """Answer of the body to operation or injury: a peak on the days 2 and 3, then fading."""
    operated = numbers.extent + numbers.extent_per_grade * drivers["severity_grade"]
    extent = np.where(drivers["operated"] > 0, operated, numbers.extent_without_operation)
    extent = extent + numbers.extent_per_injury * np.maximum(drivers["injury"], 0.0)
    rise = np.where(day == 0, numbers.rise_day_0, np.where(day == 1, numbers.rise_day_1, 1.0))
    after_peak = np.maximum(day - numbers.peak_day, 0)
    fading: Floats = extent * rise * np.exp(-after_peak / numbers.stress_days)
    return fading
