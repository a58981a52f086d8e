"""Answers in the form that was asked for: NDJSON as they are, or a table with a row an outcome."""

from __future__ import annotations

import csv
import importlib
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from app.file_drop.errors import FileRefused
from app.file_drop.source import PYARROW_MISSING
from app.schemas.statuses import SILENT

NDJSON, CSV, PARQUET = ".ndjson", ".csv", ".parquet"
FORMS = (NDJSON, CSV, PARQUET)
STRONGEST = 3
ROWS_AT_A_TIME = 4096
REFUSED = "refused"
TEXT, WHOLE, NUMBER = "string", "int64", "float64"
"""As pyarrow names its types."""
COLUMNS = {
    "row": WHOLE,
    "assessment_id": TEXT,
    "episode_id": TEXT,
    "index_time": TEXT,
    "outcome": TEXT,
    "status": TEXT,
    "reason": TEXT,
    "probability": NUMBER,
    "value": NUMBER,
    "unit": TEXT,
    "lower": NUMBER,
    "upper": NUMBER,
    "band": TEXT,
    "model": TEXT,
    "model_version": TEXT,
    "strongest_1": TEXT,
    "contribution_1": NUMBER,
    "strongest_2": TEXT,
    "contribution_2": NUMBER,
    "strongest_3": TEXT,
    "contribution_3": NUMBER,
    "warnings": TEXT,
}
"""Columns of a table of answers. A row of the file that was refused has one row with its reason, one
that was recorded in silence has one row that says so;
contributions are in log-odds, or in `unit` for an expected number."""


def check_form(out: Path) -> None:
    """See that answers can be written in the form that the name asks for, before any is scored.

    Raises
    ------
    FileRefused
        For another ending than .ndjson, .csv or .parquet, or where Parquet cannot be written.
    """
    if out.suffix not in FORMS:
        raise FileRefused(f"the answers' name must end in one of: {', '.join(FORMS)}")
    if out.suffix == PARQUET:
        _pyarrow("pyarrow.parquet")


def write_answers(part: Path, out: Path) -> None:
    """Make the finished lines the answers, in one step: OUT is whole or not there."""
    if out.suffix == NDJSON:
        part.replace(out)
        return
    whole = out.with_name(out.name + ".tmp")
    if out.suffix == CSV:
        with whole.open("w", encoding="utf-8", newline="") as text:
            table = csv.DictWriter(text, COLUMNS)
            table.writeheader()
            table.writerows(_all_rows(part))
            text.flush()
            os.fsync(text.fileno())
    else:
        _write_parquet(part, whole)
    whole.replace(out)
    part.unlink()


def rows_of(line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a table that one line of the answers is.

    Examples
    --------
    >>> row, = rows_of({"row": 7, "problem": {"status": 422, "errors": [{"code": "invalid_value"}]}})
    >>> row
    {'row': 7, 'status': 'refused', 'reason': 'invalid_value'}
    """
    if (problem := line.get("problem")) is not None:
        codes = {error["code"] for error in problem.get("errors", ())} or {str(problem["status"])}
        yield {"row": line["row"], "status": REFUSED, "reason": " ".join(sorted(codes))}
        return
    answer = line["answer"]
    warnings = " ".join(f"{w['code']}:{w.get('feature', '')}" for w in answer["warnings"])
    whole = {
        "row": line["row"],
        "assessment_id": answer["assessment_id"],
        "episode_id": answer["episode_id"],
        "index_time": answer["index_time"],
        "warnings": warnings,
    }
    if answer["status"] == SILENT:
        yield whole | {"status": SILENT}
    for outcome in answer["outcomes"]:
        row = dict(whole)
        for name in ("outcome", "status", "reason", "probability", "value", "unit", "band"):
            row[name] = outcome.get(name)
        interval, model = outcome.get("interval") or {}, outcome.get("model") or {}
        row |= {"lower": interval.get("lower"), "upper": interval.get("upper")}
        row |= {"model": model.get("name"), "model_version": model.get("version")}
        for number, reason in enumerate(outcome.get("attributions", ())[:STRONGEST], start=1):
            row[f"strongest_{number}"] = reason["feature"]
            row[f"contribution_{number}"] = reason["contribution"]
        yield row


def _all_rows(part: Path) -> Iterator[dict[str, Any]]:
    with part.open("rb") as lines:
        for line in lines:
            yield from rows_of(orjson.loads(line))


def _write_parquet(part: Path, whole: Path) -> None:
    arrow, parquet = _pyarrow("pyarrow"), _pyarrow("pyarrow.parquet")
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in COLUMNS.items()])
    rows = _all_rows(part)
    with parquet.ParquetWriter(whole, schema) as writer:
        while some := list(islice(rows, ROWS_AT_A_TIME)):
            columns = {name: [row.get(name) for row in some] for name in COLUMNS}
            writer.write_table(arrow.table(columns, schema=schema))


def _pyarrow(name: str) -> Any:
    # Looked for only when Parquet is asked for: a service is installed without it.
    try:
        return importlib.import_module(name)
    except ImportError:
        raise FileRefused(PYARROW_MISSING) from None
