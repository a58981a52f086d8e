"""JSON as RFC 8259 means it: no NaN, no Infinity, no key twice, no bottomless nesting."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson

from app.errors import Problem

MOST_PARTS = 1_000_000
"""Objects and lists in a text of FHIR; empty ones take thirty times their text in memory."""


def parse_quickly(body: bytes) -> Any:
    """Decode a JSON text that can be megabytes of FHIR.

    Of an object that holds a key twice the last one counts, as in most readers of FHIR.

    Raises
    ------
    Problem
        413 when it has too many parts; 400 when it is not JSON.

    Examples
    --------
    >>> parse_quickly(b'[{}, {}]')
    [{}, {}]
    """
    if body.count(b"{") + body.count(b"[") > MOST_PARTS:
        raise Problem(413, f"The body has more than {MOST_PARTS} objects and lists.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem(400, "The body is not JSON as RFC 8259 has it.") from None


class _KeyTwice(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _KeyTwice
    return found


def _constant(_: str) -> NoReturn:
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)


def parse_json(body: bytes) -> Any:
    """Decode one JSON text.

    Raises
    ------
    Problem
        400, saying which rule is broken and never what was sent.

    Examples
    --------
    >>> parse_json(b'{"a": 1}')
    {'a': 1}
    """
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except _KeyTwice:
        raise Problem(400, "An object holds the same key twice; keep one.") from None
    except RecursionError:
        raise Problem(400, "The body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Problem(400, "The body is not UTF-8.") from None
    except ValueError:
        raise Problem(400, "The body is not JSON as RFC 8259 has it.") from None
