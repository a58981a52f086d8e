"""The words of the product: features, outcomes and branch points, checked when they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.errors import ContentInvalid
from models.vocabulary.branch_points import (
    BranchPoint,
    load_branch_points,
    refuse_early_features,
)
from models.vocabulary.features import YEARS, Feature, load_features
from models.vocabulary.intake import Intake, reason_here, settle
from models.vocabulary.measurement import IMPLAUSIBLE, Measurement, set_aside_reason, take
from models.vocabulary.outcomes import Outcome, load_outcomes
from models.vocabulary.stored import restored

__all__ = [
    "IMPLAUSIBLE",
    "YEARS",
    "BranchPoint",
    "Feature",
    "Intake",
    "Measurement",
    "Outcome",
    "Vocabulary",
    "load_vocabulary",
    "reason_here",
    "restored",
    "set_aside_reason",
    "settle",
    "take",
]

OWN_CONTENT = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything that is declared, by name."""

    features: Mapping[str, Feature]
    outcomes: Mapping[str, Outcome]
    branch_points: Mapping[str, BranchPoint]

    def model_names(self) -> list[str]:
        """Every registered-model name that could exist: `<branch-point>.<outcome>`."""
        return [f"{p.id}.{outcome}" for p in self.branch_points.values() for outcome in p.outcomes]

    def can_be_known(self, feature: str, branch_point: str) -> bool:
        """Whether a feature's earliest branch point is no later than this one."""
        earliest = self.branch_points[self.features[feature].earliest]
        return earliest.stage <= self.branch_points[branch_point].stage


def load_vocabulary(site: Path | None = None) -> Vocabulary:
    """Load the product's content and, on top, a site's own folder of the same layout.

    Parameters
    ----------
    site : Path, optional
        Folder that may hold `features.toml`, `outcomes.toml` and `branch_points/*.toml` with
        further rows. A site adds; it cannot redefine a name of the product.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    if site is not None and not site.is_dir():
        raise ContentInvalid(str(site), "folder", "a site's content must be a folder")
    features = load_features(OWN_CONTENT / "features.toml")
    outcomes = load_outcomes(OWN_CONTENT / "outcomes.toml")
    if site is not None and (site / "features.toml").exists():
        own_features = load_features(site / "features.toml", beside=features)
        _add(features, own_features, "features.toml", "feature")
    if site is not None and (site / "outcomes.toml").exists():
        _add(outcomes, load_outcomes(site / "outcomes.toml"), "outcomes.toml", "outcome")
    points = load_branch_points(OWN_CONTENT / "branch_points", features, outcomes)
    if site is not None:
        own = load_branch_points(site / "branch_points", features, outcomes)
        _add(points, own, "branch_points", "branch point")
    refuse_early_features(points, features, "features.toml")
    return Vocabulary(
        MappingProxyType(features), MappingProxyType(outcomes), MappingProxyType(points)
    )


def _add(to: dict[str, Any], more: Mapping[str, Any], file: str, kind: str) -> None:
    for name, value in more.items():
        if name in to:
            raise ContentInvalid(file, f"{kind} `{name}`", "the product declares it already")
        to[name] = value
