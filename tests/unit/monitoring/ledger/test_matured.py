"""Which reports count for which assessment: nothing too early, nothing made up, the newest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.ledger import Link
from monitoring.ledger.matured import DAY_US, matured, tenants
from tests.lib.ledger import NOW_US, SITE, assessment, keyring_at, outcome, reading, written

HORIZON = 30
THEN = NOW_US - 100 * DAY_US


def asked(day: int, **changes):
    return assessment(THEN, index_time_us=THEN + day * DAY_US, **changes)


def told(day: int, value: float, **changes):
    return outcome(NOW_US, value=value, observed_at_us=THEN + day * DAY_US, **changes)


def values(tmp_path: Path, *entries, is_number: bool = False, now_us: int = NOW_US):
    url = f"sqlite:///{tmp_path}/ledger.db"
    written(url, keyring_at(tmp_path), list(entries))
    engine = reading(url)
    found = matured(
        engine, "icu-review", "death_180d", SITE,
        horizon_days=HORIZON, is_number=is_number, now_us=now_us,
    )  # fmt: skip
    engine.dispose()
    return {row.assessment_id: row for row in found}


def test_what_nobody_reported_is_unknown(tmp_path):
    one = asked(0)
    assert values(tmp_path, one)[one.assessment_id].value is None


def test_before_the_horizon_has_passed_there_is_no_row(tmp_path):
    early, late = asked(0), asked(71)  # 29 days ago
    found = values(tmp_path, early, late, told(1, 1.0, assessment_id=late.assessment_id))
    assert set(found) == {early.assessment_id}


@pytest.mark.parametrize(
    ("day", "value", "expected"),
    [
        (20, 1.0, 1.0),  # it happened within the horizon
        (40, 1.0, None),  # it happened later: what was within is not said
        (-1, 1.0, None),  # it happened before the question
        (30, 0.0, 0.0),  # followed to the end
        (20, 0.0, None),  # not followed to the end
    ],
)
def test_a_report_of_a_person_counts_where_it_can_be_about_the_assessment(
    tmp_path, day, value, expected
):
    one = asked(0, subject_id="1.s", episode_id="1.e")
    report = told(day, value, subject_ids=("1.s",), episode_ids=("1.e",))
    assert values(tmp_path, one, report)[one.assessment_id].value == expected


def test_a_number_belongs_to_the_assessment_that_is_named(tmp_path):
    named, other = asked(0, subject_id="1.s"), asked(1, subject_id="1.t")
    found = values(
        tmp_path, named, other, told(5, 4.5, assessment_id=named.assessment_id),
        told(60, 7.0, subject_ids=("1.t",)), is_number=True,
    )  # fmt: skip
    assert found[named.assessment_id].value == 4.5
    assert found[other.assessment_id].value is None


def test_a_correction_replaces_what_was_said(tmp_path):
    one, two = asked(0), asked(0, subject_id="1.s", episode_id=None)
    found = values(
        tmp_path, one, two,
        told(20, 1.0, assessment_id=one.assessment_id),
        told(31, 0.0, assessment_id=one.assessment_id, correction=True),
        told(20, 1.0, subject_ids=("1.s",)),
        told(31, 0.0, subject_ids=("1.s",), correction=True),
    )  # fmt: skip
    assert found[one.assessment_id].value == 0.0
    assert found[two.assessment_id].value == 0.0


def test_what_is_observed_in_the_future_counts_for_nothing_yet(tmp_path):
    one = asked(0)
    report = told(120, 0.0, assessment_id=one.assessment_id)
    assert values(tmp_path, one, report)[one.assessment_id].value is None


def test_linked_pseudonyms_are_one_patient(tmp_path):
    old, new = asked(0, subject_id="1.s", episode_id=None), asked(5, subject_id="2.s")
    found = values(
        tmp_path,
        old,
        Link(NOW_US, "subject", "1.s", "2.s"),
        new,
        told(20, 1.0, subject_ids=("2.s",)),
    )
    assert [row.value for row in found.values()] == [1.0, 1.0]
    assert len({row.whose for row in found.values()}) == 1


def test_other_tenants_branch_points_and_protected_persons_are_left_out(tmp_path):
    mine = asked(0)
    found = values(
        tmp_path, mine, asked(0, tenant="south"), asked(0, branch_point="ward-round"),
        asked(0, protected=True),
    )  # fmt: skip
    assert set(found) == {mine.assessment_id}
    engine = reading(f"sqlite:///{tmp_path}/ledger.db")
    assert tenants(engine, "icu-review") == ["north", "south"]
    engine.dispose()
