"""Drafting a mapping: what each column of a file is, as far as its name, unit and values tell.

A column is placed only when nothing about it is open: one feature has its name, one accepted unit
holds its values, every spelling is known. What is open is written out as a comment with the
alternatives, for a person to decide. Reports hold names, units, counts and shares; never a value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from app.file_drop.cells import (
    BeyondLimit,
    Cell,
    NotWrittenSo,
    is_missing,
    read_number,
    read_text,
)
from app.file_drop.draft_text import as_report, as_toml
from app.file_drop.errors import FileRefused
from app.file_drop.finding import Alternative, Finding
from app.file_drop.mapping import Mapping
from app.file_drop.names import BY_SWETRAU, Names, load_names, plain, plain_unit
from app.file_drop.source import TABLE, Source, Unreadable
from models.tripwire import find_identifiers
from models.vocabulary import BranchPoint, Feature, Vocabulary

ROWS_READ = 10_000
HOLDS = 0.98
"""The share of values within the plausible range from which on a unit is said to hold them: a few
wrong entries must not hide the unit, and a unit that loses one value in fifty is not the right one."""
LONGEST_NAME = 120
MOST_SPELLINGS = 50
WITH_UNIT = re.compile(r"(?P<name>.+?)\s*[(\[](?P<unit>[^()\[\]]+)[)\]]\s*")
WITH_TAIL = re.compile(r"(?P<name>.+?)\s*[,;]\s*(?P<unit>[^,;]+)")
WITH_LAST_WORD = re.compile(r"(?P<name>.+?)[\s_]+(?P<unit>\S+)")
LIKE_A_VALUE = re.compile(r"[\s\d.,:;/+TZ-]*", re.ASCII)
DECIMAL_COMMA, DECIMAL_POINT = re.compile(r"[+-]?\d+,\d+"), re.compile(r"[+-]?\d+\.\d+")
OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted mapping and what was found on the way."""

    toml: str
    report: dict[str, Any]


def draft_mapping(path: Path, vocabulary: Vocabulary, point: BranchPoint | None) -> Draft:
    """Draft the mapping of a table.

    Parameters
    ----------
    point : BranchPoint, optional
        Where it will be asked: what cannot be used there is not placed.

    Raises
    ------
    FileRefused
        When the file is no table, or its first line does not look like a header.
    """
    names = load_names(vocabulary)
    encoding = _encoding(path)
    with Source(path, Mapping((), encoding=encoding)) as source:
        if source.kind != TABLE:
            raise FileRefused("a mapping belongs to a table: CSV or Parquet")
        _refuse_values_as_header(source.header)
        rows = [row for row in islice(source.rows(), ROWS_READ) if not isinstance(row, Unreadable)]
        delimiter = source.delimiter
    columns: list[list[Any]] = [list(cells) for cells in zip(*rows, strict=True)]
    columns = columns or [[] for _ in source.header]
    decimal = _decimal(columns)
    everywhere = sorted(
        {
            cell
            for cells in columns
            for cell in cells
            if isinstance(cell, str) and cell in names.missing
        }
    )
    found = [
        _finding(name, cells, names, vocabulary, point, decimal, everywhere)
        for name, cells in zip(source.header, columns, strict=True)
    ]
    _refuse_twice(found)
    time = _times(found, dict(zip(source.header, columns, strict=True)), names)
    head: dict[str, Any] = {}
    if point is not None:
        head["branch_point"] = point.id
    if encoding != "utf-8":
        head["encoding"] = encoding
    if delimiter is not None:
        head["delimiter"] = delimiter
    if decimal == ",":
        head["decimal"] = decimal
    if everywhere:
        head["missing"] = everywhere
    return Draft(as_toml(head, time, found), as_report(found, len(rows), time))


def _refuse_values_as_header(header: Sequence[str]) -> None:
    """A file without a header begins with a patient; nothing of it must be printed."""
    for position, name in enumerate(header, start=1):
        if (
            LIKE_A_VALUE.fullmatch(name)
            or len(name) > LONGEST_NAME
            or not name.isprintable()
            or find_identifiers(name)
        ):
            raise FileRefused(
                f"the first line does not look like a header (column {position}): expected the "
                "names of the columns"
            )


def _encoding(path: Path) -> str:
    if path.suffix.lower() == ".parquet":
        return "utf-8"
    try:
        with path.open(encoding="utf-8") as text:
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    except OSError as error:
        raise FileRefused(f"the file cannot be read: {error.strerror}") from None
    return "utf-8"


def _decimal(columns: Sequence[Sequence[Any]]) -> str:
    texts = [cell.strip() for cells in columns for cell in cells if isinstance(cell, str)]
    commas = sum(1 for text in texts if DECIMAL_COMMA.fullmatch(text))
    points = sum(1 for text in texts if DECIMAL_POINT.fullmatch(text))
    return "," if commas > points else "."


