"""One running service for all rows: three tenants, real models, the EHR's own FHIR server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.lib.fhir_server import FhirServer, fhir_server
from tests.lib.hooks import CHART, Ehr
from tests.lib.service import Service, running_service
from tests.lib.tokens import BASE_URL, JwksServer, jwks, jwks_server, key_pair

NORTH, SOUTH, EAST = (f"https://{name}.example.org" for name in ("north", "south", "east"))
KEY, SOUTH_KEY, EAST_KEY = key_pair("north-1"), key_pair("south-1"), key_pair("east-1", "RS384")
PAGE = "https://ehr.example.org"
TENANTS = """
base_url = "{base_url}"
[[tenant]]
id = "north"
care_units = []
[[tenant.issuer]]
issuer = "{north}"
audience_is_url = true
jwks_file = "north.json"
algorithms = ["ES384"]
tokens = "single-use"
scopes = ["cds", "read", "assess"]
scopes_without_claim = ["cds"]
longest_life_s = 300
[tenant.cds_hooks]
fhir_servers = ["{fhir}"]
[[tenant]]
id = "south"
care_units = []
branch_points = ["icu-review", "discharge"]
[[tenant.issuer]]
issuer = "{south}"
audience_is_url = true
jwks_file = "south.json"
algorithms = ["ES384"]
tokens = "single-use"
scopes = ["cds"]
scopes_without_claim = ["cds"]
[tenant.cds_hooks]
language = "sv"
patient_references = true
system_actions = true
[[tenant]]
id = "east"
care_units = []
[[tenant.issuer]]
issuer = "{east}"
audience_is_url = true
jwks_url = "{jwks_url}"
algorithms = ["RS384"]
tokens = "single-use"
scopes = ["cds"]
scopes_without_claim = ["cds"]
"""


@dataclass(frozen=True)
class House:
    """The service, what it reads from, and its folder."""

    service: Service
    fhir: FhirServer
    keys: JwksServer
    folder: Path


@pytest.fixture(scope="session")
def house(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("cds-hooks")
    (folder / "north.json").write_bytes(jwks(KEY))
    (folder / "south.json").write_bytes(jwks(SOUTH_KEY))
    with fhir_server(CHART) as fhir, jwks_server(EAST_KEY) as keys:
        tenants = TENANTS.format(
            base_url=BASE_URL,
            north=NORTH,
            south=SOUTH,
            east=EAST,
            fhir=fhir.base,
            jwks_url=keys.url,
        )
        (folder / "tenants.toml").write_text(tenants)
        settings = {
            "RISK_TENANTS_FILE": str(folder / "tenants.toml"),
            "RISK_CORS_ORIGINS": f'["{PAGE}"]',
            "RISK_FHIR_BUDGET_S": "0.5",
            "RISK_LOG_LEVEL": "debug",
        }
        with running_service(trained, folder / "log", settings) as service:
            yield House(service, fhir, keys, folder)


@pytest.fixture(scope="session")
def http(house: House) -> Iterator[httpx.Client]:
    with house.service.client() as client:
        yield client


@pytest.fixture
def ehr(http: httpx.Client) -> Ehr:
    """A client of the tenant that has agreed on a FHIR server."""
    return Ehr(http, NORTH, KEY)


@pytest.fixture
def southern(http: httpx.Client) -> Ehr:
    """A client of the tenant that reads Swedish and takes system actions."""
    return Ehr(http, SOUTH, SOUTH_KEY)


@pytest.fixture
def fhir(house: House) -> Iterator[FhirServer]:
    """The EHR's FHIR server, as it was before the test."""
    house.fhir.asked.clear()
    house.fhir.may_answer.clear()
    yield house.fhir
    house.fhir.may_answer.set()
    house.fhir.fault, house.fhir.page_size = "", 250
    house.fhir.resources[:] = CHART
