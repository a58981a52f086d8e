"""What the console says: every page's `words.toml`, a row per text with both languages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

LANGUAGES = ("en", "sv")
FOLDER = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts of one language: `texts("page.key", place="…")`.

    Raises
    ------
    KeyError
        For a text that nobody wrote.
    """

    language: str
    texts: Mapping[str, str] = field(repr=False)

    def __call__(self, key: str, **places: object) -> str:
        return self.texts[key].format(**places)


@cache
def load_texts() -> Mapping[str, Texts]:
    """Both languages; a key is the name of the page's folder, a point, and the row's name.

    Raises
    ------
    ValueError
        Naming a row without both languages.

    Examples
    --------
    >>> load_texts()["sv"]("frame.sign_in")
    'Logga in'
    """
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for file in sorted(FOLDER.glob("*/words.toml")):
        for name, row in tomllib.loads(file.read_text(encoding="utf-8")).items():
            if set(row) != set(LANGUAGES):
                raise ValueError(f"{file.parent.name}/words.toml: {name}: expected en and sv")
            for language in LANGUAGES:
                found[language][f"{file.parent.name}.{name}"] = row[language]
    return MappingProxyType(
        {language: Texts(language, MappingProxyType(texts)) for language, texts in found.items()}
    )


class Told(NamedTuple):
    """A text of the vocabulary, and the language that an element which holds it must name."""

    text: str
    language: str


def told_in(language: str, row: Any, name: str) -> Told:
    """A text of an outcome or a branch point; in English where nobody wrote it in this language.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(who="Surgeon", who_sv="Kirurg", note="A note", note_sv=None)
    >>> told_in("sv", row, "who"), told_in("sv", row, "note").language, told_in("en", row, "who").text
    (Told(text='Kirurg', language='sv'), 'en', 'Surgeon')
    """
    own: str | None = getattr(row, f"{name}_{language}", None)
    return Told(getattr(row, name), LANGUAGES[0]) if own is None else Told(own, language)


def preferred(accept_language: str, chosen: str | None = None) -> str:
    """The language of a page: what was chosen, else the first of ours that the browser asks for.

    Examples
    --------
    >>> preferred("de, sv-SE;q=0.8, en;q=0.5"), preferred("", None), preferred("sv", "en")
    ('sv', 'en', 'en')
    """
    if chosen in LANGUAGES:
        return chosen
    for part in accept_language.split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return LANGUAGES[0]
