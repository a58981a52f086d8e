"""The attack table over HTTP: who gets in, who does not, and what that costs an attacker to learn.

`unit/app/identity` holds every rule of tokens on its own; here real processes are asked from
outside, two workers among them, with the tenants file and the keys of an operator.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lib.service import Service, run_command, running_service
from tests.lib.tokens import (
    AUDIENCE,
    BASE_URL,
    ISSUER,
    JwksServer,
    KeyPair,
    base64url,
    claims,
    forged,
    jwks,
    jwks_server,
    key_pair,
    signed_with_secret,
)
from tests.lib.until import until

ICU = "/v1/branch-points/icu-review/assessments"
SURGERY = "/v1/branch-points/surgery-decision/assessments"
REQUEST = {"index_time": "2026-11-21T08:15:00Z", "measurements": {"age": 71}}
EHR, CDS, SOUTH = key_pair("ehr-1"), key_pair("cds-1"), key_pair("south-1")
ROTATED = key_pair("ehr-2")
STRANGER = key_pair("stranger")
SAME_NAME = key_pair("ehr-1", "ES384", 1)  # another key, which calls itself ehr-1
CDS_ISSUER, SOUTH_ISSUER, SHARED_ISSUER = (
    "https://cds.example.org", "https://south.example.org", "https://shared.example.org",
)  # fmt: skip
PAGE, OTHER_PAGE = "https://ehr.example.org", "https://stranger.example.org"
CERTIFICATE = "CN=integration,O=Example"
PATIENCE_S = 20.0
BODY_TIMEOUT_S = 0.5
FHIR_SPOKEN = {"/cds-services": "application/json", "/fhir/": "application/fhir+json"}
ALL_SCOPES = '["read", "assess", "outcomes", "inspect"]'


def tenants_file(folder: Path, jwks_url: str) -> Path:
    """Two organisations: one with an issuer by file and one by address, both with a shared one."""
    (folder / "ehr.json").write_bytes(jwks(EHR))
    (folder / "south.json").write_bytes(jwks(SOUTH))
    (folder / "shared.json").write_bytes(jwks(EHR))
    file = folder / "tenants.toml"
    file.write_text(
        f"""
