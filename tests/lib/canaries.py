"""Two hundred identifiers of nobody, planted everywhere, and a search that would find any of them.

All are made up by arithmetic from a fixed seed: numbers with right and with wrong check digits,
telephone numbers that the Swedish Post and Telecom Authority keeps free for fiction (070-1740605 to
070-1740699), addresses at example.org, and family names that nobody has. Any likeness is chance.

The search looks for hundreds of thousands of byte strings at once: every spelling of every canary,
plain and in every encoding. One pass of numpy over all eight alignments asks of every eight bytes
whether a needle begins with them; only then are whole needles compared. The cost does not grow with
the number of needles. Case, scripts of digits and escapes are undone first, digits joined across
separators, and the same is asked again.
"""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from base64 import b64encode
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import md5, sha1, sha256
from io import BytesIO
from pathlib import Path
from random import Random
from typing import BinaryIO
from urllib.parse import quote, quote_plus, unquote_to_bytes

import numpy as np

from models.tripwire import survivors
from models.tripwire.national_number import check_digit
from models.tripwire.reading import read_plain

SEED = 20260411
PERSON, COORDINATED, MISTYPED, RESERVE, PHONE, EMAIL, NAME = (
    "personal_number", "coordination_number", "mistyped", "reserve_number", "phone", "email", "name",
)  # fmt: skip
HOW_MANY = {PERSON: 80, COORDINATED: 20, MISTYPED: 20, RESERVE: 20, PHONE: 20, EMAIL: 20, NAME: 20}
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
FIRST_NAMES = ("Åsa", "Göran", "Märta", "Örjan", "Anna-Karin", "Sören", "Håkan", "Ylva", "Jerker",
               "Tove")  # fmt: skip
FAMILY_NAMES = ("Björkfjällström", "Kanariefågelsson")


@dataclass(frozen=True, slots=True)
class Canary:
    """One made-up identifier.

    Attributes
    ----------
    clear : tuple of str
        How people write it; the first is its own form.
    disguised : tuple of str
        How it can be hidden.
    digits : tuple of str
        The digits alone, as each spelling has them; empty when letters belong to it.
    """

    number: int
    kind: str
    clear: tuple[str, ...]
    disguised: tuple[str, ...]
    digits: tuple[str, ...]

    @property
    def spellings(self) -> tuple[str, ...]:
        return self.clear + self.disguised


def _digits(kind: str, clear: tuple[str, ...]) -> tuple[str, ...]:
    if kind in (RESERVE, EMAIL, NAME):
        return ()
    found = dict.fromkeys(re.sub(r"\D", "", spelling) for spelling in clear)
    return tuple(digits for digits in found if len(digits) >= 10)


@cache
def canaries() -> tuple[Canary, ...]:
    """The two hundred, the same in every run.

    Examples
    --------
    >>> len({canary.clear[0] for canary in canaries()})
    200
    """
    random = Random(SEED)  # noqa: S311 - the same birds in every run
    made: dict[str, Canary] = {}
    for kind, count in HOW_MANY.items():
        wanted = len(made) + count
        while len(made) < wanted:
            clear = _MAKERS[kind](random)
            if clear[0] not in made:
                hidden, digits = _disguised(clear[0]), _digits(kind, clear)
                made[clear[0]] = Canary(len(made), kind, clear, hidden, digits)
    return tuple(made.values())


def _date(random: Random, *, sixty: bool = False) -> str:
    day = random.randint(1, 28) + 60 * sixty
    return f"{random.randint(1930, 2009)}{random.randint(1, 12):02}{day:02}"


def _person(random: Random, *, sixty: bool = False, wrong: int = 0) -> tuple[str, ...]:
    nine = f"{_date(random, sixty=sixty)}{random.randint(1, 999):03}"
    check = (check_digit(nine[2:]) + wrong) % 10
    return _written(f"{nine}{check}", "+" if random.random() < 0.5 else "-")


