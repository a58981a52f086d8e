r"""A mapping: which column of a site's file is which feature, in which unit, spelled how.

A TOML file. Every key but `column` and `feature` may be left out; an unknown one is refused.

    branch_point = "icu-review"        # refused for another one
    encoding = "utf-8"                 # or cp1252, latin-1, …
    delimiter = ";"                    # found by itself when left out
    decimal = ","                      # default "."
    missing = ["NULL"]                 # what says "missing" in every column, beside the empty cell
    protected = "Sekretess"            # column: true for protected personal data

    [time]
    format = "%Y-%m-%d %H:%M"          # ISO 8601 when left out
    zone = "Europe/Stockholm"          # of clocks without an offset

    [identity]                         # columns
    subject = "Personnummer"
    episode = "Vårdtillfälle"
    unit = "Enhet"
    index_time = "Rondtid"

    [[column]]
    column = "Kön"
    feature = "sex"
    values = { Man = "male", Kvinna = "female" }

    [[column]]
    column = "Kreatinin"
    feature = "creatinine"
    unit = "umol/L"                    # UCUM, as the dictionary lists it
    missing = ["999"]                  # in this column (SweTrau's code)
    time = "Provtagningstid"           # column with the moment it was taken
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from app.file_drop.errors import FileRefused
from models.vocabulary import BranchPoint, Feature, Vocabulary
from models.vocabulary.content import Key, Row, read_toml

DELIMITERS = (",", ";", "\t")
ROLES = ("subject", "episode", "unit", "index_time")
YES_NO = MappingProxyType({"true": True, "false": False, "1": True, "0": False})
"""What a flag may say without a table of its own."""
_FILE = {
    "branch_point": Key(str),
    "encoding": Key(str),
    "delimiter": Key(str),
    "decimal": Key(str),
    "missing": Key(list),
    "protected": Key(str),
    "time": Key(dict),
    "identity": Key(dict),
    "column": Key(list),
}
_TIME = {"format": Key(str), "zone": Key(str)}
_IDENTITY = {role: Key(str) for role in ROLES}
_COLUMN = {
    "column": Key(str, required=True),
    "feature": Key(str, required=True),
    "unit": Key(str),
    "values": Key(dict),
    "missing": Key(list),
    "time": Key(str),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is a feature.

    Attributes
    ----------
    values : mapping
        Spelling, in lower case, to a category or to true and false; empty for what has none.
    time : str or None
        The column with the moment it was taken.
    """

    column: str
    feature: Feature
    unit: str | None = None
    values: Map[str, str | bool] = field(default_factory=lambda: MappingProxyType({}))
    missing: tuple[str, ...] = ()
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a table is read.

    Attributes
    ----------
    identity : mapping
        `subject`, `episode`, `unit`, `index_time` to their columns, those that are there.
    digest : str
        Of the file it was read from; of nothing for the mapping by name.
    """

    columns: tuple[Column, ...]
    identity: Map[str, str] = field(default_factory=lambda: MappingProxyType({}))
    protected: str | None = None
    branch_point: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: str = "."
    time_format: str | None = None
    zone: ZoneInfo | None = None
    digest: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Every column that the mapping names, once."""
        own = [c for column in self.columns for c in (column.column, column.time) if c]
        return tuple(
            dict.fromkeys([*own, *self.identity.values(), *filter(None, [self.protected])])
        )


