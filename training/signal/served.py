"""The model whose reliance is reported: the registered champion where it fits the cohort."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from models.bundle import read_bundle
from models.registry import CHAMPION, Registry, location
from models.risk.risk_model import RiskModel
from training.cohort import Cohort

SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Served:
    """A model and where it comes from.

    Attributes
    ----------
    form : str
        How it predicts, in words.
    version : str or None
        Of the registered champion; None for one that was fitted for the report.
    """

    model: RiskModel
    form: str
    version: str | None = None


def champion(registry: Registry | None, cohort: Cohort, outcome: str) -> Served | None:
    """The champion of an outcome, if it was fitted on this cohort's source and its inputs are here.

    A champion of another source is left: nobody knows which of these rows it has seen.

    Raises
    ------
    BundleRefused
        When its files are not what was registered.
    RegistryUnreachable
        When MLflow does not answer.
    """
    if registry is None:
        return None
    name = f"{cohort.source.branch_point}.{outcome}"
    version = registry.aliases([name], CHAMPION).get(name)
    if version is None or not registry.version(name, version).digest:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        registry.download(name, version, path)
        bundle = read_bundle(path)
    card = bundle.document("card.json")
    model = bundle.model()
    same = card.get("cohort", {}).get("title") == cohort.source.title
    if not same or not set(model.features) <= set(cohort.features):
        return None
    return Served(model, str(card.get("model", {}).get("form", "")), version)


def registry_of(var: Path) -> Registry | None:
    """The registry, if there is one: a report makes none."""
    tracking, _, _ = location(var)
    local = tracking.startswith(SQLITE)
    if local and not Path(tracking.removeprefix(SQLITE)).is_file():
        return None
    return Registry.at(var)
