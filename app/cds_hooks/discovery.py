"""The discovery document: one service for each branch point, on the hook that its file names.

References
----------
CDS Hooks 2.0, section Discovery.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.cds_hooks.hooks import Hook, Hooks
from app.cds_hooks.prefetch import templates
from models.errors import ContentInvalid
from models.vocabulary import BranchPoint, Vocabulary

USAGE = (
    "Answers from prefetch alone, from the FHIR server alone when it is agreed upon, or from both. "
    "A prefetch key that comes neither way counts as not measured; when a required input is among "
    "it, the answer is 412 and names the key. Required: {required}."
)
CONTEXT = " The hook is our own: {when} Its context holds {fields}."


@dataclass(frozen=True, slots=True)
class CdsService:
    """One service: a branch point, its hook, and what it would like to be sent."""

    point: BranchPoint
    hook: Hook
    prefetch: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """As discovery lists it."""
        point = self.point
        return {
            "hook": self.hook.name,
            "title": f"{point.title_en} / {point.title_sv}",
            "description": f"{point.question_en} / {point.question_sv}",
            "id": point.id,
            "prefetch": dict(self.prefetch),
            "usageRequirements": self._usage(),
        }

    def _usage(self) -> str:
        text = USAGE.format(required=", ".join(self.point.required))
        if "." in self.hook.name:
            fields = ", ".join(
                f"`{field.field}` ({'required' if field.required else 'optional'}; {field.meaning})"
                for field in self.hook.context
            )
            text += CONTEXT.format(when=self.hook.when, fields=fields)
        return text


def services(
    vocabulary: Vocabulary,
    hooks: Hooks,
    recorded: Mapping[str, Collection[str]],
    answered: Mapping[str, Collection[str]],
) -> Mapping[str, CdsService]:
    """Every service by its id, in the order of the pathway; what can be told as in `templates`.

    Raises
    ------
    ContentInvalid
        When a branch point names a hook that is neither declared nor in reverse-domain form, or its
        templates break a rule.
    """
    found = {}
    for point in sorted(vocabulary.branch_points.values(), key=lambda point: point.stage):
        hook = hooks.get(point.hook)
        if hook is None:
            raise ContentInvalid(
                f"{point.id}.toml",
                "file",
                "`hook` must be one of app/cds_hooks/hooks.toml, or a name of the site's own such "
                "as `se.example.trauma-alert`",
            )
        asked = templates(point, hook, vocabulary, recorded, answered)
        found[point.id] = CdsService(point, hook, asked)
    return MappingProxyType(found)


def discovery(found: Iterable[CdsService], allowed: Collection[str] | None) -> dict[str, Any]:
    """The document; only what the caller may ask at when `allowed` names branch points."""
    return {
        "services": [
            service.document()
            for service in found
            if allowed is None or service.point.id in allowed
        ]
    }
