"""The gate's sealed record: what is believed, what is not, and what a service then does."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gate_record import (
    NO_RECORD,
    OTHER_BUNDLE,
    OTHER_KEY,
    UNREADABLE,
    GatePolicy,
    GateRecord,
    admission,
)
from tests.lib.properties import LAW

KEY, OLDER, FOREIGN = b"k" * 32, b"o" * 32, b"f" * 32
NAME, DIGEST = "icu-review.death_180d", "sha256:aa"
PASSED = GateRecord(
    NAME, DIGEST, "passed", (), None, "sha256:rules", "code", "2026-11-22T08:00:00Z", "anna"
)
FAILED = replace(PASSED, verdict="failed", failed=("calibration-slope", "net-benefit"))
OVERRIDDEN = replace(FAILED, verdict="overridden", reason="the board agreed")
POLICY = GatePolicy("refuse", (KEY, OLDER))


def without_seal(**changed: object) -> str:
    return json.dumps({"format": 1, **asdict(PASSED), "seal": "0" * 64} | changed)


def altered(**changed: object) -> str:
    return json.dumps(json.loads(PASSED.sealed(KEY)) | changed)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (PASSED.sealed(KEY), None),
        (PASSED.sealed(OLDER), None),
        (OVERRIDDEN.sealed(KEY), None),
        (FAILED.sealed(KEY), "the gate did not hold: calibration-slope, net-benefit"),
        (None, NO_RECORD),
        ("", UNREADABLE),
        ("passed", UNREADABLE),
        ("[]", UNREADABLE),
        ("[" * 100_000, UNREADABLE),
        ('{"format": 1}', UNREADABLE),
        (altered(format=2), UNREADABLE),
        (altered(verdict="excellent"), UNREADABLE),
        (altered(extra=1), UNREADABLE),
        (altered(seal=None), UNREADABLE),
        (altered(failed=[1]), UNREADABLE),
        (altered(reason=7), UNREADABLE),
        (altered(failed=["\ud800"]), OTHER_KEY),
        (altered(seal="\ud800"), OTHER_KEY),
        (PASSED.sealed(FOREIGN), OTHER_KEY),
        (without_seal(), OTHER_KEY),
        (altered(digest="sha256:bb"), OTHER_KEY),
        (altered(decided_by="berit"), OTHER_KEY),
        (replace(PASSED, digest="sha256:bb").sealed(KEY), OTHER_BUNDLE),
        (replace(PASSED, name="icu-review.sepsis").sealed(KEY), OTHER_BUNDLE),
    ],
)
def test_a_record_is_believed_only_if_it_is_sealed_here_about_this_bundle_and_holds(text, doubt):
    standing = admission(text, NAME, DIGEST, POLICY)
    assert standing.doubt == doubt
    assert standing.refused is (doubt is not None)


def test_a_failed_record_made_into_a_passed_one_is_not_believed():
    forged = json.dumps(json.loads(FAILED.sealed(KEY)) | {"verdict": "passed", "failed": []})
    assert admission(forged, NAME, DIGEST, POLICY).doubt == OTHER_KEY


@pytest.mark.parametrize(
    ("ungated", "refused"), [("serve", False), ("warn", False), ("refuse", True)]
)
def test_the_setting_decides_what_becomes_of_an_ungated_version(ungated, refused):
    policy = GatePolicy(ungated, (KEY,))
    assert admission(None, NAME, DIGEST, policy).refused is refused
    assert admission(None, NAME, DIGEST, policy).doubt == NO_RECORD
    assert admission(PASSED.sealed(KEY), NAME, DIGEST, policy).refused is False


def test_what_is_not_believed_is_not_shown():
    """Anybody who can edit a tag could otherwise put words on a card."""
    shown = admission(replace(OVERRIDDEN, reason="<b>").sealed(FOREIGN), NAME, DIGEST, POLICY)
    assert shown.document() == {
        "verdict": "none", "doubt": OTHER_KEY, "failed": [], "reason": None, "rules": None,
        "code": None, "decided_at": None, "decided_by": None,
    }  # fmt: skip


def test_an_override_is_shown_with_who_why_and_what_failed():
    shown = admission(OVERRIDDEN.sealed(KEY), NAME, DIGEST, POLICY).document()
    assert shown == {
        "verdict": "overridden", "doubt": None, "failed": ["calibration-slope", "net-benefit"],
        "reason": "the board agreed", "rules": "sha256:rules", "code": "code",
        "decided_at": "2026-11-22T08:00:00Z", "decided_by": "anna",
    }  # fmt: skip


def test_keys_do_not_stand_in_a_policy_that_is_printed():
    assert "k" * 8 not in repr(POLICY)


@LAW
@given(text=st.text(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["format", "seal", "name", "digest", "verdict", "failed"]), inner),
    max_leaves=12,
).map(json.dumps))  # fmt: skip
def test_no_text_of_others_passes_or_raises(text):
    assert admission(text, NAME, DIGEST, POLICY).refused