def _finding(
    column: str,
    cells: Sequence[Cell],
    names: Names,
    vocabulary: Vocabulary,
    point: BranchPoint | None,
    decimal: str,
    everywhere: Sequence[str],
) -> Finding:
    finding = Finding(column)
    role = names.roles.get(plain(column))
    if role is not None:
        finding.role, finding.by = role, "role"
        finding.present = sum(1 for cell in cells if not is_missing(cell, everywhere))
        return finding
    finding.times_of = _times_of(column, names)
    candidates, said_unit = _candidates(column, names) if finding.times_of is None else ({}, None)
    if not candidates:
        finding.present = sum(1 for cell in cells if not is_missing(cell, everywhere))
        finding.why = "no feature has this name"
        if finding.times_of is not None:
            finding.why = f"it looks like the times of `{finding.times_of}`, which has no column"
        return finding
    if len(candidates) > 1:
        finding.why = "several features have this name"
        finding.alternatives = [Alternative(vocabulary.features[name]) for name in candidates]
        return finding
    ((name, finding.by),) = candidates.items()
    feature = finding.feature = vocabulary.features[name]
    codes = (*everywhere, *(names.swetrau_missing if finding.by == BY_SWETRAU else ()))
    if finding.by == BY_SWETRAU:
        finding.missing = names.swetrau_missing
    said = [cell for cell in cells if not is_missing(cell, codes)]
    finding.present = len(said)
    if point is not None and not vocabulary.can_be_known(name, point.id):
        finding.why = f"`{name}` is known from `{feature.earliest}` on, not at `{point.id}`"
    elif point is not None and name not in point.features:
        finding.why = f"`{name}` is not used at `{point.id}`"
    elif feature.kind == "number":
        _place_number(finding, feature, said, said_unit, names, decimal)
    elif feature.kind == "code":
        wrong = sum(1 for c in said if not re.fullmatch(feature.pattern or "", read_text(c)))
        finding.why = f"{wrong} of {len(said)} cells have another form" if wrong else None
    else:
        _place_spellings(finding, feature, said, names)
    return finding


def _candidates(column: str, names: Names) -> tuple[dict[str, str], str | None]:
    """The features that a column's name could mean, and the unit that it says."""
    if found := names.features.get(plain(column)):
        return dict(found), None
    for form in (WITH_UNIT, WITH_TAIL, WITH_LAST_WORD):
        parts = form.fullmatch(column.strip())
        if parts and (found := names.features.get(plain(parts["name"]))):
            return dict(found), parts["unit"].strip()
    return {}, None


def _times_of(column: str, names: Names) -> str | None:
    """The feature whose times a column's name says it holds."""
    whole = plain(column)
    if whole in names.features:
        return None
    for ending in names.time_names:
        found = names.features.get(whole.removesuffix(ending), {}) if whole.endswith(ending) else {}
        if len(found) == 1:
            return next(iter(found))
    return None


def _place_number(
    finding: Finding,
    feature: Feature,
    said: Sequence[Cell],
    said_unit: str | None,
    names: Names,
    decimal: str,
) -> None:
    numbers, wrong = _numbers(said, decimal)
    if wrong:
        finding.why = f"{wrong} of {len(said)} cells are no numbers (decimal sign `{decimal}`)"
        return
    units = _units(feature)
    if said_unit is not None:
        unit = _named_unit(said_unit, units, names)
        if unit is None:
            finding.why = f"the unit in its name is none that `{feature.name}` accepts"
            finding.alternatives = [
                Alternative(feature, u, _held(feature, u, numbers)) for u in units
            ]
            return
        share = _held(feature, unit, numbers)
        if share is not None and share < HOLDS:
            finding.why = f"{share:.0%} of its values are plausible in the unit that its name says"
            finding.alternatives = [
                Alternative(feature, u, _held(feature, u, numbers)) for u in units
            ]
            return
        finding.unit = unit
        return
    if not numbers:
        if len(units) == 1:
            finding.unit = units[0]
        else:
            finding.why = "it has no values, and its name says no unit"
            finding.alternatives = [Alternative(feature, u) for u in units]
        return
    shares = {unit: _held(feature, unit, numbers) or 0.0 for unit in units}
    holding = [unit for unit, share in shares.items() if share >= HOLDS]
    if finding.by == BY_SWETRAU:  # the register's definition has one unit: the dictionary's own
        holding = [unit for unit in holding if unit == feature.unit]
    if len(holding) == 1:
        finding.unit = holding[0]
        return
    finding.why = (
        "several units hold its values, and its name says none"
        if holding
        else "its values are plausible in no accepted unit"
    )
    finding.alternatives = [Alternative(feature, unit, share) for unit, share in shares.items()]


