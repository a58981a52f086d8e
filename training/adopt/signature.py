"""What a foreign model says of itself: which question it answers, and what it reads."""

from __future__ import annotations

from models.registry import ForeignModel
from models.vocabulary import BranchPoint, Feature, Outcome, Vocabulary
from training.errors import AdoptionRefused

NUMBERS = {"double", "float", "integer", "long", "Any"}
TYPES = {"number": NUMBERS, "flag": NUMBERS | {"boolean"}, "category": {"string", "Any"}}


def place_of(
    foreign: ForeignModel, vocabulary: Vocabulary, branch_point: str | None, outcome: str | None
) -> tuple[BranchPoint, Outcome]:
    """Branch point and outcome: as given, else by the model's tags.

    Raises
    ------
    AdoptionRefused
        When there is none, or the branch point does not declare the outcome.
    """
    named = {
        "branch_point": branch_point or foreign.tags.get("branch_point"),
        "outcome": outcome or foreign.tags.get("outcome"),
    }
    for tag, value in named.items():
        if value is None:
            raise AdoptionRefused(
                f"has no tag `{tag}`; set it in MLflow or give --{tag.replace('_', '-')}"
            )
    point = vocabulary.branch_points.get(str(named["branch_point"]))
    if point is None:
        raise AdoptionRefused(
            f"no branch point `{named['branch_point']}`; known: {', '.join(vocabulary.branch_points)}"
        )
    if named["outcome"] not in point.outcomes:
        raise AdoptionRefused(
            f"`{point.id}` has no outcome `{named['outcome']}`; it has {', '.join(point.outcomes)}"
        )
    return point, vocabulary.outcomes[str(named["outcome"])]


def features_of(
    foreign: ForeignModel, point: BranchPoint, vocabulary: Vocabulary
) -> tuple[Feature, ...]:
    """The dictionary's rows of a model's columns, in its order.

    Raises
    ------
    AdoptionRefused
        Naming the column that is no feature, is not known yet, or is of another type.
    """
    if not foreign.columns:
        raise AdoptionRefused("has no signature with named columns; log it with a signature")
    found = []
    for name, kind in foreign.columns.items():
        feature = vocabulary.features.get(name)
        if feature is None:
            raise AdoptionRefused(f"reads `{name}`, which is no feature of the dictionary")
        if not vocabulary.can_be_known(name, point.id):
            raise AdoptionRefused(
                f"reads `{name}`, which is not known at `{point.id}`: not before "
                f"`{feature.earliest}`"
            )
        if name not in point.features:
            raise AdoptionRefused(f"reads `{name}`, which is no input of `{point.id}`")
        if kind not in TYPES[feature.kind]:
            raise AdoptionRefused(
                f"reads `{name}` as {kind}, and it is a {feature.kind}"
                + (f" of {', '.join(feature.categories)}" if feature.categories else "")
            )
        found.append(feature)
    return tuple(found)
