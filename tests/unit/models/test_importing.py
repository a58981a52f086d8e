"""Garbage is looked for again after an import, also one that failed, and only where it was before."""

from __future__ import annotations

import gc

import pytest

from models.importing import uncollected


def import_and_fail() -> None:
    with uncollected():
        raise ImportError


def test_it_goes_on_after_an_import_that_failed():
    with pytest.raises(ImportError):
        import_and_fail()
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off():
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
