"""What the service asks of the registry about one model, and the one thing that it writes there.

Runs where MLflow runs: in the child process of `models.champions`. Whoever asks has judged a version by
what was told here; it is moved only while that is still what stands in the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.errors import ModelNotFound
from models.gate_record import RECORD_TAG
from models.registry import CHAMPION, Registry

MOVED_MEANWHILE = "the champion is another one by now; nothing was written, look again"
CHANGED_MEANWHILE = "the version's tags are others by now; nothing was written, look again"


def describe(registry: Registry, name: str) -> dict[str, Any]:
    """Every version of a model with its tags, the aliases, and the model's own tags.

    A model of which nothing is registered has no versions.
    """
    try:
        aliases, tags = registry.about(name)
    except ModelNotFound:
        return {"versions": [], "aliases": {}, "tags": {}}
    versions = [
        {"version": one.version, "digest": one.digest, "tags": dict(one.tags)}
        for one in registry.versions(name)
    ]
    return {"versions": versions, "aliases": aliases, "tags": tags}


def move(registry: Registry, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Write a move down and make it, unless something changed since it was decided.

    Parameters
    ----------
    asked : mapping
        `name`, `version`, its `digest` and `gate` record as they were judged, the champion `before`,
        and `key` and `text` of the move's tag.

    Returns
    -------
    dict
        `refused`: why nothing was written, or None.
    """
    name, version = asked["name"], asked["version"]
    found = registry.version(name, version)
    if (found.digest, found.tags.get(RECORD_TAG)) != (asked["digest"], asked["gate"]):
        return {"refused": CHANGED_MEANWHILE}
    aliases, _ = registry.about(name)
    if aliases.get(CHAMPION) != asked["before"]:
        return {"refused": MOVED_MEANWHILE}
    registry.tag_model(name, asked["key"], asked["text"])
    registry.set_alias(name, CHAMPION, version)
    return {"refused": None}
