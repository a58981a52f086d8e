"""A known identifier is recognised in every disguise, and nowhere else."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tripwire import Haystack, survivors
from tests.lib.properties import LAW

PERSON = "195009072553"

DISGUISED = [
    # haystack, identifier, form
    (f"x{PERSON}y", PERSON, "plain"),
    ("Anna Andersson", "Anna Andersson", "plain"),
    ("ANNA ANDERSSON", "Anna Andersson", "normalised"),
    ("１９５００９０７２５５３", PERSON, "normalised"),
    ("19500907\u200b2553", PERSON, "normalised"),
    ("19500907-2553", PERSON, "digits-only"),
    ("1950:09:07_2553", PERSON, "digits-only"),
    ("500907-2553", PERSON, "digits-only"),
    ("5009072553", PERSON, "digits-only"),
    (PERSON, "19500907-2553", "digits-only"),
    (PERSON[::-1], PERSON, "reversed"),
    ("3552-70900591", PERSON, "reversed"),
    ("nossrednA", "Andersson", "reversed"),
    (quote("Åsa Svärd"), "Åsa Svärd", "url-encoded"),
    ("".join(f"%{ord(d):02X}" for d in PERSON), PERSON, "url-encoded"),
    (quote(quote("Åsa Svärd")), "Åsa Svärd", "url-encoded"),
    (PERSON.encode().hex(), PERSON, "hex"),
    (PERSON.encode().hex().upper(), PERSON, "hex"),
    (b"19500907-2553".hex(), PERSON, "hex"),
    (sha256(PERSON.encode()).hexdigest(), PERSON, "hash"),
    (sha256(b"19500907-2553").hexdigest().upper(), PERSON, "hash"),
]


@pytest.mark.parametrize(("haystack", "identifier", "form"), DISGUISED)
def test_a_disguise_is_seen_through(haystack, identifier, form):
    assert form in survivors(haystack, identifier)
    assert form in survivors(f'{{"a": "{haystack}"}}'.encode(), identifier)


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("identifier", [PERSON, "20210325K069", "Åsa Svärd", "??>>~~ÿÿ"])
@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
def test_base64_is_seen_through_in_every_alignment(encode, identifier, before, after):
    hidden = encode(b"a" * before + identifier.encode() + b"z" * after)
    assert survivors(b"x=" + hidden, identifier) == ("base64",)


@LAW
@given(st.binary(max_size=40), st.text(min_size=4, max_size=40), st.binary(max_size=40))
def test_whatever_stands_around_it_base64_is_seen_through(before, identifier, after):
    sent = identifier.encode("utf-8")
    assert "base64" in survivors(b64encode(before + sent + after), identifier)


@pytest.mark.parametrize(
    "haystack",
    [
        "", "{}", "19500907", "2553", "1950090725", "0.5009072553123456", "75009072553",
        "50090725531", "0.5009072553", '"1950", "0907", "2553"', "1950a0907b2553",
        '{"a": 1950, "b": 907, "c": 2553}', "2026-11-21T08:15:00Z", sha256(b"other").hexdigest(),
        json.dumps([i / 7 for i in range(500)]),
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(haystack):
    assert survivors(haystack, PERSON) == ()


@LAW
@given(st.lists(st.floats(0, 1), max_size=200))
def test_decimals_hold_no_one(numbers):
    assert survivors(json.dumps(numbers), PERSON) == ()


def test_one_haystack_serves_many_identifiers():
    haystack = Haystack(b"19610118-2803 and 20210325K069")
    assert haystack.survivors("196101182803") == ("digits-only",)
    assert haystack.survivors("20210325K069") == ("plain", "normalised")
    assert haystack.survivors(PERSON) == ()