base_url = "{BASE_URL}"
[[tenant]]
id = "north"
care_units = ["ward-31"]
branch_points = ["icu-review"]
[[tenant.issuer]]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "ehr.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = {ALL_SCOPES}
longest_life_s = 600
[[tenant.issuer]]
issuer = "{CDS_ISSUER}"
audience_is_url = true
jwks_url = "{jwks_url}"
algorithms = ["ES384"]
tokens = "single-use"
scopes = ["assess"]
scopes_without_claim = ["assess"]
[[tenant.issuer]]
issuer = "{SHARED_ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "shared.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read", "assess"]
[[tenant.client_certificate]]
subject = "{CERTIFICATE}"
client = "integration"
scopes = ["read"]
[[tenant]]
id = "south"
care_units = []
[[tenant.issuer]]
issuer = "{SOUTH_ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "south.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = {ALL_SCOPES}
[[tenant.issuer]]
issuer = "{SHARED_ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "shared.json"
algorithms = ["ES384"]
tokens = "reusable"
scopes = ["read", "assess"]
[[tenant]]
id = "hasty"
care_units = []
rate_limit_per_s = 4
"""
    )
    return file


@dataclass(frozen=True)
class Guarded:
    """A service with tenants, the folder of their keys, its issuer's server and a stranger's."""

    service: Service
    client: httpx.Client
    folder: Path
    issuer: JwksServer
    stranger: JwksServer
    sent: list[str] = field(default_factory=list)
    """Every credential that was sent: none may stand in the log."""

    def ask(self, token: str | None = None, method: str = "GET", path: str = "/v1/features",
            **given: Any) -> httpx.Response:  # fmt: skip
        """One request on a connection of its own, so that any worker may get it."""
        headers = dict(given.pop("headers", {}))
        if token is not None:
            self.sent.append(token)
            headers["Authorization"] = f"Bearer {token}"
        return self.client.request(method, path, headers=headers, **given)

    def assess(self, token: str | None = None, path: str = ICU, **given: Any) -> httpx.Response:
        return self.ask(token, "POST", path, json={**REQUEST, **given.pop("fields", {})}, **given)

    def keys(self, *arguments: str) -> Any:
        """What `risk-serve keys … --json` prints."""
        done = run_command(
            "risk-serve", "keys", *arguments, "--json",
            var=self.folder / "var", settings=self.service.settings,
        )  # fmt: skip
        return json.loads(done.stdout)

    def api_key(self, *scopes: str, tenant: str = "north") -> dict[str, Any]:
        options = [word for scope in scopes for word in ("--scope", scope)]
        made: dict[str, Any] = self.keys("create", "--name", "a test", "--tenant", tenant, *options)
        self.sent.append(made["key"])
        return made


@contextmanager
def guarded_service(folder: Path, until: int | None = None, **settings: str) -> Iterator[Guarded]:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        issuer = stack.enter_context(jwks_server(CDS))
        stranger = stack.enter_context(jwks_server(STRANGER))
        file = tenants_file(folder, issuer.url)
        service = stack.enter_context(
            running_service(
                folder / "var", folder / "log", {"RISK_TENANTS_FILE": str(file), **settings},
                until=until,
            )
        )  # fmt: skip
        no_reuse = httpx.Limits(max_keepalive_connections=0)
        client = stack.enter_context(
            httpx.Client(base_url=service.url, timeout=PATIENCE_S, limits=no_reuse)
        )
        yield Guarded(service, client, folder, issuer, stranger)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("two-workers")
    # The proxy stands elsewhere: whoever asks from here is not believed about certificates.
    settings = {"RISK_WORKERS": "2", "RISK_TRUSTED_PROXIES": json.dumps(["192.0.2.1"])}
    with guarded_service(folder, **settings) as guarded:
        until(lambda: len(workers(guarded.service)) == 2)
        yield guarded
        assert guarded.stranger.requests == []
        leaks_nothing(guarded)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One worker whose operations are guarded too, with short patience, behind a proxy."""
    settings = {
        "RISK_OPERATIONS": "read",
        "RISK_BODY_TIMEOUT_S": str(BODY_TIMEOUT_S),
        "RISK_CORS_ORIGINS": json.dumps([PAGE]),
        "RISK_TRUSTED_PROXIES": json.dumps(["127.0.0.1"]),
    }
    folder = tmp_path_factory.mktemp("strict")
    with guarded_service(folder, until=401, **settings) as guarded:
        yield guarded
        leaks_nothing(guarded)


def leaks_nothing(guarded: Guarded) -> None:
    log = guarded.service.log.read_text()
    assert "Traceback" not in log
    assert [token for token in guarded.sent if token and token in log] == []


def workers(service: Service) -> list[psutil.Process]:
    """The processes that listen."""
    family = psutil.Process(service.process.pid).children()
    return [p for p in family if any(c.status == "LISTEN" for c in p.net_connections())]


def is_refused(reply: httpx.Response, status: int) -> None:
    """A refusal with its status, a challenge on 401, and no hint about the token.

    A problem document; an OperationOutcome with one issue from the interfaces that speak FHIR.
    """
    path, told = reply.url.path, reply.json()
    media_type = "application/problem+json"
    for spoken_at, spoken in FHIR_SPOKEN.items():
        if path.startswith(spoken_at):
            media_type = spoken
            assert told["resourceType"] == "OperationOutcome"
            assert [issue["severity"] for issue in told["issue"]] == ["error"]
    assert (reply.status_code, reply.headers["content-type"]) == (status, media_type), reply.text
    assert told.get("status", status) == status
    assert ("www-authenticate" in reply.headers) == (status == 401)
    assert "errors" not in told


def cds_token(key: KeyPair = CDS, path: str = ICU, **changed: Any) -> str:
    """A token as CDS Hooks clients make it: for one address, without scopes."""
    said = {"iss": CDS_ISSUER, "aud": BASE_URL + path, "client_id": None, "scope": None}
    return key.token(claims(**{**said, **changed}))


