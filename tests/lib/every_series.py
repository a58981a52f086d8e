"""Two replicas that show every family of the catalogue, growing steadily for 25 hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np

from monitoring.series import FAMILIES, Family
from tests.lib.promtool import Series

STEP_S = 150
"""Two scrapes in five minutes, the shortest window of the rules."""
HOURS = 25
SAMPLES = HOURS * 24 + 1
PER_SCRAPE = 10.0
VALUES: Mapping[str, tuple[str, ...]] = {
    "model": ("lungs",), "version": ("1",), "alias": ("champion",), "digest": ("sha256:00",),
    "branch_point": ("icu-review",), "outcome": ("death_30d",), "feature": ("age", "ward"),
    "bin": ("00: up to 1", "missing", "implausible", "unseen"), "status": ("answered", "abstained"),
    "code": ("2xx", "3xx", "4xx", "5xx"), "reason": ("token",), "where": ("log", "request"),
    "indicator": ("info", "warning"), "verdict": ("accepted", "overridden"), "kind": ("assessment",),
    "result": ("ok", "failed"), "ledger": ("main",), "observed": ("true", "false"),
    "unit": ("icu", "ward 4"), "subgroup": ("sex: female",), "direction": ("worse", "better"),
    "window": ("7d", "30d"), "le": ("0.1", "0.25", "+Inf"),
}  # fmt: skip


def every_series() -> Iterator[Series]:
    """Counters grow by ten a scrape (buckets by ten more each), gauges stand at a quarter."""
    for family in FAMILIES:
        for name, labels in family.series.items():
            for values in product(*(VALUES[label] for label in labels), ("a", "b")):
                chosen = dict(zip((*labels, "instance"), values, strict=True))
                yield Series(name, chosen, _samples(family, chosen), STEP_S)


def _samples(family: Family, labels: Mapping[str, str]) -> np.ndarray:
    if family.kind == "gauge":
        return np.full(SAMPLES, 0.25)
    grown = PER_SCRAPE * (1 + VALUES["le"].index(labels["le"]) if "le" in labels else 1)
    if family.name.endswith("_withdrawn_total"):
        grown /= PER_SCRAPE
    return grown * np.arange(SAMPLES)
