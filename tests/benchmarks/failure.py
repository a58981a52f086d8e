"""The one error of the benchmark."""

from __future__ import annotations

NOTHING_TRAINED = "the state folder has no trained champion; run `make demo` once"


class BenchmarkFailed(Exception):
    """The run cannot start or its figures would mean nothing; the message says what to do."""
