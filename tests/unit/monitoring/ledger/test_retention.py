# ruff: noqa: S608 - statements are put together from our own names
"""What was kept long enough goes, and the chain over what stays still holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.keyring import Keyring
from monitoring.ledger import Shadows
from monitoring.ledger.backup import backup, restore
from monitoring.ledger.engine import open_engine
from monitoring.ledger.errors import LedgerDamaged, RetentionTooShort
from monitoring.ledger.retention import Retention, retire
from monitoring.ledger.verify import (
    ALTERED,
    HEAD_WRONG,
    INSERTED,
    REMOVED,
    UNPROVEN,
    Finding,
    Report,
    verify,
)
from tests.lib.ledger import (
    MONTH_US,
    NOW_US,
    access,
    ask,
    assessment,
    change,
    one_of_each,
    outcome,
    reading,
    written,
)
from tests.lib.properties import HEAVY_LAW

SIX_YEARS_AGO = NOW_US - 71 * MONTH_US
THREE_YEARS_AGO = NOW_US - 35 * MONTH_US
TWO_YEARS = Retention(answers=24)


@pytest.fixture(scope="module")
def filled(module_url: str, keyring: Keyring) -> str:
    """Answers and accesses in turn: 6 years ago, 3 years ago, now; keys were noted as 1 to 3.

    Numbers 4-9 are of six years ago, 10-15 of three, 16-21 of now: assessment, access, outcome,
    feedback, link, event each.
    """
    ages = (SIX_YEARS_AGO, THREE_YEARS_AGO, NOW_US)
    batches = [one_of_each(at, str(number)) for number, at in enumerate(ages, 1)]
    written(
        module_url,
        keyring,
        *([entry for entry in batch if not isinstance(entry, Shadows)] for batch in batches),
    )
    return module_url


@pytest.fixture
def url(filled: str, copied: Callable[[str, Path], str], tmp_path: Path) -> str:
    return copied(filled, tmp_path)


def checked(url: str, keyring: Keyring, **given: object) -> Report:
    engine = reading(url)
    report = verify(engine, keyring, **given)  # type: ignore[arg-type]
    engine.dispose()
    return report


def numbers(url: str) -> list[int]:
    tables = ("assessments", "outcomes", "feedback", "accesses", "links", "events")
    wanted = " UNION ALL ".join(f"SELECT seq FROM {name}" for name in tables)
    return sorted(seq for (seq,) in ask(url, wanted))


def test_old_months_go_and_the_rest_still_holds(url: str, keyring: Keyring) -> None:
    done = retire(url, keyring, TWO_YEARS, NOW_US)
    assert [(one.month, one.rows) for one in done] == [
        (202011, {"assessments": 1, "outcomes": 1, "feedback": 1, "accesses": 1}),
        (202312, {"assessments": 1, "outcomes": 1, "feedback": 1}),
    ]
    # Three years ago the access log stays; links and events always do.
    assert numbers(url) == [1, 2, 3, 8, 9, 11, 14, 15, *range(16, 22), 22, 23]
    assert checked(url, keyring).holds


def test_what_challengers_would_have_said_goes_with_the_answers(
    database_url: str, keyring: Keyring
) -> None:
    written(database_url, keyring, one_of_each(THREE_YEARS_AGO), one_of_each(NOW_US, "2"))
    [done] = retire(database_url, keyring, TWO_YEARS, NOW_US)
    assert done.rows == {"assessments": 1, "outcomes": 1, "feedback": 1, "shadows": 1}
    assert ask(database_url, "SELECT count(*) FROM shadows") == [(1,)]
    assert checked(database_url, keyring).holds


def test_the_event_tells_what_went(url: str, keyring: Keyring) -> None:
    retire(url, keyring, TWO_YEARS, NOW_US)
    told = [
        json.loads(detail)
        for (detail,) in ask(url, "SELECT detail FROM events WHERE kind = 'retired' ORDER BY seq")
    ]
    assert [item["month"] for item in told] == [202011, 202312]
    assert [[r[:2] for r in item["ranges"]] for item in told] == [[[4, 7]], [[10, 10], [12, 13]]]


def test_a_second_run_finds_nothing_to_do(url: str, keyring: Keyring) -> None:
    retire(url, keyring, TWO_YEARS, NOW_US)
    assert retire(url, keyring, TWO_YEARS, NOW_US) == []


def test_the_rest_goes_later_and_the_chain_holds_over_both(url: str, keyring: Keyring) -> None:
    retire(url, keyring, TWO_YEARS, NOW_US)
    retire(url, keyring, TWO_YEARS, NOW_US + 40 * MONTH_US)
    # Links, events, the newest access; and four events more: one for each month that went.
    assert numbers(url) == [1, 2, 3, 8, 9, 14, 15, 17, 20, 21, 22, 23, 24, 25]
    assert checked(url, keyring).holds


def test_nothing_that_is_young_enough_goes(url: str, keyring: Keyring) -> None:
    assert retire(url, keyring, Retention(), NOW_US) != []  # the access log of six years ago
    assert ask(url, "SELECT count(*) FROM assessments") == [(3,)]
    assert ask(url, "SELECT count(*) FROM accesses") == [(2,)]
    assert checked(url, keyring).holds


def test_writing_goes_on_after_a_retirement(url: str, keyring: Keyring) -> None:
    retire(url, keyring, TWO_YEARS, NOW_US)
    written(url, keyring, one_of_each(NOW_US + MONTH_US, "4"))
    assert checked(url, keyring).holds


@pytest.mark.parametrize(("answers", "accesses"), [(120, 59), (0, 60)])
def test_less_than_the_law_asks_is_refused(answers: int, accesses: int) -> None:
    with pytest.raises(RetentionTooShort):
        Retention(answers, accesses)


def test_a_ledger_that_was_tampered_with_is_not_retired(url: str, keyring: Keyring) -> None:
    change(url, "UPDATE assessments SET latency_us = 1 WHERE seq = 4")
    with pytest.raises(LedgerDamaged):
        retire(url, keyring, TWO_YEARS, NOW_US)
    assert ask(url, "SELECT count(*) FROM assessments") == [(3,)]


@pytest.mark.parametrize("seq", [8, 9, 11, 14, 15, 16, 21])
def test_a_row_removed_beside_a_retirement_is_located(url: str, keyring: Keyring, seq: int) -> None:
    retire(url, keyring, TWO_YEARS, NOW_US)
    change(
        url,
        *(
            f"DELETE FROM {name} WHERE seq = {seq}"
            for name in ("accesses", "links", "events", "assessments")
        ),
    )
    assert checked(url, keyring).findings == (Finding(REMOVED, None, seq, seq),)


@pytest.mark.parametrize("seq", [8, 11, 14])
def test_a_row_altered_beside_a_retirement_is_located(url: str, keyring: Keyring, seq: int) -> None:
    retire(url, keyring, TWO_YEARS, NOW_US)
    name, what = ("accesses", "subject_id") if seq == 11 else ("links", "new_id")
    change(url, f"UPDATE {name} SET {what} = 'x' WHERE seq = {seq}")
    assert checked(url, keyring).findings == (Finding(ALTERED, name, seq),)


def test_a_row_put_back_after_its_retirement_is_located(url: str, keyring: Keyring) -> None:
    """It carries a true link, and does not belong there any more."""
    row = ask(url, "SELECT seq, recorded_at_us, subject_id, key_version, sealed, chain FROM accesses ORDER BY seq LIMIT 1")[0]  # fmt: skip
    retire(url, keyring, TWO_YEARS, NOW_US)
    change(
        url,
        "INSERT INTO accesses (month, seq, recorded_at_us, subject_id, key_version, sealed, chain) "
        "VALUES (202611, :a, :b, :c, :d, :e, :f)",
        **dict(zip("abcdef", row, strict=True)),
    )
    assert checked(url, keyring).findings == (Finding(INSERTED, "accesses", row[0]),)


@pytest.mark.parametrize(
    "change_to",
    [
        "detail = replace(detail, '[4, 7', '[4, 8')",
        "detail = 'nothing'",
        "kind = 'retyred'",
        "recorded_at_us = recorded_at_us + 1",
    ],
)
def test_a_retirement_that_was_tampered_with_explains_nothing(
    url: str, keyring: Keyring, change_to: str
) -> None:
    retire(url, keyring, TWO_YEARS, NOW_US)
    change(url, f"UPDATE events SET {change_to} WHERE seq = 22")
    found = checked(url, keyring).findings
    assert found == (Finding(ALTERED, "events", 22), Finding(UNPROVEN, None, 4, 7))


def test_a_forged_retirement_explains_nothing(url: str, keyring: Keyring) -> None:
    """Whoever removes a row and tells of a retirement cannot link the telling."""
    chain = ask(url, "SELECT chain FROM accesses WHERE seq = 17")[0][0]
    detail = json.dumps(
        {"month": 202611, "rows": {}, "after": "AAAA", "ranges": [[17, 17, "AAAA"]]}
    )
    change(
        url, "DELETE FROM accesses WHERE seq = 17",
        "UPDATE events SET kind = 'retired', detail = :detail WHERE seq = 21", detail=detail,
    )  # fmt: skip
    assert chain
    assert set(checked(url, keyring).findings) == {
        Finding(ALTERED, "events", 21), Finding(UNPROVEN, None, 17, 17),
    }  # fmt: skip


def test_a_noted_head_that_was_retired_says_nothing(url: str, keyring: Keyring) -> None:
    heads = {seq: bytes(chain).hex() for seq, chain in ask(url, "SELECT seq, chain FROM assessments UNION ALL SELECT seq, chain FROM feedback")}  # fmt: skip
    retire(url, keyring, TWO_YEARS, NOW_US)
    assert checked(url, keyring, expected_heads=list(heads.items())).holds
    # Of the last row of a range the link is still known.
    assert checked(url, keyring, expected_heads=[(7, "01ff")]).findings == (
        Finding(HEAD_WRONG, None, 7),
    )


def test_many_fragments_take_several_events(
    database_url: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.ledger.retention.RANGES_PER_EVENT", 7)
    old = THREE_YEARS_AGO
    written(database_url, keyring, [e for _ in range(50) for e in (assessment(old), access(old))])
    retire(database_url, keyring, TWO_YEARS, NOW_US)
    assert ask(database_url, "SELECT count(*) FROM events WHERE kind = 'retired'") == [(8,)]
    assert checked(database_url, keyring).holds
    retire(database_url, keyring, TWO_YEARS, NOW_US + 40 * MONTH_US)
    assert ask(database_url, "SELECT count(*) FROM accesses") == [(0,)]
    assert checked(database_url, keyring).holds
    change(database_url, "DELETE FROM events WHERE kind = 'retired' AND seq = 105")
    assert not checked(database_url, keyring).holds


def test_what_is_retired_is_gone_from_the_file(tmp_path: Path, keyring: Keyring) -> None:
    """Not only unlisted: SQLite would leave it where it was until the place is needed again."""
    file = tmp_path / "ledger.db"
    url = f"sqlite:///{file}"
    answer = b"unmistakable" * 500
    written(
        url, keyring, [assessment(THREE_YEARS_AGO, answer=answer) for _ in range(200)], [access()]
    )
    retire(url, keyring, TWO_YEARS, NOW_US)
    left = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    assert b"unmistakable" not in left
    assert len(left) < 300_000  # of more than a megabyte
    assert checked(url, keyring).holds


def test_a_backup_after_a_retirement_restores(url: str, keyring: Keyring, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    retire(url, keyring, TWO_YEARS, NOW_US)
    source, target = reading(url), open_engine(f"sqlite:///{tmp_path / 'new.db'}", writes=True)
    backup(source, keyring, tmp_path / "b.gz", now=datetime.now(UTC))
    restore(target, keyring, tmp_path / "b.gz")
    assert verify(target, keyring).holds
    source.dispose()
    target.dispose()


@HEAVY_LAW
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([71, 70, 35, 34, 1, 0]), st.booleans()), min_size=1, max_size=25
    ),
    later=st.lists(st.integers(0, 60), max_size=3),
)
def test_any_order_of_months_and_any_retirements_leave_a_chain_that_holds(
    tmp_path_factory: pytest.TempPathFactory,
    keyring: Keyring,
    rows: list[tuple[int, bool]],
    later: list[int],
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('months') / 'ledger.db'}"
    written(
        url,
        keyring,
        [(access if sealed else assessment)(NOW_US - months * MONTH_US) for months, sealed in rows],
    )
    for months in sorted(later):
        retire(url, keyring, TWO_YEARS, NOW_US + months * MONTH_US)
        assert checked(url, keyring).holds
    written(url, keyring, [outcome(subject_ids=("1.aa",))])
    assert checked(url, keyring).holds
