"""How one evaluation resamples: the generator, how often, and which rows are one patient's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Estimate, Statistic, bootstrap, paired_bootstrap

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Resampling:
    """A bootstrap bound to one data set, to be run on all of its rows or on some.

    Attributes
    ----------
    rng : numpy.random.Generator
        Used up in the order of the calls, so the same calls give the same bounds.
    n_resamples : int
        Resamples per figure.
    patients : ndarray of int, shape (n_samples,) or None
        Rows of one number are drawn together.
    """

    rng: np.random.Generator
    n_resamples: int
    patients: Rows | None = None

    def estimate(self, statistics: Mapping[str, Statistic], rows: Rows) -> dict[str, Estimate]:
        """Value and bounds of statistics that are bound to these rows."""
        own = self._patients(rows)
        return bootstrap(statistics, len(rows), self.rng, self.n_resamples, own)

    def compare(
        self, first: Mapping[str, Statistic], second: Mapping[str, Statistic], rows: Rows
    ) -> tuple[dict[str, Estimate], dict[str, Estimate], dict[str, Estimate]]:
        """Both models' estimates and their paired difference on these rows."""
        own = self._patients(rows)
        return paired_bootstrap(first, second, len(rows), self.rng, self.n_resamples, own)

    def _patients(self, rows: Rows) -> Rows | None:
        if self.patients is None:
            return None
        return np.unique(self.patients[rows], return_inverse=True)[1].astype(np.intp)
