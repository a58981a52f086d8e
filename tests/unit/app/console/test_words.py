"""Every text that a page asks for is written in both languages, and none is written in vain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.console.frame.words import LANGUAGES, load_texts

CONSOLE = Path(__file__).parents[4] / "app" / "console"
SOURCES = [*CONSOLE.rglob("*.html"), *CONSOLE.rglob("*.py")]
WHOLE = re.compile(r"""["']([a-z_]+\.[a-z0-9_]+)["']""")
BEGUN = re.compile(r"""["']([a-z_]+\.[a-z0-9_]*)(?:["'] *~|\{)""")
PLACE = re.compile(r"\{(\w+)\}")


def asked_for() -> tuple[set[str], set[str]]:
    """Whole names, and beginnings of names that are put together."""
    pages = {file.parent.name for file in CONSOLE.glob("*/words.toml")}
    text = "\n".join(file.read_text(encoding="utf-8") for file in SOURCES)
    whole = {name for name in WHOLE.findall(text) if name.split(".")[0] in pages}
    begun = {name for name in BEGUN.findall(text) if name.split(".")[0] in pages}
    return {name for name in whole if not name.endswith((".html", ".py", ".toml", ".js"))}, begun


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_that_is_asked_for_is_written(language: str):
    whole, begun = asked_for()
    written = load_texts()[language].texts
    # A beginning such as "frame.theme_" stands for several.
    missing = {n for n in whole - written.keys() if not any(w.startswith(n) for w in written)}
    assert missing == set()
    assert {b for b in begun if not any(w.startswith(b) for w in written)} == set()


def test_no_text_is_written_in_vain():
    whole, begun = asked_for()
    written = load_texts()["en"].texts
    idle = {w for w in written if w not in whole and not any(w.startswith(b) for b in begun)}
    assert idle == set()


def test_both_languages_have_the_same_places():
    english, swedish = (load_texts()[language].texts for language in LANGUAGES)
    other = {
        name: (text, swedish[name])
        for name, text in english.items()
        if set(PLACE.findall(text)) != set(PLACE.findall(swedish[name]))
    }
    assert other == {}
