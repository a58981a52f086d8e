"""The FHIR R4 server of an EHR, in small: reads, searches by patient and code, pages, one token.

It holds what it is given and nothing else, and remembers what it was asked. The same search answers
the prefetch templates, so that a patient is the same by prefetch and by reading.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from app.errors import AppError

PATH = "/r4"
PAGE_SIZE = 250
Resource = dict[str, Any]


class PortTaken(AppError):
    """The FHIR server cannot listen where it was told to."""


class Reply(NamedTuple):
    """What the server sends back."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class FhirStore:
    """What is stored, and what it was asked.

    Attributes
    ----------
    token : str
        Without it nothing is answered.
    base : str
        Its base URL; known when it is served.
    tells_total : bool
        Whether a search says how many there are: many servers do not, and then nobody knows that a
        list is whole.
    asked : list of (target, authorization)
        Every request, in order.
    """

    token: str
    resources: list[Resource] = field(default_factory=list)
    page_size: int = PAGE_SIZE
    base: str = PATH
    tells_total: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def reply(self, target: str, headers: Mapping[str, str]) -> Reply:
        """Answer one request."""
        authorization = headers.get("authorization")
        self.asked.append((target, authorization))
        if authorization != f"Bearer {self.token}":
            status, resource = 401, _failure("login")
        else:
            status, resource = self.look_up(target.removeprefix(f"{PATH}/"))
        return Reply(
            status, json.dumps(resource).encode(), {"content-type": "application/fhir+json"}
        )

    def look_up(self, question: str) -> tuple[int, Resource]:
        """Status and resource for a read or a search, relative to the base URL."""
        parts = urlsplit(question)
        kind, _, identifier = parts.path.partition("/")
        if not identifier:
            return 200, self._search(kind, {k: v[0] for k, v in parse_qs(parts.query).items()})
        for resource in self.resources:
            if (resource["resourceType"], resource.get("id")) == (kind, identifier):
                return 200, resource
        return 404, _failure("not-found")

    def _search(self, kind: str, asked: dict[str, str]) -> Resource:
        found = [r for r in self.resources if r["resourceType"] == kind and _matches(r, asked)]
        found.sort(key=lambda r: str(r.get("effectiveDateTime", "")), reverse=True)
        count = min(int(asked.get("_count", self.page_size)), self.page_size)
        start = int(asked.get("_offset", 0))
        links = [{"relation": "self", "url": self._url(kind, asked)}]
        if start + count < len(found):
            following = self._url(kind, {**asked, "_offset": str(start + count)})
            links.append({"relation": "next", "url": following})
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

    def _url(self, kind: str, asked: Mapping[str, str]) -> str:
        return f"{self.base}/{kind}?{urlencode(asked)}"


@contextmanager
def serve(store: FhirStore, port: int = 0) -> Iterator[None]:
    """Serve a store on a loopback port, 0 for a free one; its `base` says where.

    Raises
    ------
    PortTaken
        When somebody else listens there.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = store.reply(self.path, headers)
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the asker had enough

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError:
        raise PortTaken(f"port {port} is taken; choose another with --fhir-server-port") from None
    server.daemon_threads = True
    store.base = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _matches(resource: Resource, asked: Mapping[str, str]) -> bool:
    subject = resource.get("subject", {}).get("reference")
    if subject != f"Patient/{asked.get('patient', '').removeprefix('Patient/')}":
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