def shared_token(tenant: str | None) -> str:
    return EHR.token(claims(iss=SHARED_ISSUER, tenant=tenant))


@pytest.mark.parametrize(
    ("made", "status"),
    [
        pytest.param(lambda _: EHR.token(claims()), 200, id="a good token"),
        pytest.param(lambda _: EHR.token(claims(aud=["else", AUDIENCE])), 200, id="audiences"),
        pytest.param(lambda _: cds_token(), 200, id="a good token by address, no scope claim"),
        pytest.param(lambda _: shared_token("south"), 200, id="a shared issuer and its tenant"),
        pytest.param(lambda _: None, 401, id="nothing"),
        pytest.param(lambda _: "no-token", 401, id="no token"),
        pytest.param(lambda _: "a.b.c", 401, id="three parts of nothing"),
        pytest.param(lambda _: "ä.ö.å", 401, id="not ASCII"),
        pytest.param(lambda _: forged({"alg": "none"}, claims()), 401, id="alg none"),
        pytest.param(lambda _: forged({"alg": "nOnE", "kid": EHR.kid}, claims()), 401, id="nOnE"),
        pytest.param(
            lambda _: signed_with_secret(claims(), EHR.pem(), kid=EHR.kid), 401,
            id="HS256 with the public key",
        ),
        pytest.param(
            lambda _: signed_with_secret(claims(), jwks(EHR), kid=EHR.kid), 401,
            id="HS256 with the key set",
        ),
        pytest.param(
            lambda _: key_pair("ehr-1", "RS256").token(claims()), 401, id="another algorithm",
        ),
        pytest.param(lambda _: EHR.token(claims(aud="someone-else")), 401, id="wrong audience"),
        pytest.param(lambda _: EHR.token(claims(aud=None)), 401, id="no audience"),
        pytest.param(lambda _: cds_token(path=SURGERY), 401, id="for another address"),
        pytest.param(lambda _: EHR.token(claims(iss="https://x")), 401, id="wrong issuer"),
        pytest.param(lambda _: EHR.token(claims(iss=SOUTH_ISSUER)), 401, id="another's issuer"),
        pytest.param(lambda _: EHR.token(claims(iss=None)), 401, id="no issuer"),
        pytest.param(
            lambda _: EHR.token(claims(time.time() - 1000)), 401, id="expired",
        ),
        pytest.param(lambda _: EHR.token(claims(time.time() + 300)), 401, id="of the future"),
        pytest.param(lambda _: EHR.token(claims(nbf=time.time() + 300)), 401, id="not yet valid"),
        pytest.param(lambda _: EHR.token(claims(exp=None)), 401, id="without an end"),
        pytest.param(lambda _: EHR.token(claims(exp=time.time() + 9000)), 401, id="too long"),
        pytest.param(lambda _: EHR.token(claims(exp=10**400)), 401, id="an end of 400 digits"),
        pytest.param(lambda _: EHR.token(claims(exp="tomorrow")), 401, id="an end in words"),
        pytest.param(lambda _: EHR.token(claims(jti=None)), 401, id="without jti"),
        pytest.param(lambda _: EHR.token(claims(), kid="unknown"), 401, id="unknown kid"),
        pytest.param(lambda _: cds_token(key_pair("cds-9")), 401, id="unknown kid, by address"),
        pytest.param(lambda _: EHR.token(claims(), kid=None), 401, id="no kid"),
        pytest.param(lambda _: SAME_NAME.token(claims()), 401, id="another key of that name"),
        pytest.param(
            lambda guarded: STRANGER.token(claims(), jku=guarded.stranger.url), 401,
            id="jku of a stranger",
        ),
        pytest.param(
            lambda guarded: STRANGER.token(
                claims(iss=CDS_ISSUER, aud=BASE_URL + ICU), jku=guarded.stranger.url
            ),
            401, id="jku of a stranger, issuer by address",
        ),
        pytest.param(
            lambda guarded: STRANGER.token(claims(), jwk=STRANGER.jwk(), x5u=guarded.stranger.url),
            401, id="brings its own key",
        ),
        pytest.param(
            lambda guarded: STRANGER.token(claims(iss=guarded.stranger.url)), 401,
            id="a stranger's address as issuer",
        ),
        pytest.param(lambda _: EHR.token(claims(), crit=["exp"]), 401, id="crit"),
        pytest.param(lambda _: EHR.token(claims(), b64=False), 401, id="b64"),
        pytest.param(lambda _: EHR.token(claims(), typ="other"), 401, id="another type"),
        pytest.param(lambda _: EHR.token(claims(note="x" * 12_000)), 401, id="oversized"),
        pytest.param(lambda _: EHR.token(claims())[:-4], 401, id="cut"),
        pytest.param(
            lambda _: EHR.token(claims()).rsplit(".", 1)[0] + "." + base64url(bytes(96)), 401,
            id="a signature of zeros",
        ),
        pytest.param(lambda _: EHR.token(claims(sub="a\nb")), 401, id="a line break in a name"),
        pytest.param(lambda _: EHR.token(claims(sub=["a"])), 401, id="a list for a name"),
        pytest.param(lambda _: shared_token(None), 401, id="a shared issuer, no tenant"),
        pytest.param(lambda _: shared_token("west"), 401, id="a shared issuer, unknown tenant"),
        pytest.param(lambda _: EHR.token(claims(tenant="south")), 403, id="wrong tenant"),
        pytest.param(lambda _: EHR.token(claims(scope="read")), 403, id="wrong scope"),
        pytest.param(lambda _: EHR.token(claims(scope="cds admin")), 403, id="foreign scopes"),
        pytest.param(lambda _: EHR.token(claims(scope=None)), 403, id="no scope"),
    ],
)  # fmt: skip
def test_the_attack_table(two_workers: Guarded, made: Callable[[Guarded], str | None], status: int):
    token = made(two_workers)
    headers = {}
    if token is not None and not token.isascii():
        headers, token = {"Authorization": f"Bearer {token}".encode()}, None
    reply = two_workers.assess(token, headers=headers)
    assert reply.status_code == status, reply.text
    if status != 200:
        is_refused(reply, status)
        assert token is None or not token or token not in reply.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic cmlzazpyaXNr"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
        {"X-API-Key": ""},
        {"X-API-Key": "risk_" + "0" * 12 + "_" + "A" * 43},
        {"X-API-Key": "x" * 20_000},
        {"X-Client-Certificate-Subject": CERTIFICATE},
        {"Cookie": "token=1"},
    ],
    ids=lambda headers: f"{next(iter(headers))} {str(next(iter(headers.values())))[:12]}",
)
def test_other_headers_let_nobody_in(two_workers: Guarded, headers: Mapping[str, str]):
    is_refused(two_workers.ask(headers=headers), 401)


