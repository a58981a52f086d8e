"""Names from a given list: whole words, in either case, with or without their accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

from models.tripwire.finding import NAME, Finding

# Letters, each with the accents that may follow it as characters of their own.
WORD = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+")
# What may stand between two words of one name.
BETWEEN = re.compile(r"[\W_]{1,3}")


def find_names(text: str, names: Collection[str]) -> Iterator[Finding]:
    """Report every name of a list in plain text.

    Examples
    --------
    >>> [found.start for found in find_names("läkare: ASA SVARD", ["Åsa Svärd"])]
    [8]
    """
    known = _by_first_word(frozenset(names))
    if not known:
        return
    words = [(_fold(match[0]), match.start(), match.end()) for match in WORD.finditer(text)]
    for position, (first, start, _) in enumerate(words):
        for name in known.get(first, ()):
            stretch = words[position : position + len(name)]
            if tuple(word for word, _, _ in stretch) == name and all(
                BETWEEN.fullmatch(text, left[2], right[1]) for left, right in pairwise(stretch)
            ):
                yield Finding(NAME, start, stretch[-1][2])


@lru_cache(maxsize=8)
def _by_first_word(names: frozenset[str]) -> Mapping[str, list[tuple[str, ...]]]:
    known: dict[str, list[tuple[str, ...]]] = {}
    for name in sorted(names):
        words = tuple(_fold(word) for word in WORD.findall(name))
        if words:
            known.setdefault(words[0], []).append(words)
    return known


def _fold(word: str) -> str:
    """Fold case and drop accents: å, ä and ö are often lost on the way."""
    folded = word.casefold()
    if folded.isascii():
        return folded
    decomposed = unicodedata.normalize("NFD", folded)
    return "".join(c for c in decomposed if not unicodedata.combining(c))
