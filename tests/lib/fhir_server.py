"""The EHR's FHIR server of the integration kit, made to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.check_integration.fhir_server import FhirStore, Reply, Resource, serve

TOKEN = "reading-token-7f3a"  # noqa: S105 - of nobody
FAILURE = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception"}],
}


@dataclass
class FhirServer(FhirStore):
    """How it misbehaves, and whether anybody keeps its cookie.

    Attributes
    ----------
    fault : str
        `status:<n>` answers with a status, `redirect:<url>` sends elsewhere, `hang` answers never,
        `page:<url>` gives that address as the next page, `text` answers what is no JSON.
    cookies : list of str
        What came back of the cookie that every answer sets.
    """

    fault: str = ""
    cookies: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def reply(self, target: str, headers: Mapping[str, str]) -> Reply:
        status, body, more = super().reply(target, headers)
        said = {**more, "set-cookie": "session=of-one-patient"}
        if "cookie" in headers:
            self.cookies.append(headers["cookie"])
        fault, _, rest = self.fault.partition(":")
        if fault == "hang":
            self.may_answer.wait(timeout=30)
        elif fault == "status":
            status, body = int(rest), json.dumps(FAILURE).encode()
        elif fault == "redirect":
            status, said = 302, {**said, "location": rest + target}
        elif fault == "text":
            body = b"<html>no FHIR here</html>"
        elif fault == "page" and b'"searchset"' in body:
            bundle = json.loads(body)
            bundle["link"][1:] = [{"relation": "next", "url": rest}]
            body = json.dumps(bundle).encode()
        return Reply(status, body, said)


@contextmanager
def fhir_server(resources: Sequence[Resource] = ()) -> Iterator[FhirServer]:
    """Serve resources on a free loopback port, below `/r4`."""
    served = FhirServer(TOKEN, list(resources))
    with serve(served):
        try:
            yield served
        finally:
            served.may_answer.set()
