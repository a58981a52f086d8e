"""Several files as one: a ZIP archive with exactly one way of being written.

Whatever opens ZIP archives opens a pack. The other way round only one form is taken: stored, never
compressed; the same time for all; no comment, no extra field, no directory, no link; local headers,
then the directory, then the end, and not a byte between. So the same files give the same bytes, an
archive cannot grow when it is opened, and no byte of it can change unseen.

References
----------
PKWARE, APPNOTE.TXT, .ZIP File Format Specification, version 6.3.10, sections 4.3.7, 4.3.12, 4.3.16.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

from training.travel.errors import PackRefused

LARGEST_ARCHIVE_BYTES = 128 * 1024 * 1024
MOST_FILES = 16
NAME = re.compile(r"[a-z]{1,20}(?:/[a-z]{1,20})?\.[a-z]{1,5}")
LONGEST_SHOWN = 40

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
LOCAL_SIGNATURE, CENTRAL_SIGNATURE, END_SIGNATURE = b"PK\3\4", b"PK\1\2", b"PK\5\6"
VERSION = 20
MADE_BY_UNIX = 3 << 8 | VERSION
NO_FLAGS = STORED = MIDNIGHT = 0
FIRST_OF_1980 = 1 << 5 | 1
PLAIN_FILE = 0o100644 << 16


def write_archive(files: Mapping[str, bytes]) -> bytes:
    r"""Write files in the order in which they are given.

    Raises
    ------
    PackRefused
        When a name is not of the form that is read back, or the whole is too large.

    Examples
    --------
    >>> content = write_archive({"a.json": b"{}"})
    >>> content[:4], len(content)
    (b'PK\x03\x04', 112)
    """
    parts, directory, at = [], [], 0
    for name, content in files.items():
        if not NAME.fullmatch(name):
            raise PackRefused(f"{_shown(name)} is not a name that a pack can hold")
        local = _local(name, content)
        directory.append(_central(name, content, at))
        parts += [local, content]
        at += len(local) + len(content)
    parts.append(_tail(directory, at))
    whole = b"".join(parts)
    if len(whole) > LARGEST_ARCHIVE_BYTES or len(files) > MOST_FILES:
        raise PackRefused(f"a pack has at most {LARGEST_ARCHIVE_BYTES} bytes, {MOST_FILES} files")
    return whole


def read_archive(content: bytes) -> dict[str, bytes]:
    """Read what `write_archive` wrote, and nothing else.

    Raises
    ------
    PackRefused
        Naming the file in it, if it can be named, and what is wrong.
    """
    if len(content) > LARGEST_ARCHIVE_BYTES:
        raise PackRefused(f"is larger than {LARGEST_ARCHIVE_BYTES} bytes")
    files: dict[str, bytes] = {}
    directory, at = [], 0
    while content[at : at + 4] == LOCAL_SIGNATURE:
        if len(files) == MOST_FILES:
            raise PackRefused(f"holds more than {MOST_FILES} files")
        name, end = _next(content, at)
        if name in files:
            raise PackRefused(f"holds {name} twice")
        begin = at + LOCAL.size + len(name)
        files[name] = content[begin:end]
        if content[at:begin] != _local(name, files[name]):
            raise PackRefused(
                f"{name} was changed, or is not in the form in which packs are written"
            )
        directory.append(_central(name, files[name], at))
        at = end
    if not files:
        raise PackRefused("is not a pack")
    if content[at:] != _tail(directory, at):
        raise PackRefused(
            "its directory was changed, or is not in the form in which packs are written"
        )
    return files


def _next(content: bytes, at: int) -> tuple[str, int]:
    """Name of the file whose header stands here, and where its content ends."""
    if at + LOCAL.size > len(content):
        raise PackRefused("is cut short")
    header = LOCAL.unpack_from(content, at)
    method, compressed, size, length = header[3], header[7], header[8], header[9]
    raw = content[at + LOCAL.size : at + LOCAL.size + length]
    name = raw.decode("ascii", "backslashreplace")
    if not NAME.fullmatch(name):
        raise PackRefused(f"holds {_shown(name)}, which is not a name that a pack can hold")
    if method != STORED or compressed != size:
        raise PackRefused(f"{name} is compressed; a pack holds files as they are")
    end = at + LOCAL.size + length + size
    if end > len(content):
        raise PackRefused(f"is cut short in {name}")
    return name, end


def _shown(name: str) -> str:
    return ascii(name)[:LONGEST_SHOWN]


def _local(name: str, content: bytes) -> bytes:
    return (
        LOCAL.pack(
            LOCAL_SIGNATURE, VERSION, NO_FLAGS, STORED, MIDNIGHT, FIRST_OF_1980,
            zlib.crc32(content), len(content), len(content), len(name), 0,
        )
        + name.encode("ascii")
    )  # fmt: skip


def _central(name: str, content: bytes, at: int) -> bytes:
    return (
        CENTRAL.pack(
            CENTRAL_SIGNATURE, MADE_BY_UNIX, VERSION, NO_FLAGS, STORED, MIDNIGHT, FIRST_OF_1980,
            zlib.crc32(content), len(content), len(content), len(name), 0, 0, 0, 0, PLAIN_FILE, at,
        )
        + name.encode("ascii")
    )  # fmt: skip


def _tail(directory: list[bytes], at: int) -> bytes:
    entries = b"".join(directory)
    number = len(directory)
    return entries + END.pack(END_SIGNATURE, 0, 0, number, number, len(entries), at, 0)