def test_two_credentials_at_once_are_none(two_workers: Guarded):
    key = two_workers.api_key("read")["key"]
    until(lambda: two_workers.ask(key).status_code == 200)
    is_refused(two_workers.ask(EHR.token(claims()), headers={"X-API-Key": key}), 401)


@contextmanager
def connection_to(worker: psutil.Process, url: str) -> Iterator[HTTPConnection]:
    """A connection that this worker has: the kernel chooses, so it is asked who got it."""
    address = urlsplit(url)
    assert address.hostname is not None
    for _ in range(200):
        connection = HTTPConnection(address.hostname, address.port, timeout=PATIENCE_S)
        connection.request("GET", "/livez")
        assert connection.getresponse().read()
        port = connection.sock.getsockname()[1]
        if port in {c.raddr.port for c in worker.net_connections() if c.raddr}:
            break
        connection.close()
    else:
        raise AssertionError("the worker was never given a connection")
    try:
        yield connection
    finally:
        connection.close()


def assess_over(connection: HTTPConnection, token: str) -> int:
    """The status of one request on this very connection."""
    connection.request("POST", ICU, json.dumps(REQUEST), {"Authorization": f"Bearer {token}"})
    reply = connection.getresponse()
    reply.read()
    return reply.status


def test_a_single_use_token_is_used_once_whichever_worker_sees_it_again(two_workers: Guarded):
    first, second = workers(two_workers.service)
    url = two_workers.service.url
    token = cds_token()
    two_workers.sent.append(token)
    with connection_to(first, url) as one, connection_to(second, url) as other:
        assert assess_over(one, token) == 200
        assert assess_over(other, token) == 401
        assert assess_over(one, token) == 401


