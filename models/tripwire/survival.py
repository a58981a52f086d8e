"""Whether a known identifier is still somewhere, plain or in disguise: for inspection and search.

The tripwire asks "is there any identifier?"; this asks "is there this one?", and therefore can look
through encodings, where chance would mislead the other.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cached_property
from hashlib import md5, sha1, sha256
from urllib.parse import unquote_to_bytes

from models.tripwire.reading import read_plain

SEPARATORS = r"[-+ ./_:]"
JOINT = re.compile(rf"(?<=\d){SEPARATORS}{{1,3}}(?=\d)", re.ASCII)
# Shorter ones turn up by chance.
FEWEST_DIGITS = 8
CENTURY = re.compile(r"(?:1[89]|20)\d{10}", re.ASCII)


class Haystack:
    """A text prepared once for many identifiers."""

    def __init__(self, haystack: bytes | str) -> None:
        self.data = (
            haystack if isinstance(haystack, bytes) else haystack.encode("utf-8", "surrogatepass")
        )

    @cached_property
    def _lower(self) -> bytes:
        return self.data.lower()

    @cached_property
    def _plain(self) -> str:
        return read_plain(self.data.decode("utf-8", "replace")).casefold()

    @cached_property
    def _joined(self) -> str:
        """Digits joined across separators, not across letters or quotes: chance hits stay out."""
        return JOINT.sub("", self._plain)

    @cached_property
    def _unquoted(self) -> bytes:
        once = unquote_to_bytes(self.data)
        return unquote_to_bytes(once)

    def survivors(self, identifier: str) -> tuple[str, ...]:
        """Forms in which an identifier is found here."""
        spellings = _spellings(identifier)
        whole = [s for s in spellings if len(s) > 10 or not s.isdigit()]
        as_bytes = [spelling.encode() for spelling in spellings]
        forms = {
            "plain": identifier.encode() in self.data,
            "normalised": read_plain(identifier).casefold() in self._plain,
            "digits-only": self._holds_digits(identifier),
            "base64": any(
                piece in self.data for sent in as_bytes for piece in _base64_pieces(sent)
            ),
            "reversed": any(s.encode()[::-1] in self.data for s in whole),
            "url-encoded": b"%" in self.data
            and any(s.encode() not in self.data and s.encode() in self._unquoted for s in whole),
            "hex": any(sent.hex().encode() in self._lower for sent in as_bytes),
            "hash": any(digest in self._lower for sent in as_bytes for digest in _digests(sent)),
        }
        return tuple(form for form, found in forms.items() if found)

    def _holds_digits(self, identifier: str) -> bool:
        digits = re.sub(rf"{SEPARATORS}", "", read_plain(identifier))
        if not digits.isdigit() or len(digits) < FEWEST_DIGITS:
            return False
        if len(digits) > 10 and digits in self._joined:
            return True
        ten = digits[-10:] if CENTURY.fullmatch(digits) else digits
        if ten not in self._joined:
            return False
        # So few digits turn up in long decimals by chance: they must stand alone.
        spaced = rf"(?:{SEPARATORS}{{1,3}})?".join(ten)
        return re.search(rf"(?<!\d)(?<!\d\.){spaced}(?!\d)", self._plain, re.ASCII) is not None


def survivors(haystack: bytes | str, identifier: str) -> tuple[str, ...]:
    """Forms in which an identifier is found in a haystack.

    Parameters
    ----------
    haystack : bytes or str
        A file, a database page, an answer.
    identifier : str
        As it was sent.

    Returns
    -------
    tuple of str
        Of plain, normalised, digits-only, base64, reversed, url-encoded, hex and hash (unkeyed
        MD5, SHA-1 or SHA-256); empty when none is there.

    Examples
    --------
    >>> survivors("id=MTk1MDA5MDcyNTUz", "195009072553")
    ('base64',)
    >>> survivors("1950-09-07 2553", "195009072553")
    ('digits-only',)
    """
    return Haystack(haystack).survivors(identifier)


def _spellings(identifier: str) -> list[str]:
    """The identifier as sent and, when it is a national number, as others would write it."""
    plain = read_plain(identifier)
    digits = re.sub(SEPARATORS, "", plain)
    found = {identifier: None, plain: None}
    if CENTURY.fullmatch(digits):
        short = digits[2:]
        found |= dict.fromkeys(
            (digits, f"{digits[:8]}-{digits[8:]}", short, f"{short[:6]}-{short[6:]}")
        )
    return list(found)


def _base64_pieces(sent: bytes) -> set[bytes]:
    """Base64 that any text around these bytes must hold, for the three ways they can be aligned."""
    pieces = set()
    for before in range(3):
        encoded = b64encode(bytes(before) + sent)
        # Characters that also carry bits of the neighbours are left off at both ends.
        first = -(-before * 8 // 6)
        last = (before + len(sent)) * 8 // 6
        piece = encoded[first:last]
        pieces |= {piece, piece.translate(bytes.maketrans(b"+/", b"-_"))}
    return pieces


def _digests(sent: bytes) -> list[bytes]:
    return [made(sent, usedforsecurity=False).hexdigest().encode() for made in (md5, sha1, sha256)]
