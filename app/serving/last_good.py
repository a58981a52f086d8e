"""The last good champions, written down for a start before the registry has answered."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.serving.slot import ServedModel

INDEX = "champions.json"
REMEMBERED = ("name", "version", "digest")


class LastGood:
    """A list beside the cached bundles: which of them served last.

    Parameters
    ----------
    cache : Path
        The folder of the cached bundles.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._index = cache / INDEX

    def write(self, served: Iterable[ServedModel]) -> None:
        """Write the list anew, whole or not at all; other workers write the same."""
        good = [
            {
                "name": model.model.name,
                "version": model.version,
                "digest": model.digest,
                "gate": model.gate.text,
            }
            for model in served
        ]
        self._cache.mkdir(parents=True, exist_ok=True)
        partial = self._cache / f"{INDEX}.{uuid4().hex}.partial"
        partial.write_text(json.dumps(good))
        partial.replace(self._index)

    def read(self, only: Collection[str] | None = None) -> Sequence[Mapping[str, Any]]:
        """The list as the registry's process would name champions; empty when there is none."""
        try:
            found = json.loads(self._index.read_text())
            known = [{key: str(item[key]) for key in REMEMBERED} for item in found]
            records = [item.get("gate") for item in found]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return ()
        return [
            {**item, "gate": record, "path": str(self._cache / item["name"] / item["version"])}
            for item, record in zip(known, records, strict=True)
            if only is None or item["name"] in only
        ]
