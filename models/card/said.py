"""What a card says in one place, or nothing: a card may be of another site, or older than this code."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

NOT_STATED = "Not stated"
HELD_OUT_ONLY = "Evaluated on held-out rows of the same cohort; no other hospital has been tested."
SIMULATED = (
    "Trained on simulated patients: it exercises the machinery and proves nothing about real ones."
)


def part(document: Any, *path: str) -> Mapping[str, Any]:
    """A table of the document; empty where there is none.

    Examples
    --------
    >>> part({"cohort": {"title": "x"}}, "cohort"), part({"cohort": 7}, "cohort")
    ({'title': 'x'}, {})
    """
    found = _at(document, path)
    return found if isinstance(found, Mapping) else {}


def text(document: Any, *path: str) -> str | None:
    """A text that says something.

    Examples
    --------
    >>> text({"title": "A cohort"}, "title")
    'A cohort'
    >>> text({"title": " "}, "title") is text({}, "title") is None
    True
    """
    found = _at(document, path)
    return found if isinstance(found, str) and found.strip() else None


def number(document: Any, *path: str) -> float | None:
    """A finite number; true and false are none.

    Examples
    --------
    >>> number({"auroc": {"value": 0.8}}, "auroc", "value")
    0.8
    >>> number({"auroc": True}, "auroc") is number({"auroc": float("nan")}, "auroc") is None
    True
    """
    found = _at(document, path)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if isfinite(found) else None


def texts(document: Any, *path: str) -> list[str]:
    """The texts of a list."""
    found = _at(document, path)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def parts(document: Any, *path: str) -> list[Mapping[str, Any]]:
    """The tables of a list."""
    found = _at(document, path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def numbers(document: Any, *path: str) -> list[float]:
    """A list of finite numbers; empty when one of its items is none."""
    found = _at(document, path)
    if not isinstance(found, list):
        return []
    taken = [number({"x": item}, "x") for item in found]
    return [item for item in taken if item is not None] if None not in taken else []


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def one_cohort(title: str) -> str:
    """The limit of a model that one cohort taught."""
    return f"The cohort is {title}: validate and recalibrate locally before use."
