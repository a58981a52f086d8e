r"""Text as a reader would take it, before anything is looked for.

Digits of any script become 0-9, every dash becomes "-", every space " ", invisible characters go,
and what is written as `%31` or `\u0031` is undone. Positions can be carried back.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+|\\u[0-9A-Fa-f]{4}")
MINUS = "−"


def read_plain(text: str) -> str:
    r"""Text in plain characters.

    Examples
    --------
    >>> read_plain("１９５０–0907\u00a02553")
    '1950-0907 2553'
    >>> read_plain("%31%39500907%2D2553")
    '19500907-2553'
    """
    if "%" in text or "\\u" in text:
        text = ESCAPED.sub(lambda match: _unescaped(match[0]), text)
    return text if text.isascii() else text.translate(_PLAIN)


def origins(text: str) -> list[tuple[int, int]]:
    """Slice of `text` that every character of `read_plain(text)` stands for.

    Examples
    --------
    >>> origins("a%31b")
    [(0, 1), (1, 4), (4, 5)]
    """
    found: list[tuple[int, int]] = []
    at = 0
    for match in ESCAPED.finditer(text):
        _extend(found, text[at : match.start()], at)
        plain = read_plain(_unescaped(match[0]))
        if len(plain) * 3 == len(match[0]):
            ends = range(match.start(), match.end(), 3)
            found += [(end, end + 3) for end in ends]
        else:
            found += [match.span()] * len(plain)
        at = match.end()
    _extend(found, text[at:], at)
    return found


def _extend(found: list[tuple[int, int]], piece: str, at: int) -> None:
    for position, character in enumerate(piece, start=at):
        found += [(position, position + 1)] * len(_PLAIN[ord(character)])


def _unescaped(escaped: str) -> str:
    if escaped[0] == "\\":
        return chr(int(escaped[2:], 16))
    return unquote_to_bytes(escaped).decode("utf-8", "replace")


class _PlainCharacters(dict[int, str]):
    """What each character becomes; worked out the first time it is met."""

    def __missing__(self, code: int) -> str:
        plain = "".join(_plain(c) for c in unicodedata.normalize("NFKC", chr(code)))
        self[code] = plain
        return plain


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category == "Pd" or character == MINUS:
        return "-"
    if category == "Zs":
        return " "
    # Format characters: zero-width spaces and joiners, soft hyphen, byte order mark.
    return "" if category == "Cf" else character


_PLAIN = _PlainCharacters({code: chr(code) for code in range(128)})
