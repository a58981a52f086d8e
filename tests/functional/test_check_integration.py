"""`risk-serve check-integration`: it passes what is sound, and names what is not."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from app.check_integration import Plan, Report, check_integration
from app.check_integration.credential import ApiKey
from app.cli import main
from tests.lib.service import Service, free_port, run_command, running_service
from tests.lib.tampering import Exchange, Tamper, tampered
from tests.lib.tokens import jwks, key_pair

ISSUER, PAGE = "https://ehr.example.org", "https://pages.example.org"
KEY = key_pair("ehr-1")
ICU = "icu-review"
UNBOUNDED = "Observation?patient={{context.patientId}}"
TENANTS = """
base_url = "{url}"
[[tenant]]
id = "north"
care_units = []
[[tenant.issuer]]
issuer = "{issuer}"
audience_is_url = true
jwks_file = "keys.json"
algorithms = ["ES384"]
tokens = "single-use"
scopes = ["cds", "read", "assess"]
scopes_without_claim = ["cds", "read", "assess"]
longest_life_s = 300
[tenant.cds_hooks]
fhir_servers = ["{fhir}"]
"""


def checked(
    url: str, var: Path, *more: str, settings: dict[str, str] | None = None
) -> tuple[CompletedProcess[str], dict[str, Any]]:
    """Run the command with --json and read what it printed."""
    done = run_command(
        "risk-serve", "check-integration", url, "--json", *more,
        var=var, check=False, settings=settings,
    )  # fmt: skip
    return done, json.loads(done.stdout)


def rows(report: dict[str, Any], verdict: str) -> list[dict[str, Any]]:
    return [row for row in report["findings"] if row["verdict"] == verdict]


def checks(report: dict[str, Any], verdict: str, service: str | None = None) -> set[str]:
    return {
        row["check"]
        for row in rows(report, verdict)
        if service is None or row["service"] == service
    }


# ---------------------------------------------------------------- sound services


def test_an_open_service_on_this_machine_passes(service: Service, tmp_path: Path):
    done, report = checked(service.url, tmp_path, "--calls", "5")
    assert rows(report, "FAILED") == []
    assert done.returncode == 0
    assert "writes assessments of invented patients into the ledger" in done.stderr
    passed, skipped = checks(report, "PASSED", ICU), checks(report, "SKIPPED", ICU)
    assert passed >= {
        "discovery.service", "call.prefetch", "call.no-prefetch", "call.operation-outcome",
        "call.unknown-fields", "call.other-patient", "card.form", "door.stored", "door.rest", "door.fhir",
        "door.risk-assessment", "speed.p95",
    }  # fmt: skip
    assert skipped == {"call.fhir-server"}
    (why,) = (row["found"] for row in rows(report, "SKIPPED") if row["check"] == "token.forged")
    assert "open development mode" in why
    why = next(r["found"] for r in rows(report, "SKIPPED") if r["check"] == "call.fhir-server")
    assert "RISK_FHIR_SERVERS" in why
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Closed:
    """A service that takes signed tokens for the exact URL, and API keys of one of its tenants."""

    service: Service
    fhir_port: int
    signing_key: Path
    key: str
    narrow_key: str


@pytest.fixture(scope="module")
def closed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder = tmp_path_factory.mktemp("closed")
    port, fhir_port, signing_key = free_port(), free_port(), folder / "key.json"
    (folder / "keys.json").write_bytes(jwks(KEY))
    signing_key.write_text(json.dumps({**KEY.private_jwk(), "alg": "ES384"}))
    tenants = TENANTS.format(
        url=f"http://127.0.0.1:{port}", issuer=ISSUER, fhir=f"http://127.0.0.1:{fhir_port}/r4"
    )
    (folder / "tenants.toml").write_text(tenants)
    settings = {
        "RISK_TENANTS_FILE": str(folder / "tenants.toml"),
        "RISK_API_KEYS_FILE": str(folder / "api-keys.jsonl"),
        "RISK_CORS_ORIGINS": f'["{PAGE}"]',
    }
    key, narrow_key = (
        json.loads(
            run_command(
                "risk-serve", "keys", "create", "--name", "ehr", "--tenant", "north", "--json",
                *(word for scope in scopes for word in ("--scope", scope)),
                var=folder, settings=settings,
            ).stdout
        )["key"]
        for scopes in (("cds", "read", "assess"), ("cds",))
    )  # fmt: skip
    with running_service(trained, folder / "log", settings, port=port) as service:
        yield Closed(service, fhir_port, signing_key, key, narrow_key)


def test_a_service_for_signed_tokens_passes_with_everything_tried(closed: Closed, tmp_path: Path):
    done, report = checked(
        closed.service.url, tmp_path, "--signing-key-file", str(closed.signing_key),
        "--issuer", ISSUER, "--fhir-server-port", str(closed.fhir_port), "--origin", PAGE,
        "--calls", "5",
    )  # fmt: skip
    assert rows(report, "FAILED") == []
    assert done.returncode == 0
    assert {"call.fhir-server", "speed.p95"} <= checks(report, "PASSED", ICU)
    assert {"discovery.cors", "call.strange-server", "door.echo"} <= checks(report, "PASSED")
    forged = {row["asked"] for row in rows(report, "PASSED") if row["check"] == "token.forged"}
    assert {f"a call with {name}" for name in ("expired", "for another audience", "alg none")} <= (
        forged
    )
    assert len(forged) == 15
    assert "BEGIN" not in done.stdout
    assert KEY.private_jwk()["d"] not in done.stdout + done.stderr


def test_an_api_key_serves_too_and_its_forgeries_are_refused(closed: Closed):
    report = check_integration(Plan(closed.service.url, ApiKey(closed.key), calls=1))
    assert report.failed == ()
    forged = [f for f in report.findings if f.check == "token.forged"]
    assert len(forged) == 7
    assert {finding.verdict for finding in forged} == {"PASSED"}


def test_what_a_credential_may_not_do_is_skipped_and_said(closed: Closed):
    """Without the scope `read` nothing is known of features; the rest is tried all the same."""
    report = check_integration(Plan(closed.service.url, ApiKey(closed.narrow_key), calls=1))
    assert report.failed == ()
    skipped = {f.check: f.found for f in report.findings if f.verdict == "SKIPPED"}
    assert "scope `read`" in skipped["dictionary.read"]
    assert "FHIR" not in skipped["dictionary.read"]
    without = [f for f in report.findings if f.check == "call.no-prefetch"]
    assert {finding.found for finding in without} == {"412, named"}


def test_the_table_says_what_was_asked_expected_and_found(service: Service, tmp_path: Path):
    done = run_command(
        "risk-serve", "check-integration", service.url, "--calls", "0",
        var=tmp_path, settings={"COLUMNS": "240"},
    )  # fmt: skip
    assert "icu-review: a call with prefetch made from its templates" in done.stdout
    assert "│ PASSED" in done.stdout
    assert "0 FAILED" in done.stdout


# ---------------------------------------------------------------- what is refused at once


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("https://risk.example.org",), "--yes"),
        (("risk.example.org",), "URL must be an address"),
        (("http://127.0.0.1:1", "--token-file", "nowhere"), "nowhere cannot be read"),
        (("http://127.0.0.1:1", "--token-file", "a", "--api-key-file", "b"), "one credential"),
        (("http://127.0.0.1:1", "--signing-key-file", "a"), "needs --issuer"),
    ],
)
def test_what_cannot_be_tried_is_one_line(
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(sys, "argv", ["risk-serve", "check-integration", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""


def test_nobody_there_is_a_failure(tmp_path: Path):
    done, report = checked(f"http://127.0.0.1:{free_port()}", tmp_path)
    assert done.returncode == 2
    (row,) = report["findings"]
    assert row["verdict"] == "FAILED"
    assert "GET /livez was not answered" in row["found"]


# ---------------------------------------------------------------- faulty services


def only_icu(exchange: Exchange) -> Exchange:
    """Discovery with one service, so that a run is short."""
    if exchange.path.startswith("/cds-services") and exchange.method == "GET":
        found = [s for s in exchange.document["services"] if s["id"] == ICU]
        return exchange.saying({"services": found})
    return exchange


def spoilt(url: str, tamper: Tamper, credential: ApiKey | None = None) -> Report:
    """A run against one service behind a proxy that spoils its answers."""
    with tampered(url, lambda exchange: tamper(only_icu(exchange))) as address:
        plan = Plan(address, calls=1) if credential is None else Plan(address, credential, calls=1)
        return check_integration(plan)


def in_discovery(change: Callable[[dict[str, Any]], object]) -> Tamper:
    def tamper(exchange: Exchange) -> Exchange:
        if exchange.method != "GET" or not exchange.path.startswith("/cds-services"):
            return exchange
        document = exchange.document
        change(document["services"][0])
        return exchange.saying(document)

    return tamper


def in_cards(change: Callable[[dict[str, Any]], object]) -> Tamper:
    def tamper(exchange: Exchange) -> Exchange:
        if exchange.status != 200 or not exchange.path.endswith(ICU) or exchange.method != "POST":
            return exchange
        document = exchange.document
        for card in document["cards"]:
            change(card)
        return exchange.saying(document)

    return tamper


def at_path(
    ending: str, change: Callable[[Exchange], Exchange], status: int | None = None
) -> Tamper:
    def tamper(exchange: Exchange) -> Exchange:
        meant = exchange.path.endswith(ending) and status in (None, exchange.status)
        return change(exchange) if meant else exchange

    return tamper


def answering(status: int, document: Any) -> Callable[[Exchange], Exchange]:
    return lambda exchange: exchange.saying(document, status=status)


def with_headers(**changed: str) -> Callable[[Exchange], Exchange]:
    more = {name.replace("_", "-"): value for name, value in changed.items()}
    return lambda exchange: replace(exchange, headers={**exchange.headers, **more})


def with_name(exchange: Exchange) -> Exchange:
    """An error that repeats what was sent."""
    return replace(exchange, body=exchange.body[:-1] + b"," + b'"sent":' + json.dumps(
        exchange.sent.decode("utf-8", "replace")).encode() + b"}")  # fmt: skip


def another_patients_value(exchange: Exchange) -> Exchange:
    """Whatever record of another patient is in a call, the card changes."""
    document = exchange.document
    if b"integration-check-patient-0" in exchange.sent:
        document["cards"][0]["detail"] = document["cards"][0]["detail"].replace(" %", ".5 %")
    return exchange.saying(document)


def a_little_more(exchange: Exchange) -> Exchange:
    document = exchange.document
    for outcome in document.get("outcomes", ()):
        outcome["probability"] = outcome.get("probability", 0.1) + 1e-8
    return exchange.saying(document)


def as_a_fraction(exchange: Exchange) -> Exchange:
    """R4 wants a percentage."""
    document = exchange.document
    for entry in document.get("entry", [{"resource": document}]):
        for prediction in entry["resource"].get("prediction", ()):
            if "probabilityDecimal" in prediction:
                prediction["probabilityDecimal"] /= 100
    return exchange.saying(document)


def a_silent_card(exchange: Exchange) -> Exchange:
    """Missing is taken for normal: a card where the data were missing."""
    card = {
        "uuid": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "summary": "Risk of death 2 %",
        "indicator": "info",
        "source": {"label": "Risk service"},
        "detail": "All is well.",
    }
    return exchange.saying({"cards": [card]}, status=200)


RUNS: dict[str, tuple[tuple[Tamper, ...], set[str]]] = {
    "unwell, and closed to caches": (
        (
            at_path("/livez", answering(500, {})),
            at_path("/readyz", answering(503, {"reason": "no", "open": True})),
            at_path("/cds-services", with_headers(cache_control="no-store")),
            at_path("/cds-services", with_headers(access_control_allow_origin="*")),
            at_path("/cds-services/", answering(404, {})),
        ),
        {"reachable.livez", "reachable.readyz", "discovery.cacheable", "discovery.cors-stranger",
         "discovery.stable"},
    ),
    "discovery is a list": (
        (at_path("/cds-services", answering(200, [])), at_path("/cds-services/", answering(200, []))),
        {"discovery.document"},
    ),
    "a row without description, and an unbounded search": (
        (
            in_discovery(lambda row: row.pop("description")),
            in_discovery(lambda row: row["prefetch"].update(laboratory=UNBOUNDED)),
        ),
        {"discovery.service"},
    ),
    "no card where there should be one": (
        (at_path(ICU, answering(200, {"cards": []}), 200),), {"call.prefetch"},
    ),
    "a silent card where data are missing": (
        (at_path(ICU, a_silent_card, 412), at_path(ICU, a_silent_card, 400)),
        {"call.no-prefetch", "call.operation-outcome", "call.fhir-server", "call.wrong-hook",
         "door.outcome"},
    ),
    "a 412 that names nothing": (
        (at_path(ICU, answering(412, {}), 412),),
        {"call.no-prefetch", "call.operation-outcome", "call.fhir-server"},
    ),
    "another patient's record is used": (
        (at_path(ICU, another_patients_value, 200),),
        {"call.unknown-fields", "call.other-patient"},
    ),
    "a card without uuid": (
        (in_cards(lambda card: card.pop("uuid")),), {"card.form", "door.stored"},
    ),
    "a card with a null and a long summary": (
        (in_cards(lambda card: card.update(links=None, summary="x" * 140)),),
        {"call.prefetch", "call.unknown-fields", "call.other-patient", "card.form"},
    ),
    "reports that are counted twice, and rubbish among them": (
        (
            at_path("/feedback", answering(200, {}), 400),
            at_path("/feedback", answering(200, {"recorded": 1}), 200),
        ),
        {"feedback.twice", "feedback.malformed"},
    ),
    "three doors, three probabilities": (
        (at_path("/assessments", a_little_more, 200), at_path("/fhir/$assess", as_a_fraction, 200)),
        {"door.rest", "door.fhir"},
    ),
    "errors that are none, and repeat what was sent": (
        (
            at_path("/assessments", with_headers(content_type="application/json"), 422),
            at_path("/assessments", with_name, 422),
            at_path("/fhir/$assess", answering(400, {}), 400),
            at_path("/fhir/metadata", answering(404, {})),
        ),
        {"door.problem", "door.outcome", "door.metadata", "door.echo"},
    ),
    "a card that names the patient": ((at_path(ICU, with_name, 200),), {"door.echo"}),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_every_fault_is_found_by_its_name_and_nothing_else_is_blamed(service: Service, name: str):
    tampers, expected = RUNS[name]

    def tamper(exchange: Exchange) -> Exchange:
        for spoil in tampers:
            exchange = spoil(exchange)
        return exchange

    assert {finding.check for finding in spoilt(service.url, tamper).failed} == expected


def test_behind_the_proxy_nothing_fails_by_itself(service: Service):
    assert spoilt(service.url, lambda exchange: exchange).failed == ()


def test_a_service_that_takes_every_token_is_found_out(service: Service):
    """It says that callers are authenticated, and answers whoever comes."""

    def closed_in_words(exchange: Exchange) -> Exchange:
        if exchange.path == "/readyz":
            return exchange.saying({**exchange.document, "open": False})
        return exchange

    report = spoilt(service.url, closed_in_words, ApiKey("a-key-that-nobody-gave"))
    forged = [f for f in report.failed if f.check == "token.forged"]
    assert len(forged) == 7
    assert all("cards were given" in finding.found for finding in forged)


@dataclass
class Stub:
    status: int
    body: bytes
    media_type: str


@pytest.mark.parametrize(
    "stub",
    [
        Stub(200, b"<html>Welcome</html>", "text/html"),
        Stub(200, b"null", "application/json"),
        Stub(
            200, b'{"services": [7, {"id": 7, "prefetch": []}], "cards": [7]}', "application/json"
        ),
        Stub(404, b"", "text/plain"),
        Stub(502, b"{", "application/json"),
    ],
    ids=["a web page", "null", "wrong shapes", "nothing", "a broken proxy"],
)
def test_what_is_no_such_service_fails_and_breaks_nothing(stub: Stub):
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(stub.status)
            self.send_header("content-type", stub.media_type)
            self.send_header("content-length", str(len(stub.body)))
            self.end_headers()
            self.wfile.write(stub.body)

        do_GET = do_POST = do_OPTIONS = answer  # noqa: N815 - as the base class names them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        report = check_integration(Plan(f"http://127.0.0.1:{server.server_address[1]}"))
        server.shutdown()
        thread.join()
    assert report.failed
