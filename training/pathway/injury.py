"""Facts of the injury and of the trauma bay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.vocabulary import Feature
from training.pathway.patients import Floats, Patients

# Weights of the mechanisms: product proposal, after the case mix of Swedish trauma care.
MECHANISMS = {
    "young": {
        "traffic_motor_vehicle": 0.27, "traffic_motorcycle": 0.12, "traffic_bicycle": 0.11,
        "traffic_pedestrian": 0.08, "fall_from_height": 0.14, "fall_same_level": 0.12,
        "struck_by_blunt_object": 0.16,
    },
    "elder": {
        "fall_same_level": 0.62, "fall_from_height": 0.18, "traffic_motor_vehicle": 0.10,
        "traffic_pedestrian": 0.10,
    },
    "penetrating": {"shot": 0.35, "stabbed": 0.65},
}  # fmt: skip
INTENTIONS = {
    "blunt": {"accident": 0.92, "self_inflicted": 0.04, "assault": 0.04},
    "penetrating": {"assault": 0.75, "self_inflicted": 0.25},
}


def injury_facts(
    patients: Patients, features: Mapping[str, Feature], random: np.random.Generator
) -> dict[str, Floats]:
    """Draw mechanism, transport and first measures, shape (n,) each; only trauma has them."""
    n, traits = patients.count, patients.traits
    sharp, elder = traits["penetrating"] > 0, traits["trauma_elder"] > 0

    def drawn(feature: str, weights: Mapping[str, float], uniform: Floats) -> Floats:
        places = np.array([features[feature].categories.index(word) for word in weights], float)
        limits = np.cumsum(list(weights.values()))
        chosen: Floats = places[np.searchsorted(limits, uniform * limits[-1], side="right")]
        return chosen

    def place(feature: str, word: str) -> float:
        return float(features[feature].categories.index(word))

    which = random.random(n)
    young, old, pierced = (drawn("injury_mechanism", MECHANISMS[kind], which)
                           for kind in ("young", "elder", "penetrating"))  # fmt: skip
    why = random.random(n)
    meant, blunt = (drawn("injury_intention", INTENTIONS[kind], why)
                    for kind in ("penetrating", "blunt"))  # fmt: skip
    bleeding = np.maximum(traits["haemorrhage"] + 0.3, 0.0)
    severe = traits["injury"] + 0.6 * traits["brain"] + random.normal(size=n)
    seen = bleeding + 0.5 * random.normal(size=n)
    fast = np.select(
        [seen > 1.3, seen > 1.15],
        [place("fast_result", "positive"), place("fast_result", "inconclusive")],
        place("fast_result", "negative"),
    )
    acts = (traits["operated"] > 0) & (severe + bleeding > 1.2)
    kind = np.select(
        [~acts, traits["brain"] > 1.0, bleeding > 1.1, bleeding > 0.7],
        [place("emergency_procedure_type", word)
         for word in ("none", "craniotomy", "laparotomy", "interventional_radiology")],
        place("emergency_procedure_type", "other"),
    )  # fmt: skip
    minutes = np.exp(np.log(75.0) - 0.3 * bleeding + 0.4 * random.normal(size=n))
    helicopter, road = (
        place("transport_mode", f"{word}_ambulance") for word in ("helicopter", "ground")
    )
    return {
        "dominant_injury_type": traits["penetrating"],
        "injury_mechanism": np.where(sharp, pierced, np.where(elder, old, young)),
        "injury_intention": np.where(sharp, meant, blunt),
        "transport_mode": np.where(severe > 2.4, helicopter, road),
        "fast_result": fast,
        "emergency_procedure_type": kind,
        "minutes_to_emergency_procedure": np.where(acts, np.round(minutes), np.nan),
    }
