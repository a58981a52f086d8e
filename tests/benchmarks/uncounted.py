"""The service as it is, without the counts of models: the baseline of `tests.benchmarks.counting`.

    python -m tests.benchmarks.uncounted run --port 8000

It is no part of the product.
"""

from __future__ import annotations

from app.cli import main
from app.serving.slot import ServedPanel


def nothing(*_: object) -> list[object]:
    return []


if __name__ == "__main__":
    ServedPanel.to_count = nothing  # type: ignore[assignment,method-assign]
    main()
