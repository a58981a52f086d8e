"""A foreign model in the engine's terms: what every family hands over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.risk.reading import Input
from training.adopt.straight_line import LinearScore

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Converted:
    """What a model computes, as our own trees or as a linear score.

    Attributes
    ----------
    kind : str
        "binary" or "numeric".
    form : str
        The family and its size, in words.
    raw : callable
        The original's own raw score of encoded rows (n_samples, n_features), NaN where missing:
        what our form must reproduce.
    trees_text : str or None
        LightGBM's text.
    linear : LinearScore or None
        Exactly one of the two is there.
    as_probability : bool
        The raw score is a mean probability, not a log-odds.
    needed : frozenset of str
        Inputs whose absence the model never learnt to read.
    landmarks : mapping of ndarray
        Numbers in which the model shows the unit it was fitted in: thresholds, means, imputed values.
    notes : tuple of str
        What the card should say.
    """

    kind: str
    form: str
    inputs: tuple[Input, ...]
    raw: Callable[[Floats], Floats]
    trees_text: str | None = None
    linear: LinearScore | None = None
    as_probability: bool = False
    needed: frozenset[str] = frozenset()
    landmarks: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
