"""Keyed pseudonyms: the same patient gets the same one, and without the key nobody gets back.

A pseudonym is HMAC-SHA-256 over kind, tenant and the normalised value, 160 bits of it in the letters
a to p. It holds no digit after its dash, so that no search for numbers can ever hit one by chance.
`s2-…` is a subject, made with version 2 of the key; `e1-…` an episode, made with version 1.

What is one patient
-------------------
Case and inner characters count, as local record numbers need; surrounding space and the width of
characters do not. A Swedish personal or coordination number with its century (twelve digits) is one
patient in every spelling. Ten digits do not tell the century: "-" and "+" depend on the day of
writing, are often left out, and the same ten digits belong to two people a hundred years apart. They
are therefore never joined with twelve digits, nor with each other across spellings: a patient split
in two is a nuisance, two patients made one is a danger. Send twelve digits.
"""

from __future__ import annotations

import hmac
import re
import unicodedata

from models.tripwire.national_number import kind_of_date
from monitoring.keyring import PSEUDONYM, Key, Keyring

SUBJECT, EPISODE = KINDS = ("subject", "episode")
BYTES = 20
MADE = re.compile(rf"[se][1-9][0-9]{{0,8}}-[a-p]{{{2 * BYTES}}}", re.ASCII)
LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
WITH_CENTURY = re.compile(
    r"((?:1[89]|20)\d\d)[-. /]?(\d\d)[-. /]?(\d\d) ?[-+ ]? ?(\d{4})", re.ASCII
)


class Pseudonymiser:
    """Makes pseudonyms with the keys of one installation.

    Examples
    --------
    >>> from monitoring.keyring import Key, Keyring
    >>> made = Pseudonymiser(Keyring({"pseudonym": (Key("pseudonym", 1, bytes(32)),)}))
    >>> made.newest("episode", "default", "case-7731")[:3]
    'e1-'
    >>> spellings = ("195009072553", "19500907-2553", " 1950-09-07 2553 ")
    >>> len({made.newest("subject", "default", spelling) for spelling in spellings})
    1
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keys = keyring.every(PSEUDONYM)
        # HMACs that have read kind and tenant: tenants are few, and a copy is cheaper than a start.
        self._begun: dict[tuple[int, str, str], hmac.HMAC] = {}

    def newest(self, kind: str, tenant: str, value: str) -> str | None:
        """Pseudonym that is stored and answered from now on; None for a value that is blank.

        Parameters
        ----------
        kind : str
            `subject` or `episode`.
        tenant : str
            Two tenants never share a pseudonym.
        value : str
            What the client sent.
        """
        name = normalise(kind, value)
        return self._pseudonym(self._keys[0], kind, tenant, name) if name else None

    def every(self, kind: str, tenant: str, value: str) -> tuple[str, ...]:
        """Pseudonyms under all versions of the key, newest first: to find what was stored before.

        None for a value that is blank, as none is ever stored for it.
        """
        name = normalise(kind, value)
        if not name:
            return ()
        return tuple(self._pseudonym(key, kind, tenant, name) for key in self._keys)

    def _pseudonym(self, key: Key, kind: str, tenant: str, name: str) -> str:
        begun = self._begun.get((key.version, kind, tenant))
        if begun is None:
            begun = self._begun[key.version, kind, tenant] = _begin(key, kind, tenant)
        whole = begun.copy()
        whole.update(_framed(name))
        return f"{kind[0]}{key.version}-{whole.digest()[:BYTES].hex().translate(LETTERS)}"


def is_pseudonym(text: str) -> bool:
    """Whether a text has the form of a pseudonym: anything else may be an identifier.

    Examples
    --------
    >>> is_pseudonym("e1-" + 20 * "ab"), is_pseudonym("195009072553")
    (True, False)
    """
    return MADE.fullmatch(text) is not None


def normalise(kind: str, value: str) -> str:
    """One spelling of what names the same patient or episode; empty when it names nobody.

    Examples
    --------
    >>> normalise("subject", "19500907-2553"), normalise("subject", "500907-2553")
    ('195009072553', '500907-2553')
    >>> normalise("episode", " case-7731 ")
    'case-7731'
    """
    value = (value if value.isascii() else unicodedata.normalize("NFKC", value)).strip()
    if value and kind == SUBJECT:
        number = WITH_CENTURY.fullmatch(value)
        if number is not None and kind_of_date(number[1] + number[2] + number[3]):
            return "".join(number.groups())
    return value


def _begin(key: Key, kind: str, tenant: str) -> hmac.HMAC:
    if kind not in KINDS:
        raise ValueError(f"a pseudonym is made for one of: {', '.join(KINDS)}")
    return hmac.new(key.secret, _framed(kind) + _framed(tenant), "sha256")


def _framed(part: str) -> bytes:
    """A part behind its length: no two rows of parts give the same bytes."""
    # JSON can carry half a character; it names something all the same.
    encoded = part.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4, "big") + encoded
