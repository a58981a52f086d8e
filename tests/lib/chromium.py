"""A page in a real browser: served from an origin of its own, run headless, heard when it is done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATIENCE_S = 90.0
MISSING = (
    "Chromium is not installed: its tests are skipped. Install it (Debian: apt-get install "
    "chromium), or name one in RISK_TESTS_CHROMIUM"
)


def browser() -> str | None:
    """The command of a Chromium; None when there is none."""
    if given := os.environ.get("RISK_TESTS_CHROMIUM"):
        return given
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Page:
    """One page on a loopback port.

    Its script gets `/told` for what it must know, and ends by posting what it saw to `/seen`.
    """

    def __init__(self, script: str) -> None:
        page = f"<!doctype html><meta charset=utf-8><title>page</title><script>{script}</script>"
        self.told: Any = None
        self.seen: Any = None
        self.done = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/told":
                    self._send(json.dumps(outer.told).encode(), "application/json")
                else:
                    self._send(page.encode(), "text/html")

            def do_POST(self) -> None:
                outer.seen = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._send(b"", "text/plain")
                outer.done.set()

            def _send(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def served(script: str) -> Iterator[Page]:
    """Serve a page as long as the block lasts."""
    page = Page(script)
    thread = threading.Thread(target=page.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield page
    finally:
        page.server.shutdown()
        page.server.server_close()
        thread.join()


def visit(page: Page, folder: Path) -> Any:
    """Open a page in Chromium and give what its script saw; `folder` holds the browser's profile."""
    command = browser()
    if command is None:
        raise FileNotFoundError(MISSING)
    log = folder / "chromium.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [
                command, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", f"--user-data-dir={folder / 'profile'}",
                # Without it the browser ends as soon as it has shown the page.
                "--remote-debugging-port=0", f"{page.origin}/",
            ],
            stdout=sink,
            stderr=sink,
        )  # fmt: skip
        try:
            if not page.done.wait(PATIENCE_S):
                raise AssertionError(f"the page is not done: {log.read_text()[-2000:]}")
        finally:
            process.terminate()
            process.wait(timeout=30)
    return page.seen
