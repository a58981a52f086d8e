"""The access log: sealed lines, opened by the right key only, every reading a line itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access_log import AccessLog, LogUnreadable, Touched, read_log
from app.access_log.seal import ASSESS, READ_ASSESSMENT, READ_LOG
from monitoring.keyring import Key, Keyring, load_keyring, rotate, throwaway_keyring
from monitoring.ledger import LedgerMisfit
from monitoring.ledger.book import Book
from tests.lib.properties import LAW

PATIENT, OTHER = "195009072553", "196101182803"


@dataclass(frozen=True)
class Nurse:
    client: str = "ehr"
    user: str | None = "nurse-17"
    tenant: str = "north"


def test_a_sealed_line_opens_to_what_was_put_in():
    log = AccessLog(throwaway_keyring())
    touched = Touched(ASSESS, PATIENT, "case-7731", "ward-31", "icu-review", "a-1")
    sealed = log.seal(1_000, Nurse(), touched, "s1-abc")
    assert log.open(1_000, sealed.key_version, sealed.sealed) == {
        "client": "ehr", "user": "nurse-17", "tenant": "north", "action": "assess",
        "patient": PATIENT, "episode": "case-7731", "unit": "ward-31",
        "branch_point": "icu-review", "assessment_id": "a-1",
    }  # fmt: skip


@given(patient=st.text(min_size=1, max_size=200))
@LAW
def test_any_text_a_client_can_send_survives_sealing_and_shows_nowhere(patient: str):
    log = AccessLog(throwaway_keyring())
    sealed = log.seal(5, Nurse(), Touched(ASSESS, patient))
    opened = log.open(5, sealed.key_version, sealed.sealed)
    assert opened is not None
    assert opened["patient"] == patient
    if len(patient) > 3:
        assert patient.encode("utf-8", "surrogatepass") not in sealed.sealed
        assert repr(patient) not in repr(sealed)


def test_the_same_line_is_never_sealed_to_the_same_bytes():
    log = AccessLog(throwaway_keyring())
    lines = {log.seal(5, Nurse(), Touched(ASSESS, PATIENT)).sealed for _ in range(100)}
    assert len(lines) == 100


@pytest.mark.parametrize("position", [0, 11, 12, 40, -1])
def test_a_changed_byte_does_not_open(position: int):
    log = AccessLog(throwaway_keyring())
    sealed = log.seal(5, Nurse(), Touched(ASSESS, PATIENT))
    changed = bytearray(sealed.sealed)
    changed[position] ^= 1
    assert log.open(5, sealed.key_version, bytes(changed)) is None


def test_a_line_cannot_be_moved_to_another_time_or_opened_with_another_key():
    log = AccessLog(throwaway_keyring())
    sealed = log.seal(5, Nurse(), Touched(ASSESS, PATIENT))
    assert log.open(6, sealed.key_version, sealed.sealed) is None
    assert log.open(5, 2, sealed.sealed) is None
    assert AccessLog(throwaway_keyring()).open(5, 1, sealed.sealed) is None


def test_older_lines_open_after_the_key_was_rotated(tmp_path: Path):
    path = tmp_path / "keys.toml"
    before = AccessLog(load_keyring(path, create=True)).seal(5, Nurse(), Touched(ASSESS, PATIENT))
    rotate(path, "access_log")
    log = AccessLog(load_keyring(path))
    assert log.open(5, before.key_version, before.sealed) is not None
    assert log.seal(5, Nurse(), Touched(ASSESS, PATIENT)).key_version == 2


@pytest.fixture
def written(tmp_path: Path) -> tuple[str, Keyring]:
    """Two patients' lines, and a reading by assessment, which names no patient."""
    keyring = load_keyring(tmp_path / "keys.toml", create=True)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    log = AccessLog(keyring)
    book = Book(url, keyring)
    book.prepare()
    book.write(
        [
            log.seal(10, Nurse(), Touched(ASSESS, PATIENT, assessment_id="a-1"), "s1-one"),
            log.seal(20, Nurse(), Touched(ASSESS, OTHER, assessment_id="a-2"), "s1-two"),
            log.seal(30, Nurse(), Touched(READ_ASSESSMENT, assessment_id="a-1"), None),
            log.seal(40, Nurse(), Touched(READ_ASSESSMENT, assessment_id="a-2"), "s1-two"),
        ]
    )
    book.close()
    return url, keyring


def test_every_reading_is_a_line_with_its_reason(written: tuple[str, Keyring]):
    url, keyring = written
    lines = list(read_log(url, keyring, Nurse(), "spot check", now_us=50))
    assert [line.action for line in lines] == [
        ASSESS, ASSESS, READ_ASSESSMENT, READ_ASSESSMENT, READ_LOG,
    ]  # fmt: skip
    assert lines[-1].reason == "spot check"
    assert lines[-1].user == "nurse-17"


def test_a_reading_that_is_not_read_to_its_end_is_logged_all_the_same(
    written: tuple[str, Keyring],
):
    url, keyring = written
    next(read_log(url, keyring, Nurse(), "curious", now_us=50))
    lines = list(read_log(url, keyring, Nurse(), "spot check", now_us=60))
    assert [line.reason for line in lines if line.action == READ_LOG] == ["curious", "spot check"]


def test_a_patients_extract_holds_that_patients_lines_only(written: tuple[str, Keyring]):
    """Also the reading by assessment, which names no patient and carries no pseudonym."""
    url, keyring = written
    lines = list(
        read_log(
            url, keyring, Nurse(), "extract", now_us=50,
            same_patient=lambda sent: sent == PATIENT, subject_ids=frozenset({"s1-one"}),
        )
    )  # fmt: skip
    assert [(line.recorded_at_us, line.assessment_id) for line in lines] == [
        (10, "a-1"),
        (30, "a-1"),
    ]


def test_a_period_is_from_its_first_to_before_its_last(written: tuple[str, Keyring]):
    url, keyring = written
    lines = list(read_log(url, keyring, Nurse(), "march", now_us=50, since_us=20, until_us=40))
    assert [line.recorded_at_us for line in lines] == [20, 30]


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_is_shown_and_nothing_logged(
    written: tuple[str, Keyring], reason: str
):
    url, keyring = written
    with pytest.raises(LogUnreadable, match="reason"):
        next(read_log(url, keyring, Nurse(), reason, now_us=50))
    lines = list(read_log(url, keyring, Nurse(), "look", now_us=60))
    assert sum(line.action == READ_LOG for line in lines) == 1


def test_with_another_key_the_log_says_so_and_shows_nothing(written: tuple[str, Keyring]):
    url, keyring = written
    keys = dict(keyring.keys)
    keys["access_log"] = (Key("access_log", 1, bytes(32)),)
    with pytest.raises(LedgerMisfit, match="access_log"):
        list(read_log(url, Keyring(keys), Nurse(), "look", now_us=50))


def test_neither_touched_nor_a_line_shows_who_it_is_about():
    touched = Touched(ASSESS, PATIENT, "case-7731", "ward-31", reason="because")
    for secret in (PATIENT, "case-7731", "ward-31", "because"):
        assert secret not in repr(touched)
