"""Numbers that belong to nobody never trip the wire: otherwise it would be switched off."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tripwire import find_identifiers
from tests.lib.properties import LAW

LAW_WIDE = settings(LAW, max_examples=400)
NOBODY = [
    "0.19500907255312", "-0.19500907255312", "0.195009072553", "1.195009072553e-05", "0.5009072553",
    "12.0912122323", "500907.2553", "5009072553.25", "0.0701740605", "3.0701740605123",
    "2026-11-21T08:15:00Z", "2026-11-21T08:15:00.123456789Z", "2026-11-21 08:15:00.123456",
    "2026-11-21T08:15:00+01:00", "20261121T081500Z", "2026-11-21", "1763712900.123456",
    "[2026-11-21 08:15:00,123] 42", "1763712900123456789", "2026-11-21 1234 rows",
    "556036-0793",  # an organisation number: its third and fourth digits are never a month
    "4294967295", "1234567890", "9876543210", "5009072554",  # ten bare digits, wrong check digit
    "195013072553", "195002302553", "500231-2553",  # no such date
    "1, 9, 5, 0, 0, 9, 0, 7, 2, 5, 5, 3", "[1,9,5,0,0,9,0,7,2,5,5,3]",
    "3 1912 12 12 1212 8", "2 5 0 0 9 0 7 2 5 5 3 4",
    "127.0.0.1:8000", "10.20.30.40", "mlflow 3.17.0 on 2026-11-21", "version 20261121.1",
    "models:/icu-review.death_180d@champion", "user@host", "pkg@1.2.3", "@", "a@b", "@x.se",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "sha256:6d1950090725531f5b39f2a4e0c7d8a91b195009072553aabbccddeeff001122",
    "d41d8cd98f00b204e9800998ecf8427e", "19500907-2553-4a6b-8c1d-195009072553",
    "case-7731", "ward-31", "e1-abcdefghijklmnopabcdefghijklmnopabcdefgh",
    "HTTP/1.1 200 OK", "Content-Length: 1500", "08:15:00", "2026-08-15", "0-1 2-3 4-5 6-7 8-9",
]  # fmt: skip


@pytest.mark.parametrize("text", NOBODY)
@pytest.mark.parametrize("around", ["{}", 'a "{}" b', "x={}\n"])
def test_what_is_no_identifier_is_left_alone(text, around):
    assert find_identifiers(around.format(text)) == ()


FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) < 1e9)


@LAW_WIDE
@given(st.lists(FLOATS, min_size=1, max_size=40))
def test_decimal_numbers_are_never_one(numbers):
    assert find_identifiers(json.dumps(numbers)) == ()
    assert find_identifiers(" ".join(map(repr, numbers))) == ()


@LAW_WIDE
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_probabilities_and_contributions_are_never_one(numbers):
    assert find_identifiers("leaf_value=" + " ".join(map(repr, numbers))) == ()


@LAW_WIDE
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_times_are_never_one(moment, offset):
    local = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    utc = moment.replace(tzinfo=UTC)
    for text in (local.isoformat(), utc.isoformat().replace("+00:00", "Z"), str(moment),
                 f"{utc:%Y%m%dT%H%M%SZ}", f"{moment:%Y-%m-%d %H:%M} 17"):  # fmt: skip
        assert find_identifiers(f'{{"timestamp":"{text}"}}') == ()


@LAW_WIDE
@given(st.uuids(version=4), st.binary(min_size=32, max_size=32))
def test_random_identifiers_and_digests_are_never_one(random_id, digest):
    assert find_identifiers(f"id {random_id} {random_id.hex} {digest.hex()}") == ()


def test_a_million_characters_of_random_identifiers_hold_none():
    """The worst case of the property above: digits only, as a digest is once in a while."""
    from random import Random

    random = Random(20261121)  # noqa: S311
    lines = [str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(27_000)]
    assert find_identifiers("\n".join(lines)) == ()


TREE = "Tree=1\nsplit_feature=1 9 5 0 0 9 0 7 2 5 5 3\nleaf_count=1950 10 17 2553\nshrinkage=0.1\n"


def test_a_tree_model_is_never_one():
    """Rows that would be a number anywhere else, as text and within JSON."""
    assert find_identifiers(TREE) == ()
    assert find_identifiers(json.dumps({"trees": TREE})) == ()
    assert find_identifiers("split 1 9 5 0 0 9 0 7 2 5 5 3") != ()
    assert find_identifiers("count 1950 10 17 2553") != ()


@LAW_WIDE
@given(st.lists(st.integers(0, 6000), min_size=5, max_size=31))
def test_rows_of_counts_are_never_one(counts):
    """As LightGBM writes its trees: `leaf_count=731 20 1987 44`."""
    assert find_identifiers("leaf_count=" + " ".join(map(str, counts))) == ()
    assert find_identifiers(json.dumps(counts)) == ()


@LAW
@given(st.text())
def test_no_text_stops_the_search_and_every_position_lies_in_it(text):
    for found in find_identifiers(text, ("anna",)):
        assert 0 <= found.start < found.end <= len(text)
