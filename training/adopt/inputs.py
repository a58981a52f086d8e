"""What every scikit-learn family says of its inputs and its classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.risk.reading import Input
from training.adopt.front import Front
from training.errors import AdoptionRefused


def inputs_of(front: Front) -> tuple[Input, ...]:
    """The model's inputs; a category that its steps never saw has no code."""
    return tuple(
        Input(
            feature.name, feature.kind, feature.unit, feature.categories,
            tuple(
                np.nan if c in front.unseen(i) else float(c)
                for c in range(len(feature.categories))
            ),
        )
        for i, feature in enumerate(front.features)
    )  # fmt: skip


def refuse_classes(estimator: Any) -> None:
    """Refuse a classifier whose second class is not the event.

    Raises
    ------
    AdoptionRefused
        Unless the classes are 0 and 1, or false and true.
    """
    if [str(c) for c in estimator.classes_] not in (["0", "1"], ["False", "True"], ["0.0", "1.0"]):
        raise AdoptionRefused("its classes are not 0 and 1 (or false and true), 1 being the event")
