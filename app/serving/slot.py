"""The models that answer now: an immutable set, replaced as a whole by one assignment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from models.answering_time import is_slower_than
from models.bundle import Bundle, prove
from models.errors import BundleRefused
from models.gate_record import UNJUDGED, Standing
from models.risk.assessment import Abstained, Answered
from models.risk.panel import Panel
from models.risk.risk_model import RiskModel
from models.vocabulary import BranchPoint, Vocabulary
from monitoring.counting.panel_counter import Asked, PanelCounter
from monitoring.counting.profile import ModelProfile, ProfileInvalid, profile_of

PANELS_KEPT = 256
"""Choices of outcomes at branch points: a client asks for the same few again and again."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A proven model with the registry's words for it.

    Attributes
    ----------
    fitted_on : mapping
        The reference profile of its bundle.
    reference : dict
        How an answer names the model that gave it; the same object in all of them.
    profile : ModelProfile
        The bins in which its answers are counted.

    Raises
    ------
    ProfileInvalid
        When the reference profile contradicts itself or the model.
    """

    model: RiskModel
    version: str
    alias: str
    digest: str
    card: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    fitted_on: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reference: dict[str, str] = field(init=False)
    profile: ModelProfile = field(init=False, repr=False)
    gate: Standing = UNJUDGED

    def __post_init__(self) -> None:
        profile = profile_of(self.model, self.fitted_on, version=self.version, digest=self.digest)
        object.__setattr__(self, "profile", profile)
        reference = {
            "name": self.model.name,
            "version": self.version,
            "alias": self.alias,
            "digest": self.digest,
            "training_data": self.model.training_data,
        }
        object.__setattr__(self, "reference", reference)


def load_served_model(
    bundle: Bundle,
    name: str,
    version: str,
    alias: str,
    vocabulary: Vocabulary,
    *,
    gate: Standing = UNJUDGED,
    answer_budget_s: float | None = None,
) -> ServedModel:
    """Prove a bundle and make it servable.

    Parameters
    ----------
    gate : Standing
        What its gate record says, from `models.gate_record.admission`.
    answer_budget_s : float, optional
        Processor time that its median answer to its own examples may take.

    Raises
    ------
    BundleRefused
        Naming what does not hold.
    """
    card = bundle.document("card.json")
    if not isinstance(card.get("cohort"), dict):
        raise BundleRefused("card.json does not say which cohort the model was fitted on")
    model = prove(bundle, name, vocabulary)
    if answer_budget_s is not None:
        examples = [example["values"] for example in bundle.document("example.json")["examples"]]
        if is_slower_than(model, examples, answer_budget_s):
            raise BundleRefused(
                f"its median answer takes more than {1000 * answer_budget_s:g} ms of processor time"
            )
    try:
        return ServedModel(
            model=model,
            version=version,
            alias=alias,
            digest=bundle.digest,
            card=MappingProxyType(card),
            evaluation=MappingProxyType(bundle.document("evaluation.json")),
            fitted_on=bundle.document("reference.json"),
            gate=gate,
        )
    except ProfileInvalid as error:
        raise BundleRefused(f"reference.json: {error}") from error


class ServedPanel:
    """What is asked at a branch point, and the models that answer it together.

    Parameters
    ----------
    outcomes : tuple of str
        In the order in which they are answered.
    models : mapping
        Registered-model name to what serves it.

    Attributes
    ----------
    served : tuple of (str, ServedModel or None)
        Every outcome with its model.
    used : tuple of str
        Every input of any of the models, in the branch point's order.
    counters : tuple of PanelCounter
        One for all models, or one for each where only some of the branch point's outcomes are asked
        for: clients choose those, and every choice would have numbers of its own.
    """

    def __init__(
        self, point: BranchPoint, outcomes: tuple[str, ...], models: Mapping[str, ServedModel]
    ) -> None:
        self.served = tuple((name, models.get(f"{point.id}.{name}")) for name in outcomes)
        asked = [served for _, served in self.served if served is not None]
        self._panel = Panel([served.model for served in asked])
        profiles = [served.profile for served in asked]
        together = set(outcomes) >= set(point.outcomes)
        apart = [profiles] if together and profiles else [[profile] for profile in profiles]
        self.counters = tuple(PanelCounter(some) for some in apart)
        self.used = tuple(name for name in point.features if name in self._panel.features)

    def assess(self, values: Mapping[str, float]) -> list[Answered | Abstained]:
        """What every model says, in the order of their outcomes."""
        return self._panel.assess(values)

    def to_count(
        self,
        values: Mapping[str, float],
        said: Sequence[Answered | Abstained],
        implausible: Collection[str],
    ) -> list[tuple[PanelCounter, Asked]]:
        """What its counters have to count of an answer."""
        if len(self.counters) == 1:
            return [(self.counters[0], Asked(values, said, implausible))]
        return [
            (counter, Asked(values, (one,), implausible))
            for counter, one in zip(self.counters, said, strict=True)
        ]

    def never_seen(self, values: Mapping[str, float]) -> set[str]:
        """Inputs whose category no fitting patient of some model had."""
        return self._panel.never_seen(values)


class Slot:
    """Holds the served models; a request takes its panel once and keeps it to its end."""

    def __init__(self) -> None:
        self.replace({})

    @property
    def models(self) -> Mapping[str, ServedModel]:
        return self._held[0]

    def panel(self, point: BranchPoint, outcomes: tuple[str, ...] = ()) -> ServedPanel:
        """The models that answer at a branch point now.

        Parameters
        ----------
        outcomes : tuple of str
            Answer only these; all that the branch point declares when left out.
        """
        models, panels = self._held
        key = point.id, outcomes
        found = panels.get(key)
        if found is None:
            if len(panels) >= PANELS_KEPT:
                del panels[next(iter(panels))]
            found = panels[key] = ServedPanel(point, outcomes or tuple(point.outcomes), models)
        return found

    def replace(self, models: Mapping[str, ServedModel]) -> None:
        """Serve these from the next request on."""
        panels: dict[tuple[str, tuple[str, ...]], ServedPanel] = {}
        self._held = MappingProxyType(dict(models)), panels
