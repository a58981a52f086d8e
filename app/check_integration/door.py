"""The service from outside: one client that asks, times, and watches whether anything is repeated."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import httpx

from app.check_integration.credential import Credential
from app.errors import AppError

PATIENCE_S = 30.0
JSON = "application/json"


class NoAnswer(AppError):
    """The service did not answer a request; the message says to which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read without believing anything about it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    took_ms: float

    @property
    def document(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def at(self, *path: str | int) -> Any:
        """What stands at a place of the document; None where there is no such place."""
        return at(self.document, *path)


def at(document: Any, *path: str | int) -> Any:
    """A value deep in a document that may have any shape.

    Examples
    --------
    >>> at({"cards": [{"uuid": "a"}]}, "cards", 0, "uuid")
    'a'
    >>> at({"cards": "none"}, "cards", 0, "uuid") is None
    True
    """
    for step in path:
        if isinstance(step, str) and isinstance(document, dict):
            document = document.get(step)
        elif isinstance(step, int) and isinstance(document, list) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none of what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def empties(document: Any, path: str = "$") -> Iterator[str]:
    """Where a document holds null, or an empty text, list or object, which CDS Hooks forbids.

    Examples
    --------
    >>> list(empties({"cards": [], "detail": "", "source": {"url": None}}))
    ['$.detail', '$.source.url']
    """
    if document is None or document in ("", [], {}):
        if path not in ("$.cards", "$.services"):
            yield path
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from empties(value, f"{path}.{key}")
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from empties(value, f"{path}[{position}]")


class Canaries:
    """Texts that are planted where identifiers and secrets stand, and must never come back."""

    def __init__(self) -> None:
        self.name = f"Kontroll{token_hex(6)}"
        """Of the patient, as family name, and as the value of what must be refused."""
        self.token = f"reading-{token_hex(16)}"
        """Opens the EHR's FHIR server."""
        self.comment = f"kommentar-{token_hex(6)}"
        """Of a user who overrides a card."""

    def found_in(self, body: bytes, credential: str) -> list[str]:
        """Which of them a body holds, or of the credential, by what they stand for."""
        planted = {
            "a name or refused value": self.name,
            "the access token": self.token,
            "a comment": self.comment,
            "the credential": credential,
        }
        return [what for what, text in planted.items() if text and text.encode() in body]


class Door:
    """Asks the service under one credential; answers are never believed to have a shape.

    Attributes
    ----------
    echoes : list of str
        Where an answer repeated what was planted.
    """

    def __init__(self, url: str, credential: Credential, canaries: Canaries) -> None:
        self.url = url.rstrip("/")
        self.credential = credential
        self.canaries = canaries
        self.echoes: list[str] = []
        self._http = httpx.Client(timeout=PATIENCE_S, follow_redirects=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request.

        Parameters
        ----------
        body : bytes or anything that JSON can hold, optional
            Bytes are sent as they are.
        credentials : mapping, optional
            Headers in place of the credential's own.

        Raises
        ------
        NoAnswer
            When none came.
        """
        url = self.url + path
        sent = {"accept": JSON, **(self.credential.headers(url) if credentials is None else {})}
        sent |= {**(credentials or {}), **(headers or {})}
        if body is not None:
            sent.setdefault("content-type", JSON)
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        began = time.perf_counter()
        try:
            got = self._http.request(method, url, content=content, headers=sent)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(f"{method} {path} was not answered ({type(error).__name__})") from None
        took_ms = (time.perf_counter() - began) * 1000
        shown = sent.get("authorization", sent.get("x-api-key", "")).removeprefix("Bearer ")
        found = self.canaries.found_in(got.content, shown)
        self.echoes += [f"{what} by {method} {path}" for what in found]
        return Answer(got.status_code, got.headers, got.content, took_ms)
