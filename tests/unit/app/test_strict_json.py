"""JSON as RFC 8259 means it, and a refusal that never repeats what was sent."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Problem
from app.schemas.strict_json import parse_json
from tests.lib.properties import LAW

REFUSED = {
    "NaN": (b'{"a": NaN}', "RFC 8259"),
    "Infinity": (b"[Infinity]", "RFC 8259"),
    "minus Infinity": (b"[-Infinity]", "RFC 8259"),
    "a trailing comma": (b"[1,]", "RFC 8259"),
    "a leading zero": (b"[01]", "RFC 8259"),
    "a leading plus": (b"[+1]", "RFC 8259"),
    "a bare decimal point": (b"[.5]", "RFC 8259"),
    "nothing": (b"", "RFC 8259"),
    "two texts": (b"{} {}", "RFC 8259"),
    "a raw newline in a string": (b'["a\nb"]', "RFC 8259"),
    "a key twice": (b'{"a": 1, "a": 1}', "twice"),
    "a key twice, spelled apart": (b'{"a": 1, "\\u0061": 2}', "twice"),
    "a key twice, deep inside": (b'[{"b": {"a": 1, "a": 2}}]', "twice"),
    "bottomless lists": (b"[" * 100_000, "deeply"),
    "bottomless objects": (b'{"a":' * 100_000, "deeply"),
    "Latin-1": ('{"a": "å"}'.encode("latin-1"), "UTF-8"),
    "an encoded surrogate": (b'["\xed\xa0\x80"]', "UTF-8"),
}


@pytest.mark.parametrize(("body", "rule"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_strict_json_is_refused_by_rule(body: bytes, rule: str):
    with pytest.raises(Problem, match=rule) as caught:
        parse_json(body)
    assert caught.value.status == 400
    assert caught.value.errors == ()


def test_the_cause_is_dropped_because_its_text_holds_the_body():
    with pytest.raises(Problem) as caught:
        parse_json(b'{"subject": "195009072553"')
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "195009072553" not in str(caught.value.document())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(values)
@LAW
def test_every_json_text_comes_through_unchanged(value: object):
    assert parse_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) == (
        json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    )


@given(st.binary(max_size=60))
@LAW
def test_any_bytes_are_json_or_a_problem(body: bytes):
    with suppress(Problem):
        parse_json(body)