def load_mapping(path: Path, vocabulary: Vocabulary) -> Mapping:
    r"""Read and check a mapping.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold, in one line.

    Examples
    --------
    >>> import tempfile
    >>> from models.vocabulary import load_vocabulary
    >>> file = Path(tempfile.mkdtemp()) / "mapping.toml"
    >>> _ = file.write_text('[[column]]\ncolumn = "Hb"\nfeature = "hemoglobin"\nunit = "g/dL"\n')
    >>> load_mapping(file, load_vocabulary()).columns[0].feature.name
    'hemoglobin'
    >>> _ = file.write_text('[[column]]\ncolumn = "Hb"\nfeatures = "hemoglobin"\n')
    >>> load_mapping(file, load_vocabulary())
    Traceback (most recent call last):
    models.errors.ContentInvalid: mapping.toml: column number 1: unknown key `features`; known: ...
    """
    document = read_toml(path)
    document.check(_FILE)
    values = document.values
    time = _table(document, "time", _TIME)
    identity = _table(document, "identity", _IDENTITY)
    document.one_of("delimiter", DELIMITERS)
    document.one_of("decimal", (".", ","))
    encoding = values.get("encoding", "utf-8")
    try:
        codecs.lookup(encoding)
    except LookupError:
        document.refuse("`encoding` is not known; expected utf-8, cp1252, latin-1 or another")
    if values.get("branch_point", "") not in ("", *vocabulary.branch_points):
        document.refuse("`branch_point` is not declared")
    everywhere = document.strings("missing")
    columns: dict[str, Column] = {}
    for number, given in enumerate(values.get("column", ()), start=1):
        row = Row(document.file, f"column number {number}", given)
        if not isinstance(given, dict):
            row.refuse("must be written as a [[column]] table")
        column = _column(row, everywhere, vocabulary)
        if column.feature.name in columns:
            row.refuse(f"`{column.feature.name}` is mapped twice")
        columns[column.feature.name] = column
    if not columns:
        document.refuse("maps no column to a feature")
    return Mapping(
        columns=tuple(columns.values()),
        identity=MappingProxyType(dict(identity)),
        protected=values.get("protected"),
        branch_point=values.get("branch_point"),
        encoding=encoding,
        delimiter=values.get("delimiter"),
        decimal=values.get("decimal", "."),
        time_format=time.get("format"),
        zone=_zone(document, time.get("zone")),
        digest=sha256(path.read_bytes()).hexdigest(),
    )


def mapping_by_name(header: Sequence[str], vocabulary: Vocabulary, point: BranchPoint) -> Mapping:
    """The mapping of a file whose columns are named as the dictionary names them.

    Numbers are then in the dictionary's own unit.

    Raises
    ------
    FileRefused
        When a column has another name; its position is told, what stands there is not.
    """
    columns, identity, unknown = [], {}, []
    for position, name in enumerate(header, start=1):
        if name in ROLES:
            identity[name] = name
        elif name in vocabulary.features and vocabulary.can_be_known(name, point.id):
            feature = vocabulary.features[name]
            columns.append(Column(name, feature, values=_own_spellings(feature)))
        else:
            unknown.append(str(position))
    if unknown:
        raise FileRefused(
            f"column {', '.join(unknown[:20])}: no feature of `{point.id}` has this name; draft a "
            "mapping with `risk-serve map FILE` and give it with --mapping"
        )
    return Mapping(tuple(columns), MappingProxyType(identity))


def _table(document: Row, key: str, schema: Map[str, Key]) -> Map[str, Any]:
    row = Row(document.file, f"[{key}]", document.values.get(key, {}))
    row.check(schema)
    return row.values


def _column(row: Row, everywhere: tuple[str, ...], vocabulary: Vocabulary) -> Column:
    row.check(_COLUMN)
    feature = vocabulary.features.get(row.values["feature"])
    if feature is None:
        row.refuse("`feature` is not in the dictionary; GET /v1/features lists all names")
    unit = row.values.get("unit")
    if feature.kind != "number" and unit is not None:
        row.refuse(f"`{feature.name}` is a {feature.kind} and has no unit")
    if unit is not None and unit != feature.unit and unit not in feature.conversions:
        accepted = ", ".join([str(feature.unit), *feature.conversions])
        row.refuse(f"`{feature.name}` accepts the units: {accepted}")
    return Column(
        column=row.values["column"],
        feature=feature,
        unit=unit,
        values=_spellings(row, feature),
        missing=(*everywhere, *row.strings("missing")),
        time=row.values.get("time"),
    )


def _spellings(row: Row, feature: Feature) -> Map[str, str | bool]:
    given = row.values.get("values")
    if given is None:
        return _own_spellings(feature)
    if feature.kind not in ("category", "flag"):
        row.refuse(f"`values` does not belong to a {feature.kind}")
    if feature.kind == "flag" and not all(isinstance(value, bool) for value in given.values()):
        row.refuse("`values` of a flag must be true or false")
    if feature.kind == "category" and (wrong := set(given.values()) - set(feature.categories)):
        row.refuse(
            f"`values` names {len(wrong)} that `{feature.name}` does not have; it has: "
            f"{', '.join(feature.categories)}"
        )
    found = {spelling.strip().lower(): value for spelling, value in given.items()}
    if len(found) != len(given):
        row.refuse("`values` holds a spelling twice; upper and lower case are the same")
    return MappingProxyType(found)


def _own_spellings(feature: Feature) -> Map[str, str | bool]:
    if feature.kind == "flag":
        return YES_NO
    return MappingProxyType({name.lower(): name for name in feature.categories})


def _zone(document: Row, name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not in the zone database is one of these
        document.refuse("[time] `zone` is not known; expected one such as Europe/Stockholm")
