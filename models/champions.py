"""`python -m models.champions CACHE TRACKING_URI REGISTRY_URI`: brings champions here for a service.

The service runs this as a child, so that MLflow is never in the process that answers patients. It
copies what has the alias into a local cache and says what it found, one JSON object for every time it
is asked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.alias_desk import describe, move
from models.errors import BundleRefused, ModelNotFound, RegistryUnreachable
from models.gate_record import RECORD_TAG
from models.model_cache import Cache
from models.registry import CHALLENGER, CHAMPION, Registry, Version, load_mlflow


@dataclass(frozen=True, slots=True)
class Cached:
    """A champion in the local cache, or why it is not there; `gate` is its record's text."""

    name: str
    version: str
    digest: str | None
    path: str | None
    refused: str | None = None
    gate: str | None = None


def sync(
    registry: Registry, names: Sequence[str], cache: Cache, alias: str = CHAMPION
) -> list[Cached]:
    """Bring whoever has the alias into the cache; what cannot be brought is named with its reason."""
    return [_kept(registry, version, cache) for version in registry.aliased(names, alias)]


def _kept(registry: Registry, version: Version, cache: Cache) -> Cached:
    """One version that cannot be brought hides no other."""
    path = refused = None
    try:
        path = str(cache.bring(registry, version))
    except (BundleRefused, ModelNotFound, RegistryUnreachable) as error:
        refused = str(error)
    except OSError as error:
        refused = f"cannot be kept in the model cache ({error.strerror})"
    gate = version.tags.get(RECORD_TAG)
    return Cached(version.name, version.version, version.digest, path, refused, gate)


def main(arguments: Sequence[str]) -> int:
    """Answer every line of standard input.

    A line in is `{"names": […], "alias": …}`, a line out is `{"versions": […], "challenging": […]}`
    (the second: which of the models have a challenger) or `{"error": …}`; before the first of them,
    `{"ready": true}` says that MLflow is loaded. With `"desk"` in it, a line asks what `models.alias_desk`
    answers ("describe", "move"), or for one version's bundle ("bring").
    The end of standard input ends the process, so it never outlives the service that asked.
    """
    cache, tracking_uri, registry_uri = arguments
    registry: Registry | None = None
    kept: Cache | None = None
    load_mlflow()
    _say({"ready": True})
    for line in sys.stdin:
        try:
            registry = registry or Registry(tracking_uri, registry_uri)
            kept = kept or Cache(Path(cache))
            asked = json.loads(line)
            answer = _answer(asked, registry, kept)
        except (RegistryUnreachable, ModelNotFound) as error:
            answer = {"error": str(error)}
            registry = None  # whatever it held open is no good any more
        except OSError as error:
            answer = {"error": f"the model cache cannot be used ({error.strerror})"}
        _say(answer)
    return 0


def _answer(asked: Mapping[str, Any], registry: Registry, kept: Cache) -> dict[str, Any]:
    match asked.get("desk"):
        case "describe":
            return describe(registry, asked["name"])
        case "bring":
            version = registry.version(asked["name"], asked["version"])
            return asdict(_kept(registry, version, kept))
        case "move":
            return move(registry, asked)
    versions, challenging = registry.holders(asked["names"], asked["alias"], CHALLENGER)
    found = [_kept(registry, version, kept) for version in versions]
    return {"versions": [asdict(one) for one in found], "challenging": challenging}


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
