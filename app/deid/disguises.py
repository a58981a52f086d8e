"""How an identifier can be written into a field: the disguises that the attacks try.

Only published test numbers are used: personal numbers, a coordination number, and reserve numbers.
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import Any, NamedTuple

PERSON, CENTENARIAN = "195009072553", "189002029800"
COORDINATED = "196109732393"
RESERVES = ("98240301AA06", "20210325K069")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


class Disguise(NamedTuple):
    """An identifier, and what is sent in its place."""

    encoding: str
    identifier: str
    sent: Any


def disguises() -> tuple[Disguise, ...]:
    """Every disguise that fits into one field.

    Examples
    --------
    >>> [d.sent for d in disguises() if d.encoding == "reversed"]
    ['355270900591']
    """
    date, last = PERSON[:8], PERSON[8:]
    dashed = "-".join((date[:4], date[4:6], date[6:], last))
    mistyped = PERSON[:-1] + str((int(PERSON[-1]) + 1) % 10)
    written: dict[str, Any] = {
        "twelve digits": PERSON,
        "ten digits": PERSON[2:],
        "ten digits with dash": f"{PERSON[2:8]}-{last}",
        "twelve digits with dash": f"{date}-{last}",
        "twelve digits with space": f"{date} {last}",
        "date in dashes": dashed,
        "date in dots": dashed.replace("-", "."),
        "date in spaces": dashed.replace("-", " "),
        "digit by digit": " ".join(PERSON),
        "zero-width spaces": "\u200b".join(PERSON),
        "in a sentence": f"Patient {date}-{last}, inkom akut",
        "base64": b64encode(PERSON.encode()).decode(),
        "base64, shifted by one": b64encode(b"x" + PERSON.encode()).decode(),
        "base64 for URLs": urlsafe_b64encode(f"{date}-{last}".encode()).decode(),
        "reversed": PERSON[::-1],
        "URL-encoded": "".join(f"%{ord(digit):02X}" for digit in PERSON),
        "hexadecimal": PERSON.encode().hex(),
        "full-width digits": PERSON.translate(FULL_WIDTH),
        "Arabic-Indic digits": PERSON.translate(ARABIC_INDIC),
        "JSON number, twelve digits": int(PERSON),
        "JSON number, ten digits": int(PERSON[2:]),
        "JSON number, decimals": int(PERSON[2:]) / 1e8,
        "list": [date, last],
        "object": {PERSON: PERSON},
    }
    found = [Disguise(encoding, PERSON, sent) for encoding, sent in written.items()]
    short = f"{CENTENARIAN[2:8]}+{CENTENARIAN[8:]}"
    found += [
        Disguise("ten digits with plus", CENTENARIAN, short),
        Disguise("mistyped", mistyped, mistyped),
        Disguise("mistyped with dash", mistyped, f"{mistyped[2:8]}-{mistyped[8:]}"),
        Disguise("coordination number", COORDINATED, COORDINATED),
        Disguise("coordination number, JSON number", COORDINATED, int(COORDINATED)),
        Disguise("reserve number with two letters", RESERVES[0], RESERVES[0]),
        Disguise("reserve number with one letter", RESERVES[1], RESERVES[1]),
    ]
    return tuple(found)
