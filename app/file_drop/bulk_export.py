"""A FHIR Bulk Data export, patient after patient, in bounded memory.

An export is grouped by type, not by patient. One pass notes for every resource whose it is and where
it lies; then each patient's resources are read from there. The notes are a temporary database that
holds keyed digests in the patients' place, so that no identifier is written a second time. Resources
may stand in any order. A Bundle in a line of its own is a patient of its own.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from app.file_drop.errors import FileRefused
from app.file_drop.files import files_of

NOTES_AT_A_TIME = 4096
PATIENT = "Patient"


class BulkExport:
    """An export whose resources are noted by patient; patients in the order they first occur."""

    def __init__(self, path: Path) -> None:
        self._files = files_of(path)
        self._folder = tempfile.TemporaryDirectory(prefix="risk-file-drop-")
        self._notes = sqlite3.connect(Path(self._folder.name) / "notes.db")
        self._notes.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE patients (number INTEGER PRIMARY KEY, whose BLOB UNIQUE);"
            "CREATE TABLE resources (whose BLOB, file INTEGER, at INTEGER, size INTEGER)"
        )
        self._key = os.urandom(32)
        self._nobodys = 0
        try:
            self._note()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return int(self._notes.execute("SELECT count(*) FROM patients").fetchone()[0])

    @property
    def passed_over(self) -> int:
        """Lines that no row holds: no JSON, nobody's, or of a patient who is not in the export."""
        (strangers,) = self._notes.execute(
            "SELECT count(*) FROM resources WHERE whose NOT IN (SELECT whose FROM patients)"
        ).fetchone()
        return self._nobodys + int(strangers)

    def close(self) -> None:
        """Forget the notes."""
        self._notes.close()
        self._folder.cleanup()

    def rows(self, first: int) -> Iterator[tuple[bytes, ...]]:
        """Each patient's resources as they stand in the files."""
        with ExitStack() as stack:
            streams = [stack.enter_context(file.open("rb")) for file in self._files]
            for (whose,) in self._notes.execute(
                "SELECT whose FROM patients WHERE number >= ? ORDER BY number", (first,)
            ):
                found = []
                for file, at, size in self._notes.execute(
                    "SELECT file, at, size FROM resources WHERE whose = ? ORDER BY file, at",
                    (whose,),
                ):
                    streams[file].seek(at)
                    found.append(streams[file].read(size))
                yield tuple(found)

    def _note(self) -> None:
        notes: list[tuple[bytes, int, int, int]] = []
        for number, file in enumerate(self._files):
            with file.open("rb") as stream:
                at = 0
                for line in stream:
                    if line.strip():
                        whose = self._whose(line, number, at)
                        if whose is None:
                            self._nobodys += 1
                        else:
                            notes.append((whose, number, at, len(line)))
                    at += len(line)
                    if len(notes) >= NOTES_AT_A_TIME:
                        self._write(notes)
                        notes = []
        self._write(notes)
        # Only who has a Patient resource, or a Bundle, is asked about.
        self._notes.execute("CREATE INDEX by_patient ON resources (whose, file, at)")
        self._notes.commit()
        if not len(self):
            raise FileRefused("no Patient resource and no Bundle is among the FHIR resources")

    def _write(self, notes: list[tuple[bytes, int, int, int]]) -> None:
        self._notes.executemany("INSERT INTO resources VALUES (?, ?, ?, ?)", notes)

    def _whose(self, line: bytes, file: int, at: int) -> bytes | None:
        """A keyed digest of the patient whose resource it is."""
        try:
            resource = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(resource, dict):
            return None
        kind = resource.get("resourceType")
        if kind == "Bundle":
            whose = self._digest(f"Bundle:{file}:{at}")
        elif kind == PATIENT and isinstance(resource.get("id"), str):
            whose = self._digest(f"Patient/{resource['id']}")
        else:
            reference = _reference(resource)
            return None if reference is None else self._digest(reference)
        self._notes.execute("INSERT OR IGNORE INTO patients (whose) VALUES (?)", (whose,))
        return whose

    def _digest(self, text: str) -> bytes:
        return blake2b(
            text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16
        ).digest()


def _reference(resource: Mapping[str, Any]) -> str | None:
    """`Patient/<id>` of the subject; the last two parts of an absolute reference.

    Examples
    --------
    >>> _reference({"subject": {"reference": "https://ehr.example/fhir/Patient/7"}})
    'Patient/7'
    """
    for key in ("subject", "patient"):
        given = resource.get(key)
        text = given.get("reference") if isinstance(given, dict) else None
        if isinstance(text, str):
            parts = text.partition("/_history/")[0].rsplit("/", 2)
            if len(parts) >= 2 and parts[-2] == PATIENT:
                return "/".join(parts[-2:])
    return None
