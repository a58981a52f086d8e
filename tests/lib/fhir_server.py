"""A small FHIR server of an imaginary EHR: reads, searches with pages, a token at every door."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Resource = dict[str, Any]
TOKEN = "reading-token-7f3a"  # noqa: S105 - of nobody
PAGE_SIZE = 250


@dataclass
class FhirServer:
    """What is stored, how it misbehaves, and what it was asked.

    Attributes
    ----------
    tells_total : bool
        Whether a search says how many there are: many servers do not, and then nobody knows that a
        list is whole.
    fault : str
        `status:<n>` answers with a status, `redirect:<url>` sends elsewhere, `hang` answers never,
        `page:<url>` gives that address as the next page, `text` answers what is no JSON.
    asked : list of (target, authorization)
        Every request, in order.
    cookies : list of str
        What came back of the cookie that every answer sets.
    """

    base: str
    resources: list[Resource] = field(default_factory=list)
    page_size: int = PAGE_SIZE
    tells_total: bool = True
    fault: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def answer(self, target: str, authorization: str | None) -> tuple[int, Resource]:
        """Status and body for a request."""
        if authorization != f"Bearer {TOKEN}":
            return 401, _failure("login")
        parts = urlsplit(target)
        kind, _, identifier = parts.path.removeprefix("/r4/").partition("/")
        if identifier:
            for resource in self.resources:
                if (resource["resourceType"], resource.get("id")) == (kind, identifier):
                    return 200, resource
            return 404, _failure("not-found")
        return 200, self._search(kind, {k: v[0] for k, v in parse_qs(parts.query).items()})

    def _search(self, kind: str, asked: dict[str, str]) -> Resource:
        found = [r for r in self.resources if r["resourceType"] == kind and _matches(r, asked)]
        found.sort(key=lambda r: str(r.get("effectiveDateTime", "")), reverse=True)
        count = min(int(asked.get("_count", self.page_size)), self.page_size)
        start = int(asked.get("_offset", 0))
        links = [{"relation": "self", "url": self._url(kind, asked)}]
        if start + count < len(found):
            links.append(
                {"relation": "next", "url": self._url(kind, {**asked, "_offset": start + count})}
            )
        if self.fault.startswith("page:"):
            links[1:] = [{"relation": "next", "url": self.fault.removeprefix("page:")}]
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            **({"total": len(found)} if self.tells_total else {}),
            "link": links,
            "entry": [
                {"fullUrl": f"{self.base}/{kind}/{r['id']}", "resource": r}
                for r in found[start : start + count]
            ],
        }

    def _url(self, kind: str, asked: dict[str, Any]) -> str:
        return f"{self.base}/{kind}?{urlencode(asked)}"


def _matches(resource: Resource, asked: dict[str, str]) -> bool:
    subject = resource.get("subject", {}).get("reference")
    if subject != f"Patient/{asked['patient'].removeprefix('Patient/')}":
        return False
    return all(
        codes & set(asked[parameter].split(","))
        for parameter, codes in (
            ("code", _codes(resource.get("code"))),
            ("value-concept", _codes(resource.get("valueCodeableConcept"))),
        )
        if parameter in asked
    )


def _codes(concept: Any) -> set[str]:
    return {coding.get("code", "") for coding in (concept or {}).get("coding", ())}


def _failure(code: str) -> Resource:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


@contextmanager
def fhir_server(resources: Sequence[Resource] = ()) -> Iterator[FhirServer]:
    """Serve resources on a free loopback port, below `/r4`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            authorization = self.headers.get("authorization")
            served.asked.append((self.path, authorization))
            served.cookies += self.headers.get_all("cookie", [])
            fault, _, more = served.fault.partition(":")
            if fault == "hang":
                served.may_answer.wait(timeout=30)
            status, resource = served.answer(self.path, authorization)
            body = json.dumps(resource).encode()
            if fault == "status":
                status, body = int(more), json.dumps(_failure("exception")).encode()
            if fault == "text":
                body = b"<html>no FHIR here</html>"
            try:
                self.send_response(302 if fault == "redirect" else status)
                if fault == "redirect":
                    self.send_header("location", more + self.path)
                self.send_header("content-type", "application/fhir+json")
                self.send_header("set-cookie", "session=of-one-patient")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the asker had enough

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = FhirServer(f"http://127.0.0.1:{server.server_address[1]}/r4", list(resources))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield served
    finally:
        served.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
