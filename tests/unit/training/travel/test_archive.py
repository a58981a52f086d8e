"""A pack is a ZIP archive that others open, and only the one form of it is opened here."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.properties import LAW
from training.travel import PackRefused
from training.travel.archive import LARGEST_ARCHIVE_BYTES, MOST_FILES, read_archive, write_archive

FILES = {"pack.json": b"{}\n", "bundle/card.md": b"# card\n", "bundle/trees.txt": b""}
NAMES = st.from_regex(r"[a-z]{1,20}(/[a-z]{1,20})?\.[a-z]{1,5}", fullmatch=True)


def zipped(fill: Callable[[zipfile.ZipFile], None], **how: object) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", **how) as archive:
        fill(archive)
    return sink.getvalue()


def entry(name: str, **attributes: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


@LAW
@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=MOST_FILES))
def test_what_is_written_is_read_back(files: dict[str, bytes]):
    assert read_archive(write_archive(files)) == files


def test_other_programs_open_it():
    """The oracle is Python's own reader of ZIP archives, with its check of every sum."""
    with zipfile.ZipFile(io.BytesIO(write_archive(FILES))) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == FILES
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_bytes_of_an_archive_are_those_of_the_specification():
    """APPNOTE 4.3.7, 4.3.12 and 4.3.16 by hand; the CRC-32 of `123456789` is CBF43926."""
    name, content = b"a.txt", b"123456789"
    crc, size = bytes.fromhex("2639f4cb"), b"\x09\0\0\0"
    common = b"\x14\0\0\0\0\0\0\0\x21\0" + crc + size + size + b"\x05\0\0\0"
    local = b"PK\x03\x04" + common + name
    attributes = b"\0\0\0\0\0\0\0\0\xa4\x81\0\0\0\0"
    central = b"PK\x01\x02\x14\x03" + common + attributes + name
    end = b"PK\x05\x06" + b"\0\0" * 2 + b"\x01\0" * 2 + b"\x33\0\0\0" + b"\x2c\0\0\0" + b"\0\0"
    assert write_archive({"a.txt": content}) == local + content + central + end


@LAW
@given(st.data())
def test_any_flipped_bit_outside_the_files_is_refused_or_reads_the_same(data: st.DataObject):
    """The sums of the files stand in the headers, so a flip in a file is seen here too."""
    whole = write_archive(FILES)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PackRefused):
        read_archive(bytes(changed))


@LAW
@given(st.binary(max_size=300))
def test_what_is_no_archive_is_refused(content: bytes):
    with pytest.raises(PackRefused):
        read_archive(content)


@LAW
@given(st.integers(0, len(write_archive(FILES)) - 1))
def test_an_archive_that_is_cut_short_is_refused(length: int):
    with pytest.raises(PackRefused):
        read_archive(write_archive(FILES)[:length])


BOMB = zipped(
    lambda z: z.writestr("pack.json", bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED
)
FOREIGN = {
    "compressed": (BOMB, "compressed"),
    "a path upwards": (zipped(lambda z: z.writestr("../../pack.json", "{}")), "not a name"),
    "an absolute path": (zipped(lambda z: z.writestr("/etc/pack.json", "{}")), "not a name"),
    "a path upwards in the middle": (
        zipped(lambda z: z.writestr("bundle/../pack.json", "{}")), "not a name",
    ),
    "backslashes": (zipped(lambda z: z.writestr("..\\pack.json", "{}")), "not a name"),
    "a folder": (zipped(lambda z: z.writestr("bundle/", "")), "not a name"),
    "a name of another script": (zipped(lambda z: z.writestr("påck.json", "{}")), "not a name"),
    "an empty name": (zipped(lambda z: z.writestr(entry("x"), "")), "not a name"),
    "a link": (
        zipped(lambda z: z.writestr(
            entry("pack.json", external_attr=0o120777 << 16, create_system=3), "/etc/hostname"
        )), "directory",
    ),
    "another time": (
        zipped(lambda z: z.writestr(zipfile.ZipInfo("pack.json", (2026, 11, 22, 0, 0, 0)), "{}")),
        "pack.json",
    ),
    "an extra field": (
        zipped(lambda z: z.writestr(entry("pack.json", extra=b"\x99\x99\x01\x00x"), "{}")),
        "pack.json",
    ),
    "a flag of encryption": (
        write_archive(FILES)[:6] + b"\1" + write_archive(FILES)[7:], "pack.json",
    ),
    "bytes before it": (b"#!/bin/sh\n" + write_archive(FILES), "is not a pack"),
    "bytes after it": (write_archive(FILES) + b"\n", "directory"),
    "a comment": (write_archive(FILES)[:-2] + b"\x02\0hi", "directory"),
    "no file at all": (zipped(lambda z: None), "is not a pack"),
    "nothing": (b"", "is not a pack"),
}  # fmt: skip


@pytest.mark.parametrize("attack", FOREIGN)
def test_every_other_form_is_refused_and_says_why(attack: str):
    content, why = FOREIGN[attack]
    with pytest.raises(PackRefused, match=why):
        read_archive(content)


def test_a_bomb_is_refused_without_being_opened():
    assert len(BOMB) < 100_000
    with pytest.raises(PackRefused, match="compressed"):
        read_archive(BOMB)


def test_a_size_that_is_not_there_is_refused_before_anything_is_taken():
    whole = bytearray(write_archive(FILES))
    whole[18:26] = b"\xff\xff\xff\x7f" * 2
    with pytest.raises(PackRefused, match=r"cut short in pack\.json"):
        read_archive(bytes(whole))


def test_a_name_twice_is_refused():
    one = write_archive({"pack.json": b"{}"})
    local = one[: one.index(b"PK\1\2")]
    with pytest.raises(PackRefused, match=r"pack\.json twice"):
        read_archive(local + one)


def test_many_files_are_refused_before_they_are_all_read():
    one = write_archive({"pack.json": b""})
    local = one[: one.index(b"PK\1\2")]
    many = b"".join(local.replace(b"pack", f"p{chr(97 + i)}ck".encode()) for i in range(20))
    with pytest.raises(PackRefused, match="more than 16"):
        read_archive(many)


def test_what_could_not_be_read_back_is_not_written():
    for name in ("../x.json", "X.json", "a b.json", "json", "a/b/c.json", "a.json\n"):
        with pytest.raises(PackRefused, match="not a name"):
            write_archive({name: b""})
    with pytest.raises(PackRefused, match="16 files"):
        write_archive({f"{chr(97 + i)}.json": b"" for i in range(17)})


def test_a_huge_archive_is_refused():
    with pytest.raises(PackRefused, match="larger than"):
        read_archive(bytes(LARGEST_ARCHIVE_BYTES + 1))
