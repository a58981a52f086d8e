"""On what conditions a version may serve, beyond being sound: what this site has set."""

from __future__ import annotations

from dataclasses import dataclass

from app.settings import Settings
from models.gate_record import SERVE_ALL, GatePolicy
from monitoring.keyring import Keyring, gate_keys


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a champion must fulfil before it takes a place.

    Attributes
    ----------
    answer_budget_s : float
        Processor time that its median answer may take.
    gate : GatePolicy
        What to do with versions whose gate decision does not hold.
    """

    answer_budget_s: float = 0.05
    gate: GatePolicy = SERVE_ALL


def site_conditions(settings: Settings, keyring: Keyring) -> Conditions:
    """What this installation has set, with the keys whose gate decisions it believes."""
    gate = GatePolicy(settings.ungated, gate_keys(keyring))
    return Conditions(settings.answer_budget_ms / 1000.0, gate)
