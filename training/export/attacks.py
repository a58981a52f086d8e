"""An export proves itself by attack: what an outsider would try on the written sheet, and how it ends.

The attacks read the sheet as text, as whoever gets hold of it would, and know besides what outsiders
know: the exact quasi-identifiers of every patient in the source. They share no code with what made
the sheet safe, apart from the ladders' declaration.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.tripwire import find_identifiers
from training.export.export import Export
from training.export.rules import Rules

Floats = NDArray[np.float64]
BLOCK = 512
# An order that tells nothing still correlates by chance: beyond five standard errors it does not.
STANDARD_ERRORS = 5.0


@dataclass(frozen=True, slots=True)
class Attack:
    """One attempt.

    Attributes
    ----------
    name : str
    tried : str
        What was tried, in words for people who do not program.
    blocked : bool
    found : str
        What came of it; never a patient's value.
    accepted : bool
        An attack that no export of single patients can block, and that is told instead.
    """

    name: str
    tried: str
    blocked: bool
    found: str
    accepted: bool = False

    @property
    def verdict(self) -> str:
        return "BLOCKED" if self.blocked else "ALLOWED"


def attack(export: Export, rules: Rules) -> tuple[Attack, ...]:
    """Try everything on the sheet."""
    head, *body = export.lines()
    return (
        look_for_identifiers([head, *body]),
        look_for_strange_columns(head, export),
        follow_the_order(export),
        look_for_the_oldest(head, body, export),
        single_out(head, body, export, rules),
        link_by_nearest(head, body, export, rules),
        infer_outcomes(head, body, export, rules),
        single_out_by_the_record(body),
    )


def look_for_identifiers(lines: Sequence[Sequence[str]]) -> Attack:
    """Read every cell, and every line as a whole, as the tripwire reads it."""
    kinds: Counter[str] = Counter()
    for text in {cell for line in lines for cell in line}:
        kinds.update(finding.kind for finding in find_identifiers(text))
    told = ", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items()))
    return Attack(
        "identifiers",
        "Look in every cell for personal, coordination and reserve numbers, telephone numbers "
        "and e-mail addresses, in any spelling.",
        not kinds,
        told or "none in any cell",
    )


def look_for_strange_columns(head: Sequence[str], export: Export) -> Attack:
    """Look for a column that is neither row number, dictionary feature nor outcome."""
    known = {"row", *(f.name for f in export.features), *(o.name for o in export.outcomes)}
    strange = set(head) - known
    return Attack(
        "columns",
        "Look for a column beyond the declared measurements and outcomes: a name, a date, a unit.",
        not strange and len(head) == len(set(head)),
        f"{len(strange)} beyond the declared ones, of {len(head)}",
    )


def follow_the_order(export: Export) -> Attack:
    """Guess a row's place in the source from its number here."""
    n = len(export.numbers)
    place = np.asarray(export.arrival, dtype=np.float64)
    moved = n > 2 and place.std() > 0
    correlation = abs(float(np.corrcoef(np.arange(n), place)[0, 1])) if moved else 0.0
    return Attack(
        "row order",
        "Guess a row's place in the source from its place here.",
        correlation <= STANDARD_ERRORS / np.sqrt(max(n, 1)),
        f"correlation {correlation:.3f}; the source's row numbers are not in the file",
    )


def look_for_the_oldest(
    head: Sequence[str], body: Sequence[Sequence[str]], export: Export
) -> Attack:
    """Look for a value above a feature's top code."""
    beyond = 0
    for feature in export.features:
        if feature.top_code is not None:
            column = head.index(feature.name)
            beyond += sum(bool(line[column]) and float(line[column]) > feature.top_code
                          for line in body)  # fmt: skip
    return Attack(
        "oldest patients",
        "Look for an age above 90: few reach it, and neighbours know who.",
        beyond == 0,
        f"{beyond} rows",
    )


def single_out(
    head: Sequence[str], body: Sequence[Sequence[str]], export: Export, rules: Rules
) -> Attack:
    """Count who shares all quasi-identifiers with fewer than k - 1 others, on the text itself."""
    classes = _classes(head, body, export)
    smallest = min((len(members) for members in classes.values()), default=0)
    return Attack(
        "singling out",
        f"Look for a patient who shares {_names(export)} with fewer than {rules.k - 1} others.",
        smallest >= rules.k,
        f"the smallest group of look-alikes has {smallest} patients",
    )


