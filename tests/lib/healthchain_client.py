"""Run by an interpreter that has HealthChain: its client asks, and every raw exchange is printed.

    python healthchain_client.py URL WORKFLOW PREFETCH.json PATIENT

The client swallows what goes wrong and returns `{}`, so what is printed is taken from the wire. It
makes up the context's patient, whoever the prefetch is about; PATIENT puts the right one in.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx


def main(url: str, workflow: str, prefetch: str, patient: str) -> None:
    from healthchain.sandbox import SandboxClient

    exchanges: list[dict[str, Any]] = []
    send = httpx.Client.send

    def send_and_note(client: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        response = send(client, request, **more)
        sent, answer = json.loads(request.read()), json.loads(response.read())
        exchanges.append({"sent": sent, "status": response.status_code, "answer": answer})
        return response

    httpx.Client.send = send_and_note
    client = SandboxClient(url=url, workflow=workflow)
    client.load_from_path(prefetch)
    if patient:
        for request in client.requests:
            request.context.patientId = patient
    given = client.send_requests()
    sys.stdout.write(json.dumps({"exchanges": exchanges, "given": given}))


if __name__ == "__main__":
    main(*sys.argv[1:])