def test_of_many_uses_at_once_exactly_one_is_let_in(two_workers: Guarded):
    token = cds_token()
    with ThreadPoolExecutor(12) as pool:
        statuses = [f.status_code for f in pool.map(two_workers.assess, [token] * 12)]
    assert sorted(statuses) == [200] + [401] * 11


def test_a_reusable_token_can_be_used_again_until_its_key_goes(two_workers: Guarded):
    """Keys change without a restart; a token that was let in before goes with its key."""
    token, later = EHR.token(claims()), ROTATED.token(claims())
    assert [two_workers.assess(token).status_code for _ in range(8)] == [200] * 8
    is_refused(two_workers.assess(later), 401)
    file = two_workers.folder / "ehr.json"
    try:
        file.write_bytes(jwks(EHR, ROTATED))
        until(lambda: {two_workers.assess(later).status_code for _ in range(8)} == {200})
        assert two_workers.assess(token).status_code == 200
        file.write_bytes(jwks(ROTATED))
        until(lambda: {two_workers.assess(token).status_code for _ in range(8)} == {401})
        assert two_workers.assess(later).status_code == 200
    finally:
        file.write_bytes(jwks(EHR))
    until(lambda: {two_workers.assess(token).status_code for _ in range(8)} == {200})


def test_tokens_with_unknown_keys_do_not_make_it_ask_the_issuer_again_and_again(
    two_workers: Guarded,
):
    for n in range(40):
        is_refused(two_workers.assess(cds_token(key_pair(f"guess-{n % 3}"))), 401)
    # Each worker, and the process that tried the settings out, asks at its start and, half a minute
    # later at the earliest, once more.
    assert set(two_workers.issuer.requests) == {"/jwks.json"}
    assert len(two_workers.issuer.requests) <= 6


def test_a_tenants_callers_stay_at_its_branch_points(two_workers: Guarded):
    north, south = EHR.token(claims()), SOUTH.token(claims(iss=SOUTH_ISSUER))
    is_refused(two_workers.assess(north, SURGERY), 403)
    is_refused(two_workers.assess(north, SURGERY + ":batch"), 403)
    assert two_workers.assess(south, SURGERY).status_code == 200
    is_refused(two_workers.assess(north, "/v1/branch-points/no-such/assessments"), 404)


def test_tenants_cannot_see_each_others_patients(two_workers: Guarded):
    scope = "read assess outcomes"
    north = EHR.token(claims(scope=scope))
    south = SOUTH.token(claims(iss=SOUTH_ISSUER, scope=scope))
    fields = {"subject": "19121212-1212", "episode": "case-7731"}
    given = two_workers.assess(north, fields=fields).json()
    theirs = two_workers.assess(south, fields=fields).json()
    assert given["episode_id"] != theirs["episode_id"]
    for path in (
        f"/v1/assessments/{given['assessment_id']}",
        f"/v1/episodes/{given['episode_id']}",
    ):
        assert two_workers.ask(north, path=path).status_code == 200
        is_refused(two_workers.ask(south, path=path), 404)
    find = {"method": "POST", "path": "/v1/episodes:find", "json": {"episode": "case-7731"}}
    for token, own in ((north, given), (south, theirs)):
        found = two_workers.ask(token, **find).json()
        assert [a["assessment_id"] for a in found["assessments"]] == [own["assessment_id"]]
    report = {"assessment_id": given["assessment_id"], "outcome": "death_180d", "value": True,
              "observed_at": "2026-11-21T09:00:00Z"}  # fmt: skip
    is_refused(two_workers.ask(south, "POST", "/v1/outcomes", json=report), 404)
    assert two_workers.ask(north, "POST", "/v1/outcomes", json=report).status_code == 201


