"""Streams of counted outcomes, made without a ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from monitoring.outcomes import Count

FIRST = Count(
    counted_at_us=1, seq=1, assessment_id="a1", branch_point="icu-review", outcome="death_60d",
    model="icu-review.death_60d", version="1", digest="sha256:1", unit="ward-1",
    subgroups=("sex: female", "age: 65-79"), p=0.25, y=True, was=None, delay_us=3_000_000,
)  # fmt: skip


def count(**changes: Any) -> Count:
    return replace(FIRST, **changes)


def stream(steps: Iterable[tuple[int, int, bool | None]]) -> list[Count]:
    """Entries of patients by number: (microseconds later, patient, what is known of it now)."""
    counts: list[Count] = []
    known: dict[int, bool | None] = {}
    at_us = 1
    for later_us, patient, y in steps:
        at_us += later_us
        was = known.get(patient)
        if y == was:
            continue
        counts.append(
            count(
                counted_at_us=at_us,
                seq=patient,
                assessment_id=f"a{patient}",
                version=str(1 + patient % 2),
                unit=(None, "ward-1", "ward-2")[patient % 3],
                subgroups=(("sex: male",), ("sex: female", "age: 65-79"))[patient % 2],
                p=(0.005, 0.25, 0.3, 0.625, 0.95)[patient % 5],
                y=y,
                was=was,
                delay_us=None if patient in known else 1_000_000 * patient,
            )
        )
        known[patient] = y
    return counts


STREAMS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.sampled_from([True, False, None])),
    max_size=40,
).map(stream)
