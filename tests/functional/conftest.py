"""One connection pool for all functional tests: opening a client costs more than asking."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.lib.service import Service


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with service.client() as opened:
        yield opened
