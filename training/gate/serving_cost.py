"""What a model costs where it serves: processor time of an answer, bytes on disk, leaves."""

from __future__ import annotations

from statistics import median
from time import process_time
from typing import Any

from models.bundle import Bundle
from models.risk.risk_model import RiskModel

BATCHES, ANSWERS = 5, 20


def serving_cost(bundle: Bundle, model: RiskModel) -> dict[str, Any]:
    """Measure a proven bundle.

    Returns
    -------
    dict
        - `processor_ms`: of one explained answer to a stored example, on this machine; processor
          time, so that a busy machine does not count against a model; median of batches.
        - `bytes`: of all files; `leaves`: of all trees together.
    """
    examples = [example["values"] for example in bundle.document("example.json")["examples"]]
    times = []
    for _ in range(BATCHES):
        begun = process_time()
        for i in range(ANSWERS):
            model.assess(examples[i % len(examples)])
        times.append((process_time() - begun) / ANSWERS)
    return {
        "processor_ms": median(times) * 1000,
        "bytes": sum(len(content) for content in bundle.files.values()),
        "leaves": model.trees.n_leaves,
    }
