"""Holding what a page shows to what really comes back: the page may leave out, never invent."""

from __future__ import annotations

import re

import pytest

ANYTHING = "…"
TOLERANCE = 0.02  # another machine's arithmetic may choose a slightly other tree


def assert_shown(shown: object, answered: object, where: str) -> None:
    """Everything that the shortened answer shows stands in the real one; `…` is any text."""
    if isinstance(shown, dict):
        assert isinstance(answered, dict), where
        for key, value in shown.items():
            assert key in answered, f"{where}.{key}"
            assert_shown(value, answered[key], f"{where}.{key}")
    elif isinstance(shown, list):
        assert isinstance(answered, list), where
        assert len(answered) >= len(shown), where
        for i, value in enumerate(shown):
            assert_shown(value, answered[i], f"{where}[{i}]")
    elif isinstance(shown, float):
        assert answered == pytest.approx(shown, abs=TOLERANCE), where
    elif shown == ANYTHING:
        assert isinstance(answered, str), where
        assert answered, where
    else:
        assert answered == shown, where


def assert_lines_shown(shown: str, printed: str, where: str) -> None:
    """Every line that is shown was printed; `…` within it is any text."""
    for line in shown.splitlines():
        pattern = ".*".join(map(re.escape, line.split(ANYTHING)))
        assert re.search(pattern, printed), f"{where}: {line}"