def _written(whole: str, sign: str) -> tuple[str, ...]:
    year, month, day, last = whole[:4], whole[4:6], whole[6:8], whole[8:]
    date, short = whole[:8], whole[2:8]
    return tuple(dict.fromkeys((
        whole, f"{date}-{last}", f"{short}{sign}{last}", f"{short}-{last}", whole[2:],
        f"{date} {last}", f"{short} {last}", f"{date}+{last}", f"{date} - {last}",
        "-".join((year, month, day, last)), ".".join((year, month, day, last)),
        "/".join((year, month, day, last)), " ".join((year, month, day, last)),
        f"{year}-{month}-{day} {last}", f"{whole[:2]} {short}-{last}", f"{date}_{last}",
        f"{date}:{last}", " ".join(whole), "-".join(whole),
        f"Patient {date}-{last}, inkom akut",
    )))  # fmt: skip


def _reserve(random: Random) -> tuple[str, ...]:
    letters = [random.choice("ABCDEFGHKLMNPRSTVX") for _ in range(2)]
    if random.random() < 0.5:
        date, last = _date(random), f"{letters[0]}{random.randint(100, 999)}"
    else:
        date = f"98{_date(random)[2:]}"
        last = f"{''.join(letters)}{random.randint(10, 99)}"
    return (f"{date}{last}", f"{date}-{last}", f"{date} {last}", f"{date}{last}".lower(),
            "-".join((date[:4], date[4:6], date[6:], last)), f"reservnr {date}{last}")  # fmt: skip


def _phone(random: Random) -> tuple[str, ...]:
    last = f"{random.randint(605, 699)}"
    own = f"70174{last.zfill(4)}"
    groups = f"{own[2:5]} {own[5:7]} {own[7:]}"
    return (f"0{own}", f"0{own[:2]}-{groups}", f"0{own[:2]}-{own[2:]}", f"+46{own}",
            f"+46 {own[:2]} {groups}", f"+46 (0){own[:2]}-{groups}", f"0046{own}",
            f"0046 {own[:2]} {own[2:]}", f"tel:+46-{own[:2]}-{own[2:]}")  # fmt: skip


def _email(random: Random) -> tuple[str, ...]:
    own = f"kanarie.{_folded(random.choice(FIRST_NAMES)).lower()}{random.randint(100, 999)}"
    address = f"{own}@example.org"
    return (address, address.upper(), f"<{address}>", f"mailto:{address}", f"{own} @ example.org")


def _name(random: Random) -> tuple[str, ...]:
    first, last = random.choice(FIRST_NAMES), random.choice(FAMILY_NAMES)
    name = f"{first} {last}"
    return (name, f"{last}, {first}", name.upper(), name.lower(), _folded(name),
            _folded(name).lower().replace(" ", "."), name.replace(" ", "_"),
            unicodedata.normalize("NFD", name))  # fmt: skip


_MAKERS = {
    PERSON: _person,
    COORDINATED: lambda random: _person(random, sixty=True),
    MISTYPED: lambda random: _person(random, wrong=random.randint(1, 9)),
    RESERVE: _reserve,
    PHONE: _phone,
    EMAIL: _email,
    NAME: _name,
}


def _disguised(own: str) -> tuple[str, ...]:
    """What a field can hold instead of the identifier's own form."""
    sent = own.encode()
    return tuple(
        spelling
        for spelling in dict.fromkeys((
            b64encode(sent).decode(), b64encode(b"x" + sent).decode(), own[::-1], sent.hex(),
            "".join(f"%{byte:02X}" for byte in sent), quote(quote(own, safe=""), safe=""),
            "".join(f"\\u{ord(character):04x}" for character in own),
            own.translate(FULL_WIDTH), own.translate(ARABIC_INDIC),
            "\u200b".join(own), f"{own[:8]}\u2011{own[8:]}", f"{own[:6]}\u00ad{own[6:]}",
            "".join(chr(0x1D7CE + int(c)) if c.isdigit() else c for c in own),
            sha256(sent).hexdigest(),
        ))
        if spelling != own
    )  # fmt: skip


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


