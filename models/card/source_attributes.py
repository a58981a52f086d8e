"""The 31 source attributes of HTI-1 for one model: filled from its card, or not stated.

Nothing is made up here: an attribute is what the card says under the attribute's own id
(`"source_attributes": {"funding": "…"}` in `card.json`, for what only people know), else what follows
from the rest of the card, else what the product does for every model, else nothing.

References
----------
45 CFR 170.315(b)(11)(iv)(B); Health Data, Technology, and Interoperability (HTI-1) final rule, 89 FR
1192, 9 January 2024.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from models.card.figures import headline, subgroups
from models.card.said import SIMULATED, number, part, text, texts

CONTENT = Path(__file__).parent / "source_attributes.toml"
REGULATION = "45 CFR 170.315(b)(11)(iv)(B)"


@dataclass(frozen=True, slots=True)
class SourceAttribute:
    """One thing that a reader may ask of a model.

    Attributes
    ----------
    group, text : str
        The regulation's words.
    place : str
        Below 45 CFR 170.315(b)(11)(iv)(B).
    answer : str or None
        None: nobody has said it.
    """

    id: str
    group: str
    place: str
    text: str
    answer: str | None


def source_attributes(card: Mapping[str, Any]) -> tuple[SourceAttribute, ...]:
    """Every attribute with its answer, in the regulation's order.

    Examples
    --------
    >>> found = source_attributes({"decision_support_only": True})
    >>> len(found), [one.place for one in found if one.answer]
    (31, ['(2)(iv)', '(8)(i)', '(9)(i)'])
    """
    return tuple(
        SourceAttribute(
            row["id"], group["title"], row["place"], row["text"], _answer(row, card)
        )
        for group in _content()["group"]
        for row in group["attribute"]
    )  # fmt: skip


@cache
def _content() -> dict[str, Any]:
    with CONTENT.open("rb") as file:
        return tomllib.load(file)


def _answer(row: Mapping[str, str], card: Mapping[str, Any]) -> str | None:
    own = text(card, "source_attributes", row["id"])
    if own is not None:
        return own
    follows = FOLLOWS.get(row["id"])
    return (None if follows is None else follows(card)) or row.get("product")


def _output(card: Mapping[str, Any]) -> str | None:
    outcome, definition = text(card, "outcome"), text(card, "definition")
    if outcome is None or definition is None:
        return None
    what = "A number" if _is_numeric(card) else "A probability between 0 and 1"
    return f"{what}, with an interval and the contribution of every input: {outcome}. {definition}"


def _output_type(card: Mapping[str, Any]) -> str | None:
    if text(card, "evaluation", "kind") is None:
        return None
    return "Prediction" + (" of a number" if _is_numeric(card) else " of a probability")


def _population(card: Mapping[str, Any]) -> str | None:
    point = text(card, "branch_point")
    if point is None or text(card, "intended_purpose") is None:
        return None
    return f"Patients at the branch point {point}, as the intended use in (2)(i) limits them."


def _role(card: Mapping[str, Any]) -> str | None:
    if card.get("decision_support_only") is not True:
        return None
    return "Informs: decision support only; it never decides, and it replaces nobody's judgement."


def _limits(card: Mapping[str, Any]) -> str | None:
    abstains = [f"It gives no number {when}." for when in texts(card, "abstains")]
    return " ".join([*texts(card, "limits"), *abstains]) or None


def _personal_inputs(card: Mapping[str, Any]) -> str | None:
    inputs = texts(card, "model", "inputs")
    if not inputs:
        return None
    used, unused = [], []
    for variable in _content()["variable"]:
        features = [name for name in variable["features"] if name in inputs]
        if features:
            used.append(f"{variable['name']} (as {', '.join(features)})")
        else:
            unused.append(variable["name"])
    return f"Used: {', '.join(used) or 'none'}. Not used: {', '.join(unused) or 'none'}."


def _representativeness(card: Mapping[str, Any]) -> str | None:
    told: dict[str, list[str]] = {}
    for group in subgroups(part(card, "evaluation")):
        n = "withheld" if group.n is None else str(group.n)
        told.setdefault(group.grouping.replace("_", " "), []).append(f"{group.label} {n}")
    if not told:
        return None
    lines = [f"{grouping}: {', '.join(counts)}" for grouping, counts in told.items()]
    return f"Held-out rows by {'; by '.join(lines)}."


def _relevance(card: Mapping[str, Any]) -> str | None:
    title = text(card, "cohort", "title")
    if text(card, "training_data") == "synthetic":
        return SIMULATED
    if title is None:
        return None
    return f"{title}. Whether it is relevant where it is used is for local validation to show."


def _fairness_approach(card: Mapping[str, Any]) -> str | None:
    groupings = list(part(card, "evaluation", "subgroups"))
    if not groupings:
        return None
    names = ", ".join(name.replace("_", " ") for name in groupings)
    return (
        f"Figures on held-out rows are reported for each group by {names}, with intervals; groups "
        "under five are withheld. That is a report, not a correction."
    )


def _internal_validity(card: Mapping[str, Any]) -> str | None:
    evaluation = part(card, "evaluation")
    figures = headline(evaluation)
    if not figures:
        return None
    rows = number(evaluation, "rows")
    on = "" if rows is None else f"On {int(rows)} held-out rows: "
    return on + "; ".join(map(str, figures)) + "."


def _internal_fairness(card: Mapping[str, Any]) -> str | None:
    told = [
        f"{group.name}: {group.figure}"
        + (f", {group.observed_expected}" if group.observed_expected else "")
        for group in subgroups(part(card, "evaluation"))
        if group.figure
    ]
    return "; ".join(told) + "." if told else None


def _is_numeric(card: Mapping[str, Any]) -> bool:
    return text(card, "evaluation", "kind") == "numeric"


FOLLOWS: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "output": _output,
    "output_type": _output_type,
    "intended_use": lambda card: text(card, "intended_purpose"),
    "population": _population,
    "users": lambda card: text(card, "intended_users"),
    "role": _role,
    "cautions": lambda card: (
        "; ".join(texts(card, "must_not_be_used_for")).join(("Not for: ", "."))
        if texts(card, "must_not_be_used_for")
        else None
    ),
    "limits": _limits,
    "personal_inputs": _personal_inputs,
    "representativeness": _representativeness,
    "relevance": _relevance,
    "fairness_approach": _fairness_approach,
    "internal_validity": _internal_validity,
    "internal_fairness": _internal_fairness,
}
