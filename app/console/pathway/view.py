"""What the map shows: arms that join, a card for every branch point. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from app.console.frame.site import Reader
from app.services.standing import OutcomeStanding
from models.vocabulary import BranchPoint, Vocabulary
from monitoring.ledger import Traffic

ARMS = Path(__file__).parent / "arms.toml"
SYNTHETIC = "synthetic"
MOST_BESIDE = 4
"""Cards in a row whose lines the style can draw; more are drawn as this many."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A branch point as one tenant sees it now.

    Attributes
    ----------
    traffic : Traffic or None
        Of the last day; None while nobody can count.
    """

    point: BranchPoint
    outcomes: Sequence[OutcomeStanding]
    silent: bool
    traffic: Traffic | None


def pathway_view(
    points: Sequence[Standing], vocabulary: Vocabulary, reader: Reader, *, counted: bool
) -> dict[str, Any]:
    """Everything that the map shows.

    Returns
    -------
    dict
        `arms`: each a name with its cards; `joined`: rows of cards after the arms, each with how many
        lines lead into it; `answered`: the cards of points with a model, and `others`: how many have
        none.
    """
    cards = {one.point.id: card(one, vocabulary, reader) for one in points}
    arms = []
    for name, members in arms_of_care().items():
        own = [cards[one.point.id] for one in points if one.point.id in members]
        if own:
            arms.append({"name": reader.texts(f"pathway.{name}"), "id": name, "cards": own})
    in_arms = {name for members in arms_of_care().values() for name in members}
    shared = sorted(
        (one for one in points if one.point.id not in in_arms),
        key=lambda one: (one.point.stage, one.point.id),
    )
    rows = [
        [cards[one.point.id] for one in row]
        for _, row in groupby(shared, key=lambda one: one.point.stage)
    ]
    widths = [min(MOST_BESIDE, n) for n in (len(arms), *(len(row) for row in rows))]
    joined = [
        {"from": before, "to": after, "cards": row}
        for (before, after), row in zip(pairwise(widths), rows, strict=True)
    ]
    return {
        "arms": arms,
        "joined": joined,
        "counted": counted,
        "synthetic": any(one["synthetic"] for one in cards.values()),
        "answered": [one for one in cards.values() if one["served"] != "0"],
        "others": sum(one["served"] == "0" for one in cards.values()),
        "may_try": reader.may("assess"),
    }


def card(standing: Standing, vocabulary: Vocabulary, reader: Reader) -> dict[str, Any]:
    """One branch point in short."""
    point, n = standing.point, reader.numbers
    outcomes = outcome_rows(standing, vocabulary, reader)
    return {
        "id": point.id,
        "title": getattr(point, f"title_{reader.language}"),
        "question": getattr(point, f"question_{reader.language}"),
        "hook": point.hook,
        "stage": n.plain(point.stage),
        "inputs": n.plain(len(point.features)),
        "required": n.plain(len(point.required)),
        "silent": standing.silent,
        "synthetic": any(one["synthetic"] for one in outcomes),
        "with_model": [one for one in outcomes if one["version"] or one["challenger"]],
        "without_model": [
            one["label"] for one in outcomes if not (one["version"] or one["challenger"])
        ],
        "served": n.plain(sum(one["version"] is not None for one in outcomes)),
        "outcomes": n.plain(len(outcomes)),
        "traffic": traffic_in_words(standing.traffic, reader),
    }


def outcome_rows(
    standing: Standing, vocabulary: Vocabulary, reader: Reader
) -> list[dict[str, Any]]:
    """Each outcome with the state of its champion and of its challenger."""
    return [
        {
            "outcome": one.outcome,
            "label": reader.words.label(vocabulary.outcomes[one.outcome]),
            "model": one.name,
            "version": None if one.served is None else one.served.version,
            "challenger": None if one.challenger is None else one.challenger["version"],
            "synthetic": one.served is not None and one.served.model.training_data == SYNTHETIC,
        }
        for one in standing.outcomes
    ]


def traffic_in_words(traffic: Traffic | None, reader: Reader) -> dict[str, str] | None:
    """Assessments of the last day, and how many no model answered."""
    if traffic is None:
        return None
    n = reader.numbers
    share = "" if not traffic.unanswered else n.percent(traffic.unanswered / traffic.assessed)
    return {
        "assessed": n.plain(traffic.assessed),
        "unanswered": n.plain(traffic.unanswered),
        "share": share,
    }


@cache
def arms_of_care() -> Mapping[str, tuple[str, ...]]:
    """The arms with their branch points, from `arms.toml`."""
    found = tomllib.loads(ARMS.read_text(encoding="utf-8"))
    return {name: tuple(members) for name, members in found.items()}
