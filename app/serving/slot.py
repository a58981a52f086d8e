"""The models that answer now: an immutable set, replaced as a whole by one assignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.bundle import Bundle, prove
from models.errors import BundleRefused
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A proven model with the registry's words for it."""

    model: RiskModel
    version: str
    alias: str
    digest: str
    card: Mapping[str, Any]
    card_markdown: str
    evaluation: Mapping[str, Any]

    def reference(self) -> dict[str, str]:
        """How an answer names the model that gave it."""
        return {
            "name": self.model.name,
            "version": self.version,
            "alias": self.alias,
            "digest": self.digest,
            "training_data": self.model.training_data,
        }


def load_served_model(
    bundle: Bundle, name: str, version: str, alias: str, vocabulary: Vocabulary
) -> ServedModel:
    """Prove a bundle and make it servable.

    Raises
    ------
    BundleRefused
        Naming what does not hold.
    """
    card = bundle.document("card.json")
    if not isinstance(card.get("cohort"), dict):
        raise BundleRefused("card.json does not say which cohort the model was fitted on")
    return ServedModel(
        model=prove(bundle, name, vocabulary),
        version=version,
        alias=alias,
        digest=bundle.digest,
        card=MappingProxyType(card),
        card_markdown=bundle.files["card.md"].decode("utf-8"),
        evaluation=MappingProxyType(bundle.document("evaluation.json")),
    )


class Slot:
    """Holds the served models; readers take the mapping once and keep it for the whole request."""

    def __init__(self) -> None:
        self._models: Mapping[str, ServedModel] = MappingProxyType({})

    @property
    def models(self) -> Mapping[str, ServedModel]:
        return self._models

    def replace(self, models: Mapping[str, ServedModel]) -> None:
        """Serve these from the next request on."""
        self._models = MappingProxyType(dict(models))
