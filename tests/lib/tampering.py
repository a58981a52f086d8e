"""A proxy that stands before a real service and spoils one thing: what a faulty service would do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

KEPT = ("authorization", "x-api-key", "accept", "content-type", "origin")
DROPPED = ("content-length", "transfer-encoding", "connection", "date", "server")


@dataclass(frozen=True)
class Exchange:
    """A request and what was answered to it."""

    method: str
    path: str
    sent: bytes
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    def saying(self, document: Any, **changed: Any) -> Exchange:
        """The same with another body."""
        return replace(self, body=json.dumps(document).encode(), **changed)


Tamper = Callable[[Exchange], Exchange]


@contextmanager
def tampered(url: str, tamper: Tamper) -> Iterator[str]:
    """The address of a proxy before `url`."""
    client = httpx.Client(base_url=url, timeout=30.0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() in KEPT}
            headers |= {k: v for k, v in self.headers.items() if k.lower().startswith("access-")}
            got = client.request(self.command, self.path, content=sent or None, headers=headers)
            given = {k: v for k, v in got.headers.items() if k.lower() not in DROPPED}
            known = Exchange(self.command, self.path, sent, got.status_code, given, got.content)
            answer = tamper(known)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_OPTIONS = forward  # noqa: N815 - as the base class names them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        client.close()