class Planter:
    """Hands out what to plant: in turn, so that every canary stands in every place.

    A place is a name such as "POST /v1/outcomes, /subject". The spelling changes from place to place,
    so that over all places every canary is planted in every spelling.
    """

    def __init__(self) -> None:
        self._turns: Counter[str] = Counter()
        self._order: dict[str, int] = {}
        self.planted: dict[str, set[int]] = defaultdict(set)
        self._places: dict[tuple[int, str], set[str]] = defaultdict(set)

    def plant(self, place: str, *, clear: bool = False) -> str:
        """The next canary for a place, in the next spelling; `clear`: one that people write."""
        return self.plant_one(place, clear=clear)[1]

    def several(self, place: str, count: int) -> list[str]:
        """The next few canaries for a place that can hold several at once."""
        return [self.plant(place) for _ in range(count)]

    def plant_one(self, place: str, *, clear: bool = False) -> tuple[Canary, str]:
        """The next canary for a place, and how to spell it there."""
        order = self._order.setdefault(place, len(self._order))
        turn = self._turns[place]
        self._turns[place] += 1
        everyone = canaries()
        canary = everyone[(turn + 31 * order) % len(everyone)]
        spellings = canary.clear if clear else canary.spellings
        spelling = spellings[(canary.number + order + turn // len(everyone)) % len(spellings)]
        self.planted[place].add(canary.number)
        self._places[canary.number, spelling].add(place)
        return canary, spelling

    def missing(self) -> list[tuple[int, str]]:
        """Spellings that were planted nowhere, each with its canary's number."""
        return [
            (canary.number, spelling)
            for canary in canaries()
            for spelling in canary.spellings
            if (canary.number, spelling) not in self._places
        ]

    def places(self, number: int, spelling: str) -> list[str]:
        """Where a canary was planted in this spelling."""
        return sorted(self._places.get((number, spelling), ()))


@dataclass(frozen=True, slots=True, order=True)
class Survivor:
    """A canary that was found: which, in which form, where; `spelling` tells where it was planted."""

    trace: str
    number: int
    kind: str
    form: str
    spelling: str


CHUNK = 4 * 1024 * 1024
OVERLAP = 2048
JOINT = rb"[-+ ./_:]{1,3}"
RUN = re.compile(rb"\d(?:[-+ ./_:]{0,3}\d){9,}")
SEPARATORS = b"-+ ./_:"
STRETCH = re.compile(rb"[\t -~\x80-\xf4]{8,}")
TO_UNDO = re.compile(rb"[\x80-\xff]|%|\\[ux]")
BARE = re.compile(rb"\d{1,10}")
FRACTION = re.compile(rb"\d\.$")
GZIP = b"\x1f\x8b"
DIGITS_ONLY = "digits-only"


def search(trace: str, source: bytes | BinaryIO | Path) -> list[Survivor]:
    """Every canary in some bytes, in whatever form; what is compressed with gzip is opened.

    Parameters
    ----------
    trace : str
        What the bytes are, for the report.
    """
    if isinstance(source, Path):
        with source.open("rb") as opened:
            return search(trace, opened)
    if isinstance(source, bytes):
        source = BytesIO(source)
    found: set[Survivor] = set()
    first = source.read(len(GZIP))
    source.seek(0)
    if first == GZIP:
        try:
            found.update(_search_stream(trace, gzip.GzipFile(fileobj=source)))
        except (OSError, EOFError):
            source.seek(0)  # not gzip after all
        source.seek(0)
    found.update(_search_stream(trace, source))
    return sorted(found)


def search_folder(folder: Path) -> list[Survivor]:
    """Every canary in every file below a folder, and in the files' names."""
    found: list[Survivor] = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found += search(f"name of {name}", name.encode())
        if path.is_file() and not path.is_symlink():
            found += search(name, path)
    return found


def _search_stream(trace: str, source: BinaryIO | gzip.GzipFile) -> Iterator[Survivor]:
    before = b""
    while chunk := source.read(CHUNK):
        data = before + chunk
        for number, form, spelling in set(_search_bytes(data)):
            yield Survivor(trace, number, canaries()[number].kind, form, spelling)
        before = data[-OVERLAP:]


Hit = tuple[int, str, str]
"""A canary's number, the form it was found in, and the spelling that the form is made of."""


def _search_bytes(data: bytes) -> Iterator[Hit]:
    needles, numbers = _needles(), _numbers()
    yield from needles.find(data)
    read = _read(data)
    for other in (data.lower(), read):
        if other and other != data:
            for number, form, spelling in needles.find(other):
                yield number, "normalised" if form == "plain" else form, spelling
    for text in (data, read):
        yield from numbers.find(text)


def _read(data: bytes) -> bytes:
    """Stretches of text that hold more than plain ASCII, as a reader would take them."""
    stretches = [
        stretch for stretch in STRETCH.findall(data) if TO_UNDO.search(stretch) is not None
    ]
    text = b"\n".join(stretches)
    for _ in range(2):
        if b"%" in text:
            text = unquote_to_bytes(text)
    return read_plain(text.decode("utf-8", "replace")).casefold().encode()


class _Sieve:
    """Where one of many byte strings begins: asked of every eight bytes at once."""

    BITS = 22
    MIX = np.uint64(0x9E3779B97F4A7C15)

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._by_head: dict[int, list[bytes]] = defaultdict(list)
        for needle in needles:
            if not 8 <= len(needle) <= OVERLAP:
                raise ValueError(f"a needle of {len(needle)} bytes cannot be searched for")
            self._by_head[int.from_bytes(needle[:8], "little")].append(needle)
        self._heads = np.sort(np.fromiter(self._by_head, np.uint64))
        self._marked = np.zeros(1 << self.BITS, bool)
        self._marked[self._slot(self._heads)] = True

    def _slot(self, words: np.ndarray) -> np.ndarray:
        mixed: np.ndarray = (words * self.MIX) >> np.uint64(64 - self.BITS)
        return mixed

    def find(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Position and needle, in no order."""
        for shift in range(min(8, max(0, len(data) - 7))):
            words = np.frombuffer(data, "<u8", (len(data) - shift) // 8, shift)
            near = np.flatnonzero(self._marked[self._slot(words)])
            places = np.searchsorted(self._heads, words[near])
            exact = self._heads[np.minimum(places, len(self._heads) - 1)] == words[near]
            for index in near[exact].tolist():
                at = index * 8 + shift
                for needle in self._by_head[int(words[index])]:
                    if data.startswith(needle, at):
                        yield at, needle


class _Needles:
    """Every canary in every spelling, in every encoding."""

    def __init__(self) -> None:
        # Base64 drops bits at its ends: what is left can belong to several.
        self._hits: dict[bytes, list[Hit]] = defaultdict(list)
        for canary in canaries():
            for spelling in canary.spellings:
                for form, needle in _forms(spelling):
                    if len(needle) >= 8:
                        self._hits[needle].append((canary.number, form, spelling))
        self._sieve = _Sieve(self._hits)

    def find(self, data: bytes) -> Iterator[Hit]:
        for at, needle in self._sieve.find(data):
            if BARE.fullmatch(needle) and not _stands_alone(data, at, len(needle)):
                continue  # so few digits turn up in long decimals by chance
            yield from self._hits[needle]


def _stands_alone(data: bytes, at: int, length: int) -> bool:
    behind, ahead = data[max(0, at - 2) : at], data[at + length : at + length + 1]
    return not (behind[-1:].isdigit() or ahead.isdigit() or FRACTION.fullmatch(behind))


def _forms(spelling: str) -> Iterator[tuple[str, bytes]]:
    """The bytes that a spelling can stand as, each with what the form is called."""
    sent = spelling.encode()
    yield "plain", sent
    yield "plain", spelling.encode("utf-16-le")
    yield "plain", spelling.encode("utf-16-be")
    yield "plain", json.dumps(spelling)[1:-1].encode()
    yield "plain", repr(spelling)[1:-1].encode()
    yield "plain", repr(sent)[2:-1].encode()
    yield "plain", spelling.encode("latin-1", "backslashreplace")
    yield "plain", sent.decode("latin-1").encode()  # read with the wrong character set
    yield "url-encoded", quote(spelling, safe="").encode()
    yield "url-encoded", quote_plus(spelling, safe="").encode()
    for other in {spelling.lower(), spelling.upper(), spelling.casefold(), _folded(spelling),
                  _folded(spelling).lower(), read_plain(spelling).casefold()}:  # fmt: skip
        yield "normalised", other.encode()
    yield "reversed", spelling[::-1].encode()
    yield "reversed", spelling[::-1].lower().encode()
    yield "reversed", sent[::-1]
    yield "hex", sent.hex().encode()
    yield "hex", sent.hex().upper().encode()
    for pieces in (_base64(sent), _base64(spelling.encode("utf-16-le"))):
        for piece in pieces:
            yield "base64", piece
    for digest in (md5, sha1, sha256):
        made = digest(sent, usedforsecurity=False)
        yield "hash", made.digest()
        yield "hash", made.hexdigest().encode()


def _base64(sent: bytes) -> Iterator[bytes]:
    """What base64 of any text around these bytes must hold, for its three alignments."""
    for before in range(3):
        encoded = b64encode(bytes(before) + sent)
        piece = encoded[-(-before * 8 // 6) : (before + len(sent)) * 8 // 6]
        yield piece
        yield piece.replace(b"+", b"-").replace(b"/", b"_")


class _Numbers:
    """Digits of canaries across any separators, forwards and backwards; `survivors` has the last word."""

    def __init__(self) -> None:
        self._owners: dict[bytes, Canary] = {}
        for canary in canaries():
            for digits in canary.digits:
                self._owners[digits.encode()] = canary
                self._owners[digits[::-1].encode()] = canary
        self._sieve = _Sieve(self._owners)

    def find(self, data: bytes) -> Iterator[Hit]:
        runs = RUN.findall(data)
        if not runs:
            return
        joined = [run.translate(None, SEPARATORS) for run in runs]
        starts = np.cumsum([0, *(len(run) + 1 for run in joined)]).tolist()
        for at, needle in self._sieve.find(b"\n".join(joined)):
            canary, run = self._owners[needle], runs[bisect_right(starts, at) - 1]
            for digits in canary.digits:
                if DIGITS_ONLY in survivors(run, digits):
                    yield canary.number, DIGITS_ONLY, canary.clear[0]
                if DIGITS_ONLY in survivors(run[::-1], digits):
                    yield canary.number, "reversed", canary.clear[0]


@cache
def _needles() -> _Needles:
    return _Needles()


@cache
def _numbers() -> _Numbers:
    return _Numbers()


def tell(found: Iterable[Survivor], planter: Planter | None = None) -> str:
    """A report of survivors: what was found where, and where it had been planted."""
    lines = []
    for one in found:
        planted = planter.places(one.number, one.spelling) if planter else []
        lines.append(
            f"canary {one.number} ({one.kind}), {one.form} of {one.spelling!r}, in {one.trace}; "
            f"planted in {len(planted)} places: {', '.join(planted[:5])}"
        )
    return "\n".join(lines[:40])


def render(row: Mapping[str, object]) -> bytes:
    """One row of a table as bytes: each cell on a line of its own, bytes as they are."""
    cells = []
    for value in row.values():
        if isinstance(value, bytes | memoryview):
            cells.append(bytes(value))
        else:
            cells.append(str(value).encode("utf-8", "surrogatepass"))
    return b"\n".join(cells) + b"\n"
