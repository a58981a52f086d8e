"""A registered model by the name that people write: NAME, NAME@alias or NAME/VERSION."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.bundle import Bundle, prove, read_bundle
from models.errors import ModelNotFound
from models.registry import CHAMPION, Registry, Version
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from training.cohort import Cohort
from training.errors import NotTransportable

SITE_TITLE = "title"


@dataclass(frozen=True, slots=True)
class Registered:
    """A version that was proven, with what stands beside it."""

    version: Version
    bundle: Bundle
    model: RiskModel
    card: Mapping[str, Any]
    reference: Mapping[str, Any]
    evaluation: Mapping[str, Any]

    @property
    def trees_text(self) -> str | None:
        """LightGBM's text; None without trees."""
        trees = self.bundle.files.get("trees.txt")
        return None if trees is None else trees.decode()

    @property
    def cohorts(self) -> set[str]:
        """Titles of the cohorts that it was fitted or recalibrated on."""
        own = (self.card.get("cohort"), *self.card.get("sites", []))
        return {str(part[SITE_TITLE]) for part in own if part and SITE_TITLE in part}


def split_reference(reference: str) -> tuple[str, str | None, str | None]:
    """Name, alias and version number of a reference.

    Examples
    --------
    >>> split_reference("icu-review.death_180d@challenger")
    ('icu-review.death_180d', 'challenger', None)
    >>> split_reference("icu-review.death_180d/3")
    ('icu-review.death_180d', None, '3')
    >>> split_reference("icu-review.death_180d")
    ('icu-review.death_180d', 'champion', None)
    """
    name, slash, version = reference.partition("/")
    if slash:
        return name, None, version
    name, _, alias = reference.partition("@")
    return name, alias or CHAMPION, None


def find(registry: Registry, reference: str, vocabulary: Vocabulary) -> Registered:
    """Fetch and prove a registered version.

    Raises
    ------
    ModelNotFound
        When there is no such model, alias or version.
    BundleRefused
        When it cannot be proven.
    """
    name, alias, number = split_reference(reference)
    if alias is not None:
        number = registry.aliases([name], alias).get(name)
        if number is None:
            raise ModelNotFound(f"no version of {name} has the alias `{alias}`")
    assert number is not None  # noqa: S101 - a reference has an alias or a number
    version = registry.version(name, number)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        registry.download(name, number, path)
        bundle = read_bundle(path, version.digest)
    model = prove(bundle, name, vocabulary)
    return Registered(
        version,
        bundle,
        model,
        bundle.document("card.json"),
        bundle.document("reference.json"),
        bundle.document("evaluation.json"),
    )


def refuse_unfit(registered: Registered, cohort: Cohort) -> None:
    """Refuse a cohort that lacks the outcome, or an input that the model requires.

    Raises
    ------
    NotTransportable
        Naming what is missing.
    """
    model = registered.model
    if model.outcome not in cohort.labels:
        raise NotTransportable(
            f"{cohort.source.title} has no `{model.outcome}`; it has {', '.join(cohort.labels)}"
        )
    if lacking := set(model.required) - set(cohort.features):
        raise NotTransportable(
            f"{cohort.source.title} lacks inputs that {model.name} requires: "
            f"{', '.join(sorted(lacking))}"
        )


def is_own(registered: Registered, cohort: Cohort) -> bool:
    """Whether the model was fitted on a cohort of this title, so that its rows may be known to it."""
    return cohort.source.title in registered.cohorts
