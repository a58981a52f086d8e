"""The chain: every row carries a keyed hash of itself and of the row before it.

chain(n) = version of the key (1 byte) + HMAC-SHA-256(key, chain(n-1) + canonical(row n)), and
chain(0) is empty. Whoever alters, removes or inserts a row without the key cannot make the links fit;
the seal on the newest link keeps rows from being cut off the end. What the chain cannot show is a
database put back as a whole to an earlier state: note the head elsewhere (`risk-monitor verify`
prints it, the service logs it) and hand it to a later check.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table

from monitoring.keyring import LEDGER, Key, Keyring
from monitoring.ledger.tables import CHAINED, LATER

COLUMNS: Mapping[str, tuple[str, ...]] = {
    table.name: tuple(column.name for column in table.columns if column.name != "chain")
    for table in CHAINED
}
LATER_COLUMNS = {
    table.name: frozenset(column.name for column in table.columns if column.info == LATER)
    for table in CHAINED
}
_LENGTH = struct.Struct(">I")
_NUMBER = struct.Struct(">d")


def canonical(table: Table, row: Mapping[str, Any]) -> bytes:
    r"""All of a row but its link, as bytes: every value with its type and its length.

    Examples
    --------
    >>> from monitoring.ledger.tables import EVENTS
    >>> row = {"month": 202611, "seq": 1, "recorded_at_us": 5, "kind": "a", "detail": "b"}
    >>> canonical(EVENTS, row)[:28]
    b's\x00\x00\x00\x06eventsi\x00\x00\x00\x06202611i\x00\x00\x00\x011'
    """
    parts = [b"s", _LENGTH.pack(len(table.name)), table.name.encode()]
    for name in COLUMNS[table.name]:
        value = row[name]
        if name in LATER_COLUMNS[table.name]:
            if value is None:
                continue
            # By its name: what is left out must not make two different rows the same bytes.
            parts += (b"c", _LENGTH.pack(len(name)), name.encode())
        if value is None:
            parts.append(b"n")
            continue
        if isinstance(value, str):
            kind, data = b"s", value.encode()
        elif isinstance(value, int):  # a flag is 0 or 1, as one of the databases gives it back
            kind, data = b"i", b"%d" % value
        elif isinstance(value, float):
            kind, data = b"f", _NUMBER.pack(value)
        else:
            kind, data = b"b", bytes(value)
        parts += (kind, _LENGTH.pack(len(data)), data)
    return b"".join(parts)


def link(key: Key, before: bytes, table: Table, row: Mapping[str, Any]) -> bytes:
    """The link of a row that follows `before`."""
    digest = hmac.digest(key.secret, before + canonical(table, row), "sha256")
    return bytes((key.version,)) + digest


def seal(key: Key, seq: int, chain: bytes) -> bytes:
    """What only a holder of the key can put beside the newest link."""
    digest = hmac.digest(key.secret, b"head%d:" % seq + chain, "sha256")
    return bytes((key.version,)) + digest


def key_of(keyring: Keyring, chain: bytes) -> Key | None:
    """The key a link or a seal was made with, or None when the keyring does not have it."""
    version = chain[0] if chain else 0
    return next((key for key in keyring.every(LEDGER) if key.version == version), None)
