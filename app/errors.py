"""What the borders can answer instead of a result.

AppError
├── Problem            an RFC 9457 problem document: status, title, detail, errors
└── StartRefused       the service must not start like this; one line for the operator

A problem never repeats what was sent: a pointer says where, a code says what is wrong, a detail says
what is expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.errors import ModelsError
from monitoring.keyring import KeysInvalid
from monitoring.ledger.errors import LedgerError

TITLES = {
    400: "Malformed JSON",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Request took too long",
    409: "Contradiction",
    412: "Data missing",
    413: "Body too large",
    422: "Request not usable",
    429: "Too many requests",
    500: "Internal error",
    503: "Not ready",
}
EXPLAINED = {
    404: "There is nothing at this path.",
    405: "This path does not know the method.",
    500: "The service failed; the request was not processed.",
}


@dataclass(frozen=True, slots=True)
class InputError:
    """One thing wrong with a request: where (JSON pointer), which rule, what is expected."""

    pointer: str
    code: str
    detail: str

    def document(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "detail": self.detail}


class AppError(Exception):
    """Root of the errors of the borders."""


class StartRefused(AppError):
    """The service must not start like this."""


class Problem(AppError):
    """An RFC 9457 problem document, with the headers that its status calls for."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[InputError] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers

    def document(self) -> dict[str, Any]:
        """The body, as RFC 9457 section 3 has it."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [error.document() for error in self.errors]
        return body


EXPECTED = (AppError, ModelsError, KeysInvalid, LedgerError)
"""What a command or a worker ends with in one line; anything else is a fault of ours."""
