"""What cards say, in the language of the reader (`wording.toml`, `override_reasons.toml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.vocabulary.content import Key, Row, read_toml

FILE = Path(__file__).parent / "wording.toml"
OVERRIDE_FILE = Path(__file__).parent / "override_reasons.toml"
ENGLISH, SWEDISH = LANGUAGES = ("en", "sv")
DECIMALS_BELOW = 0.10
"""A risk below this is told with one decimal, and so is one as near to certain."""

_PLACES = re.compile(r"\{(\w*)\}")
_REASON = {
    "code": Key(str, required=True),
    "display_en": Key(str, required=True),
    "display_sv": Key(str, required=True),
    "source": Key(str, required=True),
}


@dataclass(frozen=True, slots=True)
class OverrideReason:
    """Why a card was set aside, as a code with its words."""

    code: str
    display: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """All texts of one language."""

    language: str
    texts: Mapping[str, str]
    bands: Mapping[str, str]
    why: Mapping[str, str]
    units: Mapping[str, str]
    unit_of_one: Mapping[str, str]
    warnings: Mapping[str, str]

    def __call__(self, key: str, **places: str) -> str:
        """A text with its places filled."""
        return self.texts[key].format(**places)

    def label(self, row: Any) -> str:
        """The label of a feature, an outcome or an action in this language."""
        label: str = getattr(row, f"label_{self.language}")
        return label

    def within(self, label: str) -> str:
        """A label in the middle of a sentence; an abbreviation keeps its capitals.

        Examples
        --------
        >>> load_wording()["en"].within("Death within 30 days")
        'death within 30 days'
        """
        keeps = len(label) > 1 and not label[1].islower()
        return label if keeps else label[0].lower() + label[1:]

    def percent(self, risk: float, *, sign: bool = True) -> str:
        """A risk as people read it.

        Examples
        --------
        >>> words = load_wording()["en"]
        >>> words.percent(0.312), words.percent(0.0449), words.percent(0.0004), words.percent(1.0)
        ('31 %', '4.5 %', '<0.1 %', '>99.9 %')
        >>> load_wording()["sv"].percent(0.0449, sign=False)
        '4,5'
        """
        if risk < 0.001:
            number = "<0.1"
        elif risk > 0.999:
            number = ">99.9"
        elif DECIMALS_BELOW <= risk <= 1 - DECIMALS_BELOW:
            number = f"{risk * 100:.0f}"
        else:
            number = f"{risk * 100:.1f}"
        return self._decimal(number) + (" %" if sign else "")

    def number(self, value: float) -> str:
        """A number to three significant digits; whole ones in full.

        Examples
        --------
        >>> words = load_wording()["sv"]
        >>> words.number(7.25), words.number(123456.0), words.number(-0.0004)
        ('7,25', '123456', '-0,0004')
        """
        return self._decimal(f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}")

    def contribution(self, value: float) -> str:
        """How far an input moves a score, with its sign.

        Examples
        --------
        >>> load_wording()["en"].contribution(0.314), load_wording()["en"].contribution(-1.2)
        ('+0.31', '-1.20')
        """
        return self._decimal(f"{value:+.2f}")

    def unit(self, code: str | None, number: float | None = None) -> str:
        """A unit as people write it, beside a number or alone.

        Examples
        --------
        >>> words = load_wording()["en"]
        >>> words.unit("d"), words.unit("d", 1), words.unit("mm[Hg]", 1), words.unit("kPa")
        ('days', 'day', 'mmHg', 'kPa')
        """
        written = self.units.get(code or "", code or "")
        return self.unit_of_one.get(code or "", written) if number == 1 else written

    def measured(self, value: float, unit: str | None) -> str:
        """A number with its unit."""
        return f"{self.number(value)} {self.unit(unit, value)}".rstrip()

    def _decimal(self, number: str) -> str:
        return number.replace(".", self.texts["decimal"])


def load_wording(path: Path = FILE) -> Mapping[str, Words]:
    """Read and check the texts of every language.

    Raises
    ------
    ContentInvalid
        When the languages differ in keys or in places.
    """
    document = read_toml(path)
    document.check({language: Key(dict, required=True) for language in LANGUAGES})
    first = document.values[ENGLISH]
    found = {}
    for language in LANGUAGES:
        row = Row(path.name, language, document.values[language])
        _compare(row, first)
        tables = {
            name: MappingProxyType(t) for name, t in row.values.items() if isinstance(t, dict)
        }
        texts = {name: text for name, text in row.values.items() if isinstance(text, str)}
        found[language] = Words(language, MappingProxyType(texts), **tables)
    return MappingProxyType(found)


def _compare(row: Row, first: Mapping[str, Any]) -> None:
    if set(row.values) != set(first):
        row.refuse(f"keys differ: {', '.join(sorted(set(row.values) ^ set(first)))}")
    for key, text in row.values.items():
        if isinstance(text, dict):
            _compare(Row(row.file, f"{row.label}.{key}", text), first[key])
        elif not isinstance(text, str):
            row.refuse(f"`{key}` must be a text")
        elif sorted(_PLACES.findall(text)) != sorted(_PLACES.findall(first[key])):
            row.refuse(f"`{key}` has other places than in English")


def load_override_reasons(path: Path = OVERRIDE_FILE) -> tuple[OverrideReason, ...]:
    """Read and check why a card can be set aside.

    Raises
    ------
    ContentInvalid
        Naming file, row and the rule that does not hold.
    """
    document = read_toml(path)
    document.check({"reason": Key(list, required=True)})
    found: dict[str, OverrideReason] = {}
    for number, values in enumerate(document.values["reason"], start=1):
        row = Row(path.name, f"reason number {number}", values)
        row.check(_REASON)
        if values["code"] in found:
            row.refuse("`code` occurs twice")
        display = {language: str(values[f"display_{language}"]) for language in LANGUAGES}
        found[values["code"]] = OverrideReason(values["code"], MappingProxyType(display))
    return tuple(found.values())


def choose_language(agreed: str | None, accept_language: str | None) -> str:
    """The tenant's language; else the first of ours that the client accepts; else English.

    Examples
    --------
    >>> choose_language("sv", "en"), choose_language(None, "sv-SE,sv;q=0.9,en;q=0.8")
    ('sv', 'sv')
    >>> choose_language(None, "de, en;q=0.3, sv;q=0.7"), choose_language(None, None)
    ('sv', 'en')
    """
    if agreed is not None:
        return agreed
    wanted: list[tuple[float, int, str]] = []
    for position, part in enumerate((accept_language or "")[:200].split(",")):
        tag, _, rest = part.strip().partition(";")
        language = tag.split("-")[0].lower()
        quality = rest.strip().removeprefix("q=") or "1"
        if language in LANGUAGES and re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", quality):
            wanted.append((-float(quality), position, language))
    return min(wanted)[2] if wanted and min(wanted)[0] < 0 else ENGLISH
