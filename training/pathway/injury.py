"""Facts of the injury and of the trauma bay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.vocabulary import Feature
from training.pathway.parameters import Parameters
from training.pathway.patients import Floats, Patients


def injury_facts(
    parameters: Parameters,
    patients: Patients,
    features: Mapping[str, Feature],
    random: np.random.Generator,
) -> dict[str, Floats]:
    """Draw mechanism, transport and first measures, shape (n,) each; only trauma has them."""
    n, traits, numbers = patients.count, patients.traits, parameters.injury
    sharp, elder = traits["penetrating"] > 0, traits["trauma_elder"] > 0

    def drawn(feature: str, weights: Mapping[str, float], uniform: Floats) -> Floats:
        places = np.array([features[feature].categories.index(word) for word in weights], float)
        limits = np.cumsum(list(weights.values()))
        chosen: Floats = places[np.searchsorted(limits, uniform * limits[-1], side="right")]
        return chosen

    def place(feature: str, word: str) -> float:
        return float(features[feature].categories.index(word))

    which = random.random(n)
    young = drawn("injury_mechanism", numbers.mechanisms_young, which)
    old = drawn("injury_mechanism", numbers.mechanisms_elder, which)
    pierced = drawn("injury_mechanism", numbers.mechanisms_penetrating, which)
    why = random.random(n)
    meant = drawn("injury_intention", numbers.intentions_penetrating, why)
    blunt = drawn("injury_intention", numbers.intentions_blunt, why)
    bleeding = np.maximum(traits["haemorrhage"] + parameters.body.bleeding_shift, 0.0)
    severe = traits["injury"] + numbers.severity_of_brain * traits["brain"]
    severe += random.normal(size=n)
    seen = bleeding + numbers.fast_noise * random.normal(size=n)
    fast = np.select(
        [seen > numbers.fast_positive, seen > numbers.fast_inconclusive],
        [place("fast_result", "positive"), place("fast_result", "inconclusive")],
        place("fast_result", "negative"),
    )
    acts = (traits["operated"] > 0) & (severe + bleeding > numbers.emergency_procedure_from)
    kind = np.select(
        [~acts, traits["brain"] > numbers.craniotomy_from, bleeding > numbers.laparotomy_from,
         bleeding > numbers.radiology_from],
        [place("emergency_procedure_type", word)
         for word in ("none", "craniotomy", "laparotomy", "interventional_radiology")],
        place("emergency_procedure_type", "other"),
    )  # fmt: skip
    minutes = np.log(numbers.minutes_to_procedure) + numbers.minutes_per_bleeding * bleeding
    minutes = np.exp(minutes + numbers.minutes_noise * random.normal(size=n))
    helicopter, road = (
        place("transport_mode", f"{word}_ambulance") for word in ("helicopter", "ground")
    )
    return {
        "dominant_injury_type": traits["penetrating"],
        "injury_mechanism": np.where(sharp, pierced, np.where(elder, old, young)),
        "injury_intention": np.where(sharp, meant, blunt),
        "transport_mode": np.where(severe > numbers.helicopter_from, helicopter, road),
        "fast_result": fast,
        "emergency_procedure_type": kind,
        "minutes_to_emergency_procedure": np.where(acts, np.round(minutes), np.nan),
    }