def link_by_nearest(
    head: Sequence[str], body: Sequence[Sequence[str]], export: Export, rules: Rules
) -> Attack:
    """Know every patient of the source exactly by the quasi-identifiers; take the nearest rows."""
    tried = (
        "Know the exact quasi-identifiers of every patient in the source, also of those left out, "
        "and take the rows that come nearest."
    )
    classes = _classes(head, body, export)
    if not export.ladders or not classes:
        return Attack("linkage", tried, True, "nothing to link by")
    points = np.array([_encoded(cells, export) for cells in classes])
    sizes = np.array([len(members) for members in classes.values()])
    patients = np.unique(export.known, axis=0)
    fewest = int(sizes.sum())
    for start in range(0, len(patients), BLOCK):
        distance = _distance(patients[start : start + BLOCK], points, export)
        nearest = distance <= distance.min(axis=1, keepdims=True) + 1e-12
        fewest = min(fewest, int((nearest * sizes).sum(axis=1).min()))
    return Attack(
        "linkage",
        tried,
        fewest >= rules.k,
        f"never fewer than {fewest} rows come equally near, so a guess is right at most "
        f"{1 / fewest:.0%} of the time",
    )


def infer_outcomes(
    head: Sequence[str], body: Sequence[Sequence[str]], export: Export, rules: Rules
) -> Attack:
    """Look for look-alikes who all had the same outcome."""
    classes = _classes(head, body, export)
    given_away = 0
    for outcome in export.outcomes:
        if outcome.kind != "binary":
            continue
        column = head.index(outcome.name)
        for members in classes.values():
            told = [body[i][column] for i in members]
            known = {cell for cell in told if cell}
            everybody = known == {"1"} and all(told)
            given_away += everybody or (outcome.name in rules.sensitive and len(known) < rules.l)
    sensitive = ", ".join(o.name for o in export.outcomes if o.name in rules.sensitive)
    return Attack(
        "what happened",
        f"Look for a group of look-alikes who all had, or all escaped, {sensitive}, "
        "or who all had any other outcome.",
        given_away == 0,
        f"{given_away} of {len(classes)} groups",
    )


def single_out_by_the_record(body: Sequence[Sequence[str]]) -> Attack:
    """Know everything the care team measured."""
    alike = Counter(tuple(line[1:]) for line in body)
    unique = sum(1 for count in alike.values() if count == 1)
    share = unique / len(body) if body else 0.0
    return Attack(
        "knowing the record",
        "Hold the patient's own laboratory values and vital signs, and look for the row.",
        unique == 0,
        f"{share:.0%} of the rows are the only one of their kind",
        accepted=True,
    )


def _classes(
    head: Sequence[str], body: Sequence[Sequence[str]], export: Export
) -> dict[tuple[str, ...], list[int]]:
    at = [head.index(ladder.feature.name) for ladder in export.ladders]
    classes: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, line in enumerate(body):
        classes[tuple(line[j] for j in at)].append(i)
    return classes


def _encoded(cells: Sequence[str], export: Export) -> list[float]:
    encoded = []
    for cell, ladder in zip(cells, export.ladders, strict=True):
        feature = ladder.feature
        if not cell:
            encoded.append(np.nan)
        elif feature.kind == "category":
            encoded.append(float(feature.categories.index(cell)))
        else:
            encoded.append(float(cell))
    return encoded


def _distance(patients: Floats, points: Floats, export: Export) -> Floats:
    """Sum over quasi-identifiers: share of the range for numbers, 1 for another category."""
    total = np.zeros((len(patients), len(points)))
    for i, ladder in enumerate(export.ladders):
        if np.isnan(points[:, i]).all():
            continue  # left out, or known of nobody
        own, there = patients[:, i, None], points[None, :, i]
        lowest, highest = ladder.feature.plausible or (0.0, 1.0)
        apart = np.abs(own - there)
        apart = apart / (highest - lowest) if ladder.feature.kind == "number" else (apart > 0) * 1.0
        apart = np.where(np.isnan(own) & np.isnan(there), 0.0, apart)
        total += np.where(np.isnan(own) ^ np.isnan(there), 1.0, apart)
    return total


def _names(export: Export) -> str:
    return ", ".join(ladder.feature.name for ladder in export.ladders) or "nothing"