def _numbers(said: Sequence[Cell], decimal: str) -> tuple[list[float], int]:
    numbers, wrong = [], 0
    for cell in said:
        try:
            numbers.append(float(read_number(cell, decimal)))
        except BeyondLimit:
            continue  # it says nothing of the unit
        except NotWrittenSo:
            wrong += 1
    return numbers, wrong


def _units(feature: Feature) -> list[str]:
    """One unit of each size: spellings of the same one hold the same values."""
    found = {(1.0, 0.0): str(feature.unit)}
    for unit, conversion in feature.conversions.items():
        found.setdefault((conversion.factor, conversion.offset), unit)
    return list(found.values())


def _named_unit(said: str, units: Sequence[str], names: Names) -> str | None:
    wanted = plain_unit(said)
    meant = names.units.get(wanted)
    for unit in units:
        if plain_unit(unit) == wanted or (meant is not None and unit == meant):
            return unit
    return None


def _held(feature: Feature, unit: str, numbers: Sequence[float]) -> float | None:
    """The share of values that are plausible when they are in a unit; None without values."""
    if not numbers or feature.plausible is None:
        return None
    lowest, highest = feature.plausible
    conversion = feature.conversions.get(unit)
    own = numbers if conversion is None else [conversion.to_own_unit(n) for n in numbers]
    return sum(1 for number in own if lowest <= number <= highest) / len(own)


def _place_spellings(
    finding: Finding, feature: Feature, said: Sequence[Cell], names: Names
) -> None:
    spellings = {read_text(cell).lower() for cell in said}
    unknown = 0
    for spelling in sorted(spellings) if len(spellings) <= MOST_SPELLINGS else ():
        value = _meaning(spelling, feature, names)
        if value is None:
            unknown += 1
        else:
            finding.values[spelling] = value
    if len(spellings) > MOST_SPELLINGS:
        finding.why = f"it has {len(spellings)} spellings"
    elif unknown:
        finding.why = f"{unknown} of {len(spellings)} spellings are not known"
    if finding.why:
        finding.alternatives = [Alternative(feature)]


def _meaning(spelling: str, feature: Feature, names: Names) -> str | bool | None:
    if feature.kind == "flag":
        return names.yes_no.get(spelling)
    own = {name.lower(): name for name in feature.categories}
    if spelling in own:
        return own[spelling]
    meant = [n for n in names.categories.get(spelling, ()) if n in feature.categories]
    return meant[0] if len(meant) == 1 else None


def _refuse_twice(found: Sequence[Finding]) -> None:
    """Of several columns that are the same thing a person chooses."""
    for key in ("feature", "role"):
        by: dict[Any, list[Finding]] = {}
        for finding in found:
            what = finding.role if key == "role" else finding.feature and finding.feature.name
            if what is not None and finding.why is None:
                by.setdefault(what, []).append(finding)
        for same in by.values():
            for finding in same if len(same) > 1 else ():
                finding.why = f"{len(same)} columns are the same; keep one"
                finding.alternatives = (
                    [Alternative(finding.feature, finding.unit)] if finding.feature else []
                )


def _times(
    found: Sequence[Finding], cells: dict[str, list[Any]], names: Names
) -> dict[str, str | None]:
    """Give measured columns their columns of times; how those are written.

    Returns
    -------
    dict
        `format` and `zone`, as far as they are needed; a zone that a person must name is None.
    """
    placed = {f.feature.name: f for f in found if f.feature is not None and f.why is None}
    timed: list[str] = []
    for finding in found:
        if finding.role == "index_time" and finding.why is None:
            timed.append(finding.column)
        measured = placed.get(finding.times_of or "")
        if measured is not None and measured.time is None:
            measured.time, finding.role, finding.why = finding.column, "time", None
            finding.by = "role"
            timed.append(finding.column)
    texts = [c.strip() for name in timed for c in cells[name] if isinstance(c, str) and c.strip()]
    naive = [c for name in timed for c in cells[name] if isinstance(c, datetime) and not c.tzinfo]
    told: dict[str, str | None] = {}
    if texts and not all(map(_is_iso, texts)):
        forms = [form for form in names.time_formats if all(_is_in(form, text) for text in texts)]
        if len(forms) == 1:
            told["format"] = forms[0]
        else:
            for finding in found:
                if finding.column in timed:
                    finding.why = "how its times are written is open; declare [time] `format`"
    if naive or any(not OFFSET.search(text) for text in texts):
        told["zone"] = None
    return told


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return ":" in text


def _is_in(form: str, text: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only whether it is written so
    except ValueError:
        return False
    return True
