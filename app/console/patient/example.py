"""The invented patient of a branch point, as somebody would type it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from app.console.patient.typed import NO, VALUE, YES
from app.examples.patients import ExamplePatient, load_patients
from models.vocabulary import BranchPoint


@cache
def _patients() -> Mapping[str, ExamplePatient]:
    return load_patients()


def example_form(point: BranchPoint, language: str) -> dict[str, str]:
    """The form filled in; empty for a site's own branch point, which has no example.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> point = load_vocabulary().branch_points["surgery-decision"]
    >>> form = example_form(point, "en")
    >>> form["v.hemoglobin"], form["v.diabetes"], form["v.sex"]
    ('112', 'yes', 'female')
    """
    patient = _patients().get(point.id)
    if patient is None:
        return {}
    values = {"age": patient.age, "sex": patient.sex, **patient.values}
    return {f"{VALUE}{name}": _typed(value, language) for name, value in values.items()}


def has_example(point: BranchPoint) -> bool:
    """Whether there is an invented patient."""
    return point.id in _patients()


def _typed(value: object, language: str) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    told = str(value)
    return told.replace(".", ",") if language == "sv" and isinstance(value, float) else told
