"""A failure inside the service: a problem to the caller, a type to the log, and nothing that was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from app.errors import StartRefused
from app.main import create_app
from app.settings import Settings, load_settings
from monitoring.keyring import throwaway_keyring

PERSON = "195009072553"


def failing_app() -> FastAPI:
    """The service with two routes that fail on what was sent."""
    made = create_app(Settings(), throwaway_keyring())

    @made.get("/fails")
    async def fails() -> None:
        raise ValueError(PERSON)

    @made.get("/fhir/fails")
    async def fails_in_fhir() -> None:
        raise ValueError(PERSON)

    @made.get("/fails-halfway")
    async def fails_halfway() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one\n"
            raise ValueError(PERSON)

        return StreamingResponse(parts())

    return made


def call(app: FastAPI, path: str) -> list[dict[str, Any]]:
    """Everything the app sends; raises what the app lets out."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [], "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_failure_is_a_problem_with_all_headers_and_goes_no_further(
    capsys: pytest.CaptureFixture[str],
):
    start, body = call(failing_app(), "/fails")
    headers = dict(start["headers"])
    assert start["status"] == 500
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert json.loads(body["body"])["title"] == "Internal error"
    assert PERSON not in str(start) + str(body)
    logged = capsys.readouterr().err
    assert PERSON not in logged
    [line] = [json.loads(text) for text in logged.splitlines() if "request_failed" in text]
    assert (line["error"], line["level"]) == ("ValueError", "error")


def test_a_failure_in_fhir_is_an_operation_outcome():
    start, body = call(failing_app(), "/fhir/fails")
    assert start["status"] == 500
    assert dict(start["headers"])[b"content-type"] == b"application/fhir+json"
    assert json.loads(body["body"])["issue"][0]["code"] == "exception"
    assert PERSON not in str(body)


def test_a_failure_in_the_middle_of_an_answer_ends_it_without_its_text(
    capsys: pytest.CaptureFixture[str],
):
    start, part = call(failing_app(), "/fails-halfway")
    assert start["status"] == 200
    assert (part["body"], part["more_body"]) == (b"one\n", True)  # cut off, not rounded off
    assert PERSON not in capsys.readouterr().err


def test_nothing_is_documented_twice_or_with_a_foreign_error_shape():
    document = create_app(Settings(), throwaway_keyring()).openapi()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(document)


def test_building_the_document_twice_gives_the_same():
    made = create_app(Settings(), throwaway_keyring())
    assert json.dumps(made.openapi()) == json.dumps(made.openapi())


CERTIFIED = """
[[tenant]]
id = "north"
care_units = []
[[tenant.client_certificate]]
subject = "CN=a"
client = "a"
scopes = ["assess"]
[[tenant.code_system]]
system = "urn:oid:1.2.752.999.1"
is = "{meant}"
"""


def test_a_tenants_codes_are_checked_and_kept_apart(tmp_path: Path):
    file = tmp_path / "tenants.toml"
    given = {"tenants_file": file, "trusted_proxies": ("127.0.0.1",), "var_dir": tmp_path}
    file.write_text(CERTIFIED.format(meant="icd-10"))
    app = create_app(load_settings(**given), throwaway_keyring())
    sent = {"coding": [{"system": "urn:oid:1.2.752.999.1", "code": "E11"}]}
    assert app.state.risk.codings["north"].rules("condition", sent)
    file.write_text(CERTIFIED.format(meant="icd-12"))
    with pytest.raises(StartRefused, match="tenant north: `icd-12` is no code system"):
        create_app(load_settings(**given), throwaway_keyring())
