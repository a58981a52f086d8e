"""Cells of a table: read as the mapping says, or refused; never guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.file_drop.cells import (
    BeyondLimit,
    NotWrittenSo,
    is_missing,
    read_moment,
    read_number,
    read_text,
)
from tests.lib.properties import LAW

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@pytest.mark.parametrize(
    ("cell", "decimal", "number"),
    [("1,4", ",", 1.4), ("1.4", ".", 1.4), (" -3 ", ",", -3.0), ("1e3", ".", 1000.0), (7, ",", 7)],
)
def test_a_number_is_read_with_its_decimal_sign(cell: object, decimal: str, number: float):
    assert read_number(cell, decimal) == number  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cell", "decimal"),
    [("1,4", "."), ("1.4", ","), ("1.234,5", ","), ("1 234", "."), ("12 kg", "."), ("", "."),
     ("nan", "."), ("inf", "."), ("١٢", "."), (True, "."), ("1" * 300, ".")],
)  # fmt: skip
def test_what_could_be_another_number_is_refused(cell: object, decimal: str):
    """1,4 read with a point as 14, or 1.234 with a comma as 1.234, would be another patient."""
    with pytest.raises(NotWrittenSo) as refused:
        read_number(cell, decimal)  # type: ignore[arg-type]
    assert str(cell) not in str(refused.value) or cell == ""


@pytest.mark.parametrize("cell", ["<5", "> 90", "<=0,3", "≥100"])
def test_a_limit_is_no_number(cell: str):
    with pytest.raises(BeyondLimit):
        read_number(cell, ",")


@pytest.mark.parametrize(
    ("cell", "codes", "missing"),
    [("", (), True), ("  ", (), True), (None, (), True), (float("nan"), (), True),
     ("999", ("999",), True), ("999.0", ("999",), True), (999, ("999",), True),
     ("99", ("999",), False), ("0", (), False), (0, (), False), (False, (), False),
     ("NULL", ("NULL",), True), ("1999", ("999",), False)],
)  # fmt: skip
def test_missing_is_what_is_declared_as_missing(
    cell: object, codes: tuple[str, ...], missing: bool
):
    assert is_missing(cell, codes) is missing  # type: ignore[arg-type]


@LAW
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_a_number_written_with_either_sign_is_the_same(number: float):
    text = f"{number:.6f}"
    assert read_number(text, ".") == read_number(text.replace(".", ","), ",") == float(text)


@pytest.mark.parametrize(
    ("cell", "form", "zone", "hour"),
    [
        ("2026-11-21T08:15:00Z", None, None, 8),
        ("2026-11-21T09:15:00+01:00", None, STOCKHOLM, 8),
        ("2026-11-21 09:15", None, STOCKHOLM, 8),  # winter: one hour ahead of UTC
        ("2026-07-21 10:15", None, STOCKHOLM, 8),  # summer: two
        ("21/11/2026 09:15", "%d/%m/%Y %H:%M", STOCKHOLM, 8),
        (datetime(2026, 11, 21, 8, 15, tzinfo=UTC), None, None, 8),
    ],
)
def test_a_moment_is_read_in_utc(cell: object, form: str | None, zone: ZoneInfo | None, hour: int):
    assert read_moment(cell, form, zone).hour == hour  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cell", "zone"),
    [("2026-11-21", STOCKHOLM), ("2026-11-21 09:15", None), ("today", STOCKHOLM),
     ("2026-10-25 02:30", STOCKHOLM),  # shown twice
     ("2026-03-29 02:30", STOCKHOLM)],  # never shown
)  # fmt: skip
def test_a_moment_that_is_left_open_is_refused(cell: str, zone: ZoneInfo | None):
    with pytest.raises(NotWrittenSo):
        read_moment(cell, None, zone)


def test_whole_numbers_are_spelled_without_a_point():
    assert (read_text(2.0), read_text(2), read_text(" x ")) == ("2", "2", "x")
