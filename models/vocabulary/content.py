"""Reading clinical TOML strictly: unknown keys, wrong types and empty rows stop the start.

Every rule that fails raises `ContentInvalid` with the file, the row and the rule in one line.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from models.errors import ContentInvalid

NUMBER = (int, float)
SNAKE_CASE = re.compile(r"[a-z][a-z0-9_]*")


def is_number(value: object) -> bool:
    """Whether a TOML value is a finite number; a boolean is none, though Python says so."""
    return isinstance(value, NUMBER) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class Key:
    """One key a row may have: its type, and whether it must be there."""

    type: type | tuple[type, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One table of a TOML file with enough context to complain about it."""

    file: str
    label: str
    values: Mapping[str, Any]

    def refuse(self, rule: str) -> NoReturn:
        raise ContentInvalid(self.file, self.label, rule)

    def check(self, schema: Mapping[str, Key]) -> None:
        """Hold the row against a schema.

        Raises
        ------
        ContentInvalid
            On an unknown key, a missing required key or a value of another type.
        """
        for key in self.values:
            if key not in schema:
                self.refuse(f"unknown key `{key}`; known: {', '.join(sorted(schema))}")
        for key, rule in schema.items():
            if key not in self.values:
                if rule.required:
                    self.refuse(f"`{key}` is missing")
                continue
            value = self.values[key]
            types = rule.type if isinstance(rule.type, tuple) else (rule.type,)
            wrong_bool = isinstance(value, bool) and bool not in types
            if wrong_bool or not isinstance(value, rule.type):
                self.refuse(f"`{key}` has the wrong type: {type(value).__name__}")
            if value == "":
                self.refuse(f"`{key}` is empty; leave the key out instead")

    def one_of(self, key: str, allowed: Iterable[str]) -> None:
        choices = tuple(allowed)
        if key in self.values and self.values[key] not in choices:
            self.refuse(f"`{key}` must be one of {', '.join(choices)}")

    def snake_case_name(self) -> None:
        if not SNAKE_CASE.fullmatch(self.values["name"]):
            self.refuse("`name` must be snake_case")

    def strings(self, key: str) -> tuple[str, ...]:
        values = self.values.get(key, [])
        if not all(isinstance(item, str) and item for item in values):
            self.refuse(f"`{key}` must be a list of non-empty strings")
        if len(set(values)) != len(values):
            self.refuse(f"`{key}` names something twice")
        return tuple(values)


def read_toml(path: Path) -> Row:
    """Read a TOML file as one row.

    Raises
    ------
    ContentInvalid
        When the file cannot be read or is not TOML.
    """
    try:
        with path.open("rb") as stream:
            return Row(path.name, "file", tomllib.load(stream))
    except OSError as error:
        raise ContentInvalid(path.name, "file", f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContentInvalid(path.name, "file", f"is not TOML: {error}") from error


def read_rows(path: Path, table: str) -> list[Row]:
    """Read a file that holds nothing but `[[table]]` rows, each with a `name`.

    Raises
    ------
    ContentInvalid
        When the file has other content, or a row lacks a name, or a name occurs twice.
    """
    document = read_toml(path)
    document.check({table: Key(list, required=True)})
    rows: list[Row] = []
    seen: set[str] = set()
    for position, values in enumerate(document.values[table], start=1):
        name = values.get("name") if isinstance(values, dict) else None
        if not isinstance(name, str) or not name:
            raise ContentInvalid(path.name, f"{table} number {position}", "has no `name`")
        if name in seen:
            raise ContentInvalid(path.name, f"{table} `{name}`", "is declared twice")
        seen.add(name)
        rows.append(Row(path.name, f"{table} `{name}`", values))
    return rows
