"""The same patient gets the same pseudonym, two patients never do, and nobody gets back."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.deid import Pseudonymiser
from app.deid.pseudonym import normalise
from models.tripwire import find_identifiers, survivors
from tests.lib.deid import keyring
from tests.lib.properties import LAW

PERSON = "195009072553"
MADE = Pseudonymiser(keyring(b"one"))
FORM = re.compile(r"[se]\d+-[a-p]{40}")

SAME = [
    (PERSON, "19500907-2553", "1950-09-07-2553", "19500907 2553", "1950-09-07 2553",
     f" {PERSON}\n", "１９５００９０７２５５３", "19500907\u00a02553", "19500907+2553", "1950.09.07 2553",
     "19500907 - 2553"),
    ("196109732393", "19610973-2393"),
    ("189002029800", "18900202+9800", "18900202-9800"),
    ("case-7731", " case-7731", "case-7731 ", "ｃａｓｅ-7731"),
]  # fmt: skip
DIFFERENT = [
    PERSON, "500907-2553", "500907+2553", "5009072553",  # ten digits do not tell the century
    "195009072554", "20210325K069", "case-7731", "Case-7731", "case7731", "1950-09-07-2553-1",
    "1950 13 07 2553", "19501307-2553", "195013072553",  # no date: no personal number, kept as sent
]  # fmt: skip


@pytest.mark.parametrize("spellings", SAME, ids=[s[0] for s in SAME])
def test_one_patient_has_one_pseudonym_in_every_spelling(spellings):
    assert len({MADE.newest("subject", "default", spelling) for spelling in spellings}) == 1


def test_what_may_be_two_patients_stays_two():
    made = {MADE.newest("subject", "default", value) for value in DIFFERENT}
    assert len(made) == len(DIFFERENT)


def test_an_episode_that_looks_like_a_personal_number_is_kept_as_sent():
    assert normalise("episode", "19500907-2553") == "19500907-2553"


def test_kind_and_tenant_are_a_part_of_it():
    made = {MADE.newest(kind, tenant, "7") for kind in ("subject", "episode") for tenant in "ab"}
    assert len(made) == 4


@LAW
@given(st.text(), st.text(), st.text(), st.text())
def test_no_two_tenants_and_values_run_into_each_other(tenant, value, other_tenant, other):
    """Parts stand behind their lengths: "a" + "bc" is not "ab" + "c"."""
    same = (tenant, normalise("episode", value)) == (other_tenant, normalise("episode", other))
    left = MADE.newest("episode", tenant, value)
    assume(left is not None)
    assert (left == MADE.newest("episode", other_tenant, other)) is same


@LAW
@given(st.text(min_size=1))
def test_a_pseudonym_has_its_form_and_trips_no_wire(value):
    made = MADE.newest("subject", "default", value)
    if made is None:
        assert not normalise("subject", value)
        return
    assert FORM.fullmatch(made)
    assert find_identifiers(made) == ()


def test_it_is_hmac_sha_256_of_the_framed_parts():
    """Worked out with the standard library alone: RFC 2104 over length and part, three times."""
    framed = b"".join(
        len(p).to_bytes(4, "big") + p for p in (b"subject", b"north", PERSON.encode())
    )
    digest = hmac.new(b"one".ljust(32, b"\0"), framed, hashlib.sha256).hexdigest()[:40]
    letters = "".join("abcdefghijklmnop"[int(nibble, 16)] for nibble in digest)
    assert MADE.newest("subject", "north", "19500907-2553") == f"s1-{letters}"


def test_other_keys_share_no_pseudonym_and_the_same_key_makes_the_same():
    values = [str(number) for number in range(100)]

    def made(secret):
        pseudonymiser = Pseudonymiser(keyring(secret))
        return {pseudonymiser.newest("subject", "default", value) for value in values}

    assert made(b"one") == made(b"one")
    assert made(b"one").isdisjoint(made(b"two"))


def test_after_a_rotation_the_old_pseudonym_is_still_among_every():
    before = MADE.newest("subject", "default", PERSON)
    rotated = Pseudonymiser(keyring(b"one", b"two"))
    after = rotated.newest("subject", "default", PERSON)
    assert after.startswith("s2-")
    assert rotated.every("subject", "default", "19500907-2553") == (after, before)


def test_nobody_has_no_pseudonym_to_be_found_by():
    assert MADE.every("subject", "default", "  ") == ()


def test_half_a_character_is_a_name_too():
    """JSON can carry a lone surrogate; it must not stop a request."""
    assert FORM.fullmatch(MADE.newest("subject", "default", "\ud800"))


def test_only_subjects_and_episodes_get_one():
    with pytest.raises(ValueError, match="subject, episode"):
        MADE.newest("unit", "default", "x")


def test_the_identifier_cannot_be_seen_in_it():
    for value in (PERSON, "20210325K069", "case-7731"):
        assert survivors(MADE.newest("subject", "default", value), value) == ()
