"""What is counted of every model, over all workers, and which versions are shown.

A version that is served no longer is shown on: Prometheus must see what it counted last, and a
roll-back goes on where it was. Of each model the served versions and the newest others are shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitoring.counting.board import Board
from monitoring.counting.model_series import ModelSeries
from monitoring.counting.panel_counter import Asked, PanelCounter, key_of
from monitoring.counting.profile import ModelProfile

Floats = NDArray[np.float64]

MODELS = "models"
OTHERS_SHOWN = 2
"""Versions of a model that are shown after they were served."""
Who = tuple[str, str, str]
"""Name, version and digest of a model."""


class ModelsCounted:
    """Counts of models on a board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._counters: dict[str, PanelCounter] = {}
        self._begun: dict[str, int] = {}
        self._series = ModelSeries(())
        self._waiting: dict[str, tuple[PanelCounter, list[Asked]]] = {}

    def prepare(self, profiles: Sequence[ModelProfile]) -> None:
        """Let the series of models that are asked together exist, at 0 if nothing was counted yet."""
        if (key := key_of(profiles)) not in self._begun:
            self._begin(key, PanelCounter(profiles))

    def add(self, counter: PanelCounter, asked: Asked) -> None:
        """Keep an answer until `count`."""
        self._waiting.setdefault(counter.key, (counter, []))[1].append(asked)

    @property
    def waiting(self) -> bool:
        """Whether there is something to count."""
        return bool(self._waiting)

    def count(self) -> None:
        """Add all that waits to the board."""
        waiting, self._waiting = self._waiting, {}
        for key, (counter, asked) in waiting.items():
            if key not in self._begun:
                self._begin(key, counter)
            counter.add(asked, self.board.values, self._begun[key])

    def _begin(self, key: str, counter: PanelCounter) -> None:
        about = {MODELS: [profile.to_document() for profile in counter.profiles]}
        self._begun[key] = self.board.block(key, counter.size, about)
        self._counters[key] = counter

    def filled(self, served: Collection[Who]) -> Iterator[bytes]:
        """The text of all series, piece by piece.

        Parameters
        ----------
        served : collection
            The versions that any worker serves.
        """
        self.count()
        for key, about in self.board.about().items():
            if key not in self._counters and MODELS in about:
                profiles = [ModelProfile.from_document(one) for one in about[MODELS]]
                self._counters[key] = PanelCounter(profiles)
        totals: dict[Who, Floats] = {}
        known: dict[Who, ModelProfile] = {}
        for key, counter in self._counters.items():
            block = self.board.total(key)
            if not len(block):
                continue
            for i, profile in enumerate(counter.profiles):
                who = profile.name, profile.version, profile.digest
                known[who] = profile
                own = counter.of_model(i, block)
                totals[who] = totals[who] + own if who in totals else own
        shown = _shown(list(known), set(served))
        profiles = [known[who] for who in shown]
        if self._series.profiles != tuple(profiles):
            self._series = ModelSeries(profiles)
        return self._series.filled([totals[who] for who in shown])


def _shown(known: Sequence[Who], served: Collection[Who]) -> list[Who]:
    """Of every model the served versions and the newest others, by name.

    Examples
    --------
    >>> known = [("m", str(version), "") for version in range(1, 6)]
    >>> [version for _, version, _ in _shown(known, {("m", "2", "")})]
    ['2', '4', '5']
    """
    of: dict[str, list[Who]] = defaultdict(list)
    for who in known:
        of[who[0]].append(who)
    found = []
    for name in sorted(of):
        others = [who for who in of[name] if who not in served][-OTHERS_SHOWN:]
        # One version number may stand for two digests where somebody registered it anew: the later.
        by_version = {who[1]: who for who in of[name] if who in served or who in others}
        found += list(by_version.values())
    return found
