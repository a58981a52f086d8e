"""What the answers of one episode say against each other. Pure.

A stay that two people share is the wrong patient in one of its answers: the gravest mistake that a record
can make, and one that no risk shows. A day of the stay that stands still while days go by is an old value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from models.vocabulary import Feature

Inputs = Mapping[str, Mapping[str, Any]]
Path = Sequence[tuple[Mapping[str, Any], Inputs]]
MOST_YEARS = 2.0
"""An episode is followed for a year after it; another for a year of age that is given in whole years."""
DECIDES_ALONE = "demographics"
FEWEST_OTHERS = 2
"""Of facts that are sometimes found out late or coded otherwise, one alone accuses nobody."""
DAYS_OF_STAY = ("hospital_day", "postoperative_day")
MOST_DAYS_ASTRAY = 1.0
"""The first day may be counted as 0 or as 1, and a day may begin at midnight or at the hour of admission."""
SECONDS_A_DAY = 86_400


class Contradicted(NamedTuple):
    """An answer of the episode that seems to be about somebody else.

    Attributes
    ----------
    assessment_id : str
    facts : tuple of str
        The lasting facts in which it differs.
    """

    assessment_id: str
    facts: tuple[str, ...]


class Astray(NamedTuple):
    """A day of the stay that did not go on as the days did."""

    feature: str
    since: str
    was: float
    now: float
    days: float


def contradicted(
    assessment_id: str, path: Path, features: Mapping[str, Feature]
) -> list[Contradicted]:
    """The answers of an episode that differ from one of them in what does not change in a person.

    Method
    ------
    Facts that the dictionary calls `lasting` are compared where both answers were told them. Sex, or an
    age more than two years off, suffices; of other facts two must differ. A disease may be found during a
    stay, and found to have spread, so that only one that is gone later counts.

    Parameters
    ----------
    assessment_id : str
        The answer that the others are compared with.
    path : sequence of (answer, inputs)
        The episode in time order.

    Examples
    --------
    >>> from models.vocabulary import load_vocabulary
    >>> def told(i, **facts):
    ...     return {"assessment_id": i}, {name: {"value": value} for name, value in facts.items()}
    >>> path = [told("1", sex="male", age=71), told("2", sex="female", age=72), told("3", age=72)]
    >>> contradicted("2", path, load_vocabulary().features)
    [Contradicted(assessment_id='1', facts=('sex',))]
    """
    lasting = [feature for feature in features.values() if feature.lasting]
    order = [told["assessment_id"] for told, _ in path]
    if assessment_id not in order:
        return []
    here = order.index(assessment_id)
    found = []
    for there, (told, _) in enumerate(path):
        if there == here:
            continue
        earlier, later = (path[i][1] for i in sorted((here, there)))
        differ = [one for one in lasting if _differs(one, earlier, later)]
        if any(one.group == DECIDES_ALONE for one in differ) or len(differ) >= FEWEST_OTHERS:
            facts = tuple(one.name for one in differ)
            found.append(Contradicted(told["assessment_id"], facts))
    return found


def _differs(feature: Feature, earlier: Inputs, later: Inputs) -> bool:
    if feature.name not in earlier or feature.name not in later:
        return False
    was, now = earlier[feature.name]["value"], later[feature.name]["value"]
    if feature.kind == "number":
        return bool(abs(now - was) > MOST_YEARS)
    if feature.kind == "flag":
        return bool(was and not now)
    if feature.ordered and {was, now} <= set(feature.categories):
        return feature.categories.index(now) < feature.categories.index(was)
    return bool(was != now)


def astray(assessment_id: str, path: Path, others: Sequence[Contradicted]) -> list[Astray]:
    """Days of the stay that differ from the last earlier answer's by other than the days in between.

    Parameters
    ----------
    others : sequence of Contradicted
        Answers about somebody else, which are not compared with.

    Examples
    --------
    >>> def told(i, day, stay):
    ...     return {"assessment_id": i, "index_time": f"2026-11-{day}T08:00:00Z"}, {"hospital_day": {"value": stay}}
    >>> astray("2", [told("1", "20", 3), told("2", "23", 3)], [])
    [Astray(feature='hospital_day', since='1', was=3, now=3, days=3.0)]
    >>> astray("2", [told("1", "20", 3), told("2", "23", 6)], [])
    []
    """
    strangers = {one.assessment_id for one in others}
    last: dict[str, tuple[str, datetime, float]] = {}
    for told, inputs in path:
        if told["assessment_id"] in strangers:
            continue
        at = datetime.fromisoformat(told["index_time"])
        known = {name: inputs[name]["value"] for name in DAYS_OF_STAY if name in inputs}
        if told["assessment_id"] == assessment_id:
            return [
                found
                for name, now in known.items()
                if name in last and (found := _astray(name, last[name], at, now)) is not None
            ]
        last |= {name: (told["assessment_id"], at, value) for name, value in known.items()}
    return []


def _astray(
    feature: str, last: tuple[str, datetime, float], at: datetime, now: float
) -> Astray | None:
    since, then, was = last
    days = (at - then).total_seconds() / SECONDS_A_DAY
    if abs(now - was - days) <= MOST_DAYS_ASTRAY:
        return None
    return Astray(feature, since, was, now, days)
