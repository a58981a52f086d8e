"""What the service publishes about itself, read as an integrator reads it: over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.check_integration.door import Answer, Door, at, objects

FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Features, branch points, and the middle of what the models were fitted on.

    Attributes
    ----------
    features : mapping
        Name to row of GET /v1/features.
    points : mapping
        Id to row of GET /v1/branch-points.
    typical : mapping
        Branch point to feature to number, of the models that are served; empty where they do not say.
    """

    features: Mapping[str, Mapping[str, Any]]
    points: Mapping[str, Mapping[str, Any]]
    typical: Mapping[str, Mapping[str, float]]

    def champions(self, point: str) -> list[str]:
        """The outcomes of a branch point that a model answers; none where it answers in silence."""
        if at(self.points.get(point), "silent") is True:
            return []
        outcomes = objects(at(self.points.get(point), "outcomes"))
        return [str(o.get("outcome")) for o in outcomes if o.get("champion") is not None]


def read_dictionary(door: Door) -> Dictionary | str:
    """Ask for all of it; a text says why it could not be had."""
    answers: list[Answer] = []
    for path in ("/v1/features", "/v1/branch-points", "/v1/models"):
        answer = door.ask("GET", path)
        if answer.status == FORBIDDEN:
            return "the credential lacks the scope `read`, which opens the feature dictionary"
        if answer.status != 200:
            return f"GET {path} answered {answer.status}"
        answers.append(answer)
    features, points, models = (objects(answer.document) for answer in answers)
    return Dictionary(
        MappingProxyType({str(row.get("name")): row for row in features}),
        MappingProxyType({str(row.get("id")): row for row in points}),
        _typical(models),
    )


def _typical(models: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, float]]:
    """The first model of a branch point that says it has the word."""
    found: dict[str, dict[str, float]] = {}
    for model in models:
        own = found.setdefault(str(model.get("branch_point")), {})
        typical = model.get("typical")
        for name, value in typical.items() if isinstance(typical, dict) else ():
            if isinstance(value, int | float):
                own.setdefault(str(name), float(value))
    return MappingProxyType(found)
