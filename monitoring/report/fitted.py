"""What models were fitted on: the reference profiles of the bundles that a service has kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.bundle import Bundle, read_bundle
from models.errors import ModelsError
from monitoring.counting.profile import ModelProfile, ProfileInvalid, profile_of

CACHE = "model-cache"


class NoModels(Exception):
    """Nowhere is said what any model was fitted on."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The profiles of all versions that are at hand.

    Attributes
    ----------
    unreadable : tuple of (str, str)
        Name/version of bundles that cannot be used, and why.
    """

    profiles: tuple[ModelProfile, ...]
    unreadable: tuple[tuple[str, str], ...]


def cached_profiles(var: Path) -> Fitted:
    """Read every bundle in `VAR/model-cache/<name>/<version>/`, later versions last.

    Of versions with one digest, which are the same model, the last is told.

    Raises
    ------
    NoModels
        When there is no such folder, or no usable bundle in it.
    """
    cache = var / CACHE
    if not cache.is_dir():
        raise NoModels(
            f"no {CACHE} in {var}, expected the bundles of the models that were served: give the "
            "service's folder as --var"
        )
    folders = [
        path for path in cache.glob("*/*") if path.is_dir() and not path.name.startswith(".")
    ]
    found: dict[str, ModelProfile] = {}
    unreadable = []
    for folder in sorted(folders, key=_place):
        name, version = folder.parent.name, folder.name
        try:
            found_here = _profile(read_bundle(folder), name, version)
        except (ModelsError, ProfileInvalid) as error:
            unreadable.append((f"{name}/{version}", str(error)))
            continue
        found[found_here.digest] = found_here
    if not found:
        why = f", {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
        raise NoModels(
            f"no usable bundle in {cache}{why}: start the service once, it brings its models there"
        )
    return Fitted(tuple(found.values()), tuple(unreadable))


def _profile(bundle: Bundle, name: str, version: str) -> ModelProfile:
    model = bundle.model()
    if model.name != name:
        raise ProfileInvalid(f"it holds {model.name}")
    return profile_of(
        model, bundle.document("reference.json"), version=version, digest=bundle.digest
    )


def _place(folder: Path) -> tuple[str, int, str]:
    """By name; versions are numbers where MLflow gave them."""
    version = folder.name
    return folder.parent.name, int(version) if version.isdecimal() else 0, version