OPERATIONS = {"/readyz", "/metrics", "/docs", "/openapi.json"}
OPEN = {"/livez", "/fhir/metadata"}
"""Open to everybody whatever the settings say."""
SIGNED = {"/v1/models:webhook"}
"""For whoever signs with a secret; nobody is told more where none is set."""
FILLED = {
    "branch_point": "icu-review", "assessment_id": "019a0000-0000-7000-8000-000000000000",
    "episode_id": "e1-aa", "name": "icu-review.death_180d",
}  # fmt: skip


def routes(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every operation with its path filled in."""
    listed = [(m.upper(), path) for path, found in document["paths"].items() for m in found]
    return [(method, path.format(**FILLED)) for method, path in listed]


def test_every_route_but_the_operators_is_closed_to_strangers(two_workers: Guarded):
    document = two_workers.ask(path="/openapi.json").json()
    found = routes(document)
    assert len(found) >= 15
    assert {"/livez", "/readyz", "/metrics", ICU, "/v1/outcomes"} <= {path for _, path in found}
    for method, path in [*found, ("GET", "/docs"), ("GET", "/openapi.json")]:
        reply = two_workers.ask(method=method, path=path)
        if path in OPERATIONS | OPEN:
            assert reply.status_code in (200, 503), path
        else:
            is_refused(reply, 404 if path in SIGNED else 401)


def test_the_operators_routes_can_be_closed_too(strict: Guarded):
    reader = EHR.token(claims(scope="read"))
    document = strict.ask(reader, path="/openapi.json").json()
    for method, path in [*routes(document), ("GET", "/docs"), ("GET", "/openapi.json")]:
        if path in OPEN:
            assert strict.ask(path=path).status_code == 200
        else:
            reply = strict.ask(method=method, path=path)
            is_refused(reply, 404 if path in SIGNED else 401)
    for path in OPERATIONS:
        is_refused(strict.ask(EHR.token(claims(scope="assess")), path=path), 403)
        assert strict.ask(reader, path=path).status_code in (200, 503), path


def test_it_documents_for_every_closed_route_how_to_get_in(two_workers: Guarded):
    document = two_workers.ask(path="/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            closed = path.format(**FILLED) not in OPERATIONS | OPEN
            assert ("security" in operation) == closed, path
            if path in SIGNED:
                assert "401" in operation["responses"]
                continue
            assert ({"401", "403", "429"} <= set(operation["responses"])) == closed, path


def test_api_keys_are_made_used_and_revoked_while_it_runs(strict: Guarded):
    made = strict.api_key("read", "assess")
    key = made["key"]
    until(lambda: strict.ask(key).status_code == 200)
    assert strict.ask(headers={"X-API-Key": key}).status_code == 200
    assert strict.assess(key).status_code == 200
    is_refused(strict.assess(key, SURGERY), 403)  # the tenant's branch points are the key's
    is_refused(strict.ask(key, "POST", "/v1/outcomes", json={}), 403)
    is_refused(strict.ask(key[:-1] + ("A" if key[-1] != "A" else "B")), 401)
    (listed,) = [one for one in strict.keys("list") if one["id"] == made["id"]]
    assert (listed["state"], "key" in listed) == ("active", False)
    assert strict.keys("revoke", made["id"])["state"] == "revoked"
    until(lambda: strict.ask(key).status_code == 401)
    kept = Path(strict.service.settings["RISK_API_KEYS_FILE"])
    assert kept.stat().st_mode & 0o077 == 0
    secret = key.partition(f"_{made['id']}_")[2]  # which may hold the mark itself
    assert len(secret) > 20
    assert secret not in kept.read_text()


def test_a_certificates_subject_is_believed_from_a_trusted_proxy_only(
    strict: Guarded, two_workers: Guarded
):
    header = {"X-Client-Certificate-Subject": CERTIFICATE}
    assert strict.ask(headers=header).status_code == 200
    is_refused(strict.ask(headers={"X-Client-Certificate-Subject": CERTIFICATE + "x"}), 401)
    is_refused(strict.assess(headers=header), 403)
    is_refused(two_workers.ask(headers=header), 401)


def refused_requests(guarded: Guarded) -> dict[str, float]:
    text = guarded.ask(EHR.token(claims()), path="/metrics").text
    return {
        sample.labels["reason"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "risk_refused_requests_total"
    }


def test_every_refusal_is_counted_by_its_reason(strict: Guarded):
    now = time.time()
    replayed = cds_token()
    attempts = {
        "missing": None,
        "malformed": "a.b",
        "too_large": "x" * 9000,
        "algorithm": forged({"alg": "none"}, claims()),
        "unknown_issuer": EHR.token(claims(iss="https://x")),
        "wrong_audience": EHR.token(claims(aud="x")),
        "expired": EHR.token(claims(now - 1000)),
        "not_yet_valid": EHR.token(claims(now + 300)),
        "unknown_key": EHR.token(claims(), kid="x"),
        "bad_signature": SAME_NAME.token(claims()),
        "stranger_jku": EHR.token(claims(), jku=strict.stranger.url),
        "tenant_not_named": shared_token(None),
        "tenant": EHR.token(claims(tenant="south")),
        "scope": EHR.token(claims(scope="read")),
        "replayed": replayed,
        "api_key_unknown": "risk_" + "0" * 12 + "_" + "A" * 43,
    }
    assert strict.assess(replayed).status_code == 200
    before = refused_requests(strict)
    assert set(attempts) | {"rate", "branch_point"} <= set(before)
    for token in attempts.values():
        assert strict.assess(token).status_code in (401, 403)
    is_refused(strict.assess(EHR.token(claims()), SURGERY), 403)
    after = refused_requests(strict)
    counted = {reason: after[reason] - before[reason] for reason in after}
    expected = dict.fromkeys((*attempts, "branch_point"), 1)
    assert {reason: n for reason, n in counted.items() if n} == expected


def test_a_client_that_asks_too_often_is_told_when_to_come_back(strict: Guarded):
    """The tenant's own rate: four requests at once, then four a second; others are not touched."""
    hasty = strict.api_key("read", tenant="hasty")["key"]
    calm = strict.api_key("read", tenant="hasty")["key"]
    until(lambda: strict.ask(hasty).status_code == 200)
    counted = refused_requests(strict)["rate"]
    with httpx.Client(base_url=strict.service.url, timeout=PATIENCE_S) as client:
        headers = {"Authorization": f"Bearer {hasty}"}
        start = time.monotonic()
        replies = [client.get("/v1/features", headers=headers) for _ in range(60)]
        took_s = time.monotonic() - start
        refused = [reply for reply in replies if reply.status_code == 429]
        assert {reply.status_code for reply in replies} == {200, 429}
        assert len(replies) - len(refused) <= 4 + 4 * took_s + 1
        for reply in refused:
            is_refused(reply, 429)
            assert reply.headers["Retry-After"] == "1"
        other = client.get("/v1/features", headers={"Authorization": f"Bearer {calm}"})
        assert other.status_code == 200
        until(lambda: client.get("/v1/features", headers=headers).status_code == 200)
    assert refused_requests(strict)["rate"] >= counted + len(refused)


@pytest.mark.parametrize("path", [ICU, "/v1/outcomes", "/v1/episodes:find"])
def test_a_body_that_does_not_come_is_not_waited_for(strict: Guarded, path: str):
    token = EHR.token(claims(scope="read assess outcomes"))
    address = urlsplit(strict.service.url)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: risk\r\nauthorization: Bearer {token}\r\n"
        'content-length: 1000\r\n\r\n{"measurements"'
    )
    start = time.monotonic()
    with socket.create_connection((address.hostname, address.port), PATIENCE_S) as line:
        line.sendall(head.encode())
        answer = line.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "application/problem+json" in answer
    assert BODY_TIMEOUT_S <= time.monotonic() - start < 10 * BODY_TIMEOUT_S


