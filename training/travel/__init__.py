"""Bundles travel: one signed file out, one registered version in, and a look without registering.

archive    several files as one, in exactly one form
pack       a version as a signed file
reading    a file held against its manifest and its signer
unpack     a pack as a version of this registry; no alias is moved
"""

from training.travel.errors import PackRefused
from training.travel.pack import NOT_STATED, Packed, find_version, pack
from training.travel.reading import Pack, read_pack, read_pack_file
from training.travel.unpack import Unpacked, prove_pack, unpack

__all__ = [
    "NOT_STATED",
    "Pack",
    "PackRefused",
    "Packed",
    "Unpacked",
    "find_version",
    "pack",
    "prove_pack",
    "read_pack",
    "read_pack_file",
    "unpack",
]
