"""Whoever follows the ledger sees every assessment once, in order, and can stop anywhere."""

from __future__ import annotations

from monitoring.keyring import Keyring
from monitoring.ledger.tail import Place, asked_after, newest, reached, scored
from tests.lib.ledger import MONTH_US, NOW_US, access, assessment, reading, shadow, written

POINT = "icu-review"


def test_an_empty_ledger_has_no_place_to_begin_at(database_url: str, keyring: Keyring) -> None:
    written(database_url, keyring)
    engine = reading(database_url)
    assert newest(engine) == Place(0, 0)
    assert asked_after(engine, POINT, Place(0, 0), 5) == []
    assert reached(engine, "sha256:02") is None
    engine.dispose()


def test_assessments_come_in_order_over_months_and_pages(
    database_url: str, keyring: Keyring
) -> None:
    """Three months, lines of the access log in between, two other branch points, one protected."""
    wanted = [assessment(NOW_US + i * MONTH_US // 2) for i in range(6)]
    others = [
        assessment(branch_point="ward-round"),
        assessment(NOW_US + MONTH_US, branch_point="discharge"),
        assessment(protected=True, subject_id=None, episode_id=None),
    ]
    batches = [[*wanted[:2], access(), *others[:1]], [others[2], wanted[2]], [access(), others[1]]]
    written(database_url, keyring, *batches, wanted[3:])
    engine = reading(database_url)
    for most in (1, 2, 4, 50):
        place, found = Place(0, 0), []
        while page := asked_after(engine, POINT, place, most):
            assert len(page) <= most
            place = page[-1].place
            found += [asked.assessment_id for asked in page]
        assert found == [entry.assessment_id for entry in wanted]
    assert newest(engine) == place
    engine.dispose()


def test_a_challenger_goes_on_where_it_was_and_another_begins_anew(
    database_url: str, keyring: Keyring
) -> None:
    first, second, third = (assessment(NOW_US + i * MONTH_US) for i in range(3))
    written(database_url, keyring, [first, second])
    engine = reading(database_url)
    places = [asked.place for asked in asked_after(engine, POINT, Place(0, 0), 9)]
    # Scored a month later than it was asked.
    late = [shadow(first, places[0].seq), shadow(second, places[1].seq)]
    written(database_url, keyring, late, [third])
    found = reached(engine, "sha256:02")
    assert found is not None
    assert [a.assessment_id for a in asked_after(engine, POINT, found, 9)] == [third.assessment_id]
    assert reached(engine, "sha256:03") is None
    assert scored(engine, "sha256:02", places[0].seq, places[1].seq) == {p.seq for p in places}
    assert scored(engine, "sha256:02", places[1].seq, places[1].seq) == {places[1].seq}
    assert scored(engine, "sha256:03", 0, 99) == set()
    engine.dispose()
