"""The bytes that a link stands for."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import assume, given
from hypothesis import strategies as st

from monitoring.keyring import LEDGER, Key
from monitoring.ledger.chain import COLUMNS, canonical, link, seal
from monitoring.ledger.tables import CHAINED, EVENTS
from tests.lib.properties import LAW

values = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=8),
)


def row(of: str) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(dict.fromkeys(COLUMNS[of], values))


def typed(given: dict[str, object]) -> list[tuple[type, str]]:
    return [(type(value), repr(value)) for value in given.values()]


@LAW
@given(st.data())
def test_rows_that_differ_have_other_bytes(data: st.DataObject) -> None:
    of = data.draw(st.sampled_from(CHAINED))
    one, two = data.draw(row(of.name)), data.draw(row(of.name))
    assert (canonical(of, one) == canonical(of, two)) == (typed(one) == typed(two))


@LAW
@given(row("events"), st.data())
def test_one_value_that_differs_is_enough(given: dict[str, object], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(COLUMNS["events"]))
    other = {**given, name: data.draw(values)}
    assume(typed(other) != typed(given))
    assert canonical(EVENTS, other) != canonical(EVENTS, given)


def test_text_does_not_slide_from_one_column_into_the_next() -> None:
    one = {"month": 1, "seq": 1, "recorded_at_us": 1, "kind": "ab", "detail": "c"}
    two = {**one, "kind": "a", "detail": "bc"}
    assert canonical(EVENTS, one) != canonical(EVENTS, two)


def test_a_link_is_the_version_and_an_hmac_over_the_link_before_and_the_row() -> None:
    """Put together by hand, as chain.py's first lines say."""
    key = Key(LEDGER, 3, bytes(range(32)))
    given = {"month": 202611, "seq": 2, "recorded_at_us": 5, "kind": "a", "detail": None}
    body = (
        b"s\0\0\0\x06events" b"i\0\0\0\x06202611" b"i\0\0\0\x012" b"i\0\0\0\x015" b"s\0\0\0\x01a" b"n"
    )  # fmt: skip
    expected = hmac.new(key.secret, b"before" + body, hashlib.sha256).digest()
    assert link(key, b"before", EVENTS, given) == b"\x03" + expected


def test_a_seal_is_no_link_and_depends_on_number_and_link() -> None:
    key = Key(LEDGER, 1, bytes(32))
    seals = {seal(key, 1, b"1"), seal(key, 11, b""), seal(key, 1, b"2"), seal(key, 2, b"1")}
    assert len(seals) == 4
