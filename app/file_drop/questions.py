"""A row of a file as the request that every way in asks with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from app.errors import InputError, Problem
from app.fhir import Coding
from app.fhir.assess_operation import Asked
from app.fhir.bundle import unpack
from app.file_drop.cells import (
    BeyondLimit,
    Cell,
    NotWrittenSo,
    is_missing,
    read_moment,
    read_number,
    read_text,
)
from app.file_drop.errors import FileRefused
from app.file_drop.mapping import YES_NO, Column, Mapping
from app.file_drop.source import Content, Unreadable
from app.schemas.assessment_request import AssessmentRequest, read_assessment_request, refused
from app.schemas.strict_json import parse_json
from app.services.assess_chart import question_of_chart
from models.vocabulary import BranchPoint, Vocabulary

COMPARATOR = "comparator"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of every row that does not say so itself."""

    branch_point: str
    outcomes: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    index_time: datetime | None = None


class Questions:
    """Makes requests of the rows of one file.

    Parameters
    ----------
    header : sequence of str
        A table's column names; empty otherwise.
    mapping : Mapping or None
        How a table is read.

    Raises
    ------
    FileRefused
        When the mapping names a column that the table does not have.
    """

    def __init__(
        self,
        wanted: Wanted,
        header: Sequence[str],
        mapping: Mapping | None,
        point: BranchPoint,
        vocabulary: Vocabulary,
        coding: Coding,
    ) -> None:
        self._wanted, self._point, self._vocabulary = wanted, point, vocabulary
        self._coding = coding
        self._mapping = mapping
        self._read: tuple[tuple[int, int | None, Column], ...] = ()
        if mapping is not None and header:
            at = {name: position for position, name in enumerate(header)}
            if absent := [name for name in mapping.named if name not in at]:
                raise FileRefused(f"the file has no column {', '.join(map(repr, absent[:10]))}")
            if mapping.branch_point not in (None, point.id):
                raise FileRefused(f"the mapping is for `{mapping.branch_point}`")
            self._read = tuple(
                (at[column.column], None if column.time is None else at[column.time], column)
                for column in mapping.columns
            )
            self._identity = {role: at[name] for role, name in mapping.identity.items()}
            self._protected = None if mapping.protected is None else at[mapping.protected]

    def ask(self, content: Content) -> AssessmentRequest:
        """The request of one row.

        Raises
        ------
        Problem
            Naming what is wrong and what was expected, never what stands there.
        """
        if isinstance(content, Unreadable):
            raise refused([InputError("", "unreadable_row", content.reason)])
        if isinstance(content, bytes):
            return self._of_request(parse_json(content))
        if content and isinstance(content[0], bytes):
            return self._of_chart(content)
        return self._of_cells(content)

    def _of_request(self, document: Any) -> AssessmentRequest:
        if isinstance(document, dict):
            wanted = self._wanted
            if wanted.index_time is not None and document.get("index_time") is None:
                document["index_time"] = _rfc3339(wanted.index_time)
            for key, value in (("outcomes", wanted.outcomes), ("include", wanted.include)):
                if value and document.get(key) is None:
                    document[key] = list(value)
        return read_assessment_request(document, self._point, self._vocabulary)

    def _of_chart(self, lines: Sequence[Any]) -> AssessmentRequest:
        resources = []
        for line in lines:
            try:
                resources.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                raise Problem(400, "A resource is not JSON as RFC 8259 has it.") from None
        patient = _only_patient(resources)
        asked = Asked(
            branch_point=self._point.id,
            resources=tuple(resources),
            patient=patient,
            index_time=self._wanted.index_time,
            outcomes=self._wanted.outcomes,
            include=self._wanted.include,
        )
        now = datetime.now(UTC)
        return question_of_chart(asked, self._point, self._vocabulary, self._coding, now).request

    def _of_cells(self, cells: Sequence[Any]) -> AssessmentRequest:
        mapping = self._mapping
        if mapping is None:
            raise AssertionError("a table is read with a mapping")
        faults: list[InputError] = []
        document: dict[str, Any] = {
            "outcomes": list(self._wanted.outcomes),
            "include": list(self._wanted.include),
        }
        for role, position in self._identity.items():
            if not is_missing(cells[position], ()):
                document[role] = (
                    cells[position] if role == "index_time" else read_text(cells[position])
                )
        self._settle_index_time(document, faults)
        if self._protected is not None:
            document["protected_identity"] = _protected(cells[self._protected], faults)
        measurements: dict[str, Any] = {}
        limits: list[tuple[str, str]] = []
        for position, time_position, column in self._read:
            if is_missing(cells[position], column.missing):
                continue
            name = column.feature.name
            try:
                given: dict[str, Any] = {"value": _value(cells[position], column, mapping.decimal)}
                if column.unit is not None:
                    given["unit"] = column.unit
                if time_position is not None and not is_missing(cells[time_position], ()):
                    given["time"] = self._moment(cells[time_position])
                measurements[name] = given
            except BeyondLimit:
                limits.append((name, COMPARATOR))
            except NotWrittenSo as error:
                faults.append(InputError(f"/measurements/{name}", "invalid_value", str(error)))
        document["measurements"] = measurements
        if faults:
            raise refused(faults)
        request = read_assessment_request(document, self._point, self._vocabulary)
        return replace(request, set_aside=tuple(limits)) if limits else request

    def _settle_index_time(self, document: dict[str, Any], faults: list[InputError]) -> None:
        """Whoever declares a column for it means it: without one, now is not taken in its place."""
        if "index_time" in self._identity:
            try:
                document["index_time"] = self._moment(document.get("index_time"))
            except NotWrittenSo as error:
                faults.append(InputError("/index_time", "invalid_value", str(error)))
        elif self._wanted.index_time is not None:
            document["index_time"] = _rfc3339(self._wanted.index_time)

    def _moment(self, cell: Cell) -> str:
        mapping = self._mapping
        if mapping is None:
            raise AssertionError("a table is read with a mapping")
        return _rfc3339(read_moment(cell, mapping.time_format, mapping.zone))


def _value(cell: Cell, column: Column, decimal: str) -> float | str | bool:
    kind = column.feature.kind
    if kind == "number":
        return read_number(cell, decimal)
    text = read_text(cell)
    if kind == "code":
        return text
    value = column.values.get(text.lower())
    if value is None:
        known = "`values`" if column.values else "a spelling"
        raise NotWrittenSo(f"expects one of the spellings that the mapping's {known} has")
    return value


def _only_patient(resources: Sequence[Any]) -> str:
    """The one Patient of a row; the one who was meant must not be guessed."""
    found = {
        entry.resource.get("id") or entry.full_url
        for entry in unpack(list(resources)).entries
        if entry.resource["resourceType"] == "Patient"
    }
    patient = found.pop() if len(found) == 1 else None
    if not isinstance(patient, str):
        detail = "expects exactly one Patient, with an id or a URL"
        raise refused([InputError("", "required", detail)])
    return patient


def _protected(cell: Cell, faults: list[InputError]) -> bool:
    """Whoever cannot be told to be unprotected is not scored."""
    value = None if is_missing(cell, ()) else YES_NO.get(read_text(cell).lower())
    if value is None:
        faults.append(
            InputError("/protected_identity", "invalid_value", "expects true, false, 1 or 0")
        )
    return bool(value)


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
