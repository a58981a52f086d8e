"""A browser for all tests of a file; loudly skipped where there is none, a failure under CI=true."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.lib.chromium import MISSING, browser
from tests.lib.pages import chromium


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    if browser() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with chromium() as found:
        yield found