def test_a_strangers_body_is_not_read_at_all(strict: Guarded):
    """Who is not let in is told so at once, before a byte of the body was sent."""
    address = urlsplit(strict.service.url)
    with socket.create_connection((address.hostname, address.port), PATIENCE_S) as line:
        line.sendall(
            f"POST {ICU} HTTP/1.1\r\nhost: risk\r\ncontent-length: 900000\r\n\r\n".encode()
        )
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")


def preflight(guarded: Guarded, origin: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    return guarded.ask(method="OPTIONS", path=ICU, headers=headers)


def test_pages_of_listed_origins_may_ask_and_no_others(strict: Guarded, two_workers: Guarded):
    allowed = preflight(strict, PAGE)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in allowed.headers
    for origin in (OTHER_PAGE, PAGE + ".evil.example", "null", PAGE.replace("https", "http")):
        reply = preflight(strict, origin)
        assert reply.status_code >= 400
        assert "access-control-allow-origin" not in reply.headers
        reply = strict.ask(EHR.token(claims()), headers={"Origin": origin})
        assert reply.status_code == 200  # what the page's browser then keeps from the page
        assert "access-control-allow-origin" not in reply.headers
    listed = strict.ask(EHR.token(claims()), headers={"Origin": PAGE})
    assert listed.headers["access-control-allow-origin"] == PAGE
    # Without a list there is no such door at all.
    assert "access-control-allow-origin" not in preflight(two_workers, PAGE).headers


NOBODY = "callers must authenticate and nobody could"
OPEN_ELSEWHERE = "authentication is `open`, which is for a loopback address only"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"RISK_HOST": "0.0.0.0"}, NOBODY),  # noqa: S104 - it must refuse to listen there
        ({"RISK_HOST": "0.0.0.0", "RISK_WORKERS": "2"}, NOBODY),  # noqa: S104
        ({"RISK_HOST": "::"}, NOBODY),
        ({"RISK_HOST": "risk.example.org"}, NOBODY),
        ({"RISK_HOST": "0.0.0.0", "RISK_AUTHENTICATION": "open"}, OPEN_ELSEWHERE),  # noqa: S104
        ({"RISK_AUTHENTICATION": "required"}, NOBODY),
    ],
    ids=lambda given: " ".join(given.values()) if isinstance(given, dict) else "",
)
def test_where_anybody_could_ask_it_refuses_to_start_in_one_line(
    tmp_path: Path, settings: Mapping[str, str], why: str
):
    done = run_command("risk-serve", "run", var=tmp_path / "var", settings=settings, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("risk-serve: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_with_a_key_it_starts_closed_and_says_so(tmp_path: Path):
    keys = tmp_path / "api-keys.jsonl"
    settings = {"RISK_AUTHENTICATION": "required", "RISK_API_KEYS_FILE": str(keys)}
    made = run_command(
        "risk-serve", "keys", "create", "--name", "one", "--scope", "read",
        var=tmp_path / "var", settings=settings,
    )  # fmt: skip
    with running_service(tmp_path / "var", tmp_path / "log", settings, until=None) as service:
        ready = httpx.get(f"{service.url}/readyz").json()
        assert (ready["open"], ready["note"]) == (False, "callers are authenticated")
        assert "open_development_mode" not in service.log.read_text()
        is_refused(httpx.get(f"{service.url}/v1/features"), 401)
        headers = {"X-API-Key": made.stdout.strip()}
        assert httpx.get(f"{service.url}/v1/features", headers=headers).status_code == 200


def test_open_it_says_so_in_the_log_and_in_readyz(service: Service):
    ready = httpx.get(f"{service.url}/readyz").json()
    assert ready["open"] is True
    assert ready["note"].startswith("development mode: callers are not authenticated")
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert [line["level"] for line in lines if line["event"] == "open_development_mode"] == [
        "warning"
    ]
