"""What the page of integration shows: services, calls with this service's address, examples. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from app.console.frame.site import Reader
from app.examples import Answerer, Example
from models.vocabulary import Vocabulary

VERDICTS = ("passed", "failed", "skipped")
WAYS = ("rest", "cds-hooks", "fhir")
FHIR_JSON = "application/fhir+json"
PLACEHOLDER = "https://risk.example.org"


def address(agreed: str | None, asked: str) -> str:
    """How calls reach this service: as agreed, else as the browser did if that is this machine.

    Whatever else a browser says stands in a header that anybody may write: it is not repeated.

    Examples
    --------
    >>> address(None, "http://127.0.0.1:8000/console"), address(None, "http://evil.example/console")
    ('http://127.0.0.1:8000', 'https://risk.example.org')
    >>> address("https://risk.site.example", "http://127.0.0.1:8000/console")
    'https://risk.site.example'
    """
    if agreed is not None:
        return agreed
    parts = urlsplit(asked)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    return f"{parts.scheme}://{parts.netloc}" if local else PLACEHOLDER


def integration_view(
    discovery: Mapping[str, Any],
    example: Example,
    way: str,
    url: str,
    points: Sequence[str],
    vocabulary: Vocabulary,
    reader: Reader,
    *,
    is_open: bool,
) -> dict[str, Any]:
    """Everything that the page shows.

    Parameters
    ----------
    discovery : mapping
        The CDS Hooks document as this caller gets it.
    example : Example
        The chosen branch point's.
    url : str
        See `address`.
    points : sequence of str
        Branch points that the caller may ask at.
    """
    chosen = vocabulary.branch_points[example.branch_point]
    path, kind, request, answer = _asked(example, way)
    key = "" if is_open else ' -H "X-API-Key: $KEY"'
    return {
        "url": url,
        "is_placeholder": url == PLACEHOLDER,
        "services": [
            {
                "id": one["id"],
                "hook": one["hook"],
                "title": one["title"].split(" / ")[reader.language == "sv"],
                "prefetch": sorted(one["prefetch"]),
            }
            for one in discovery["services"]
        ],
        "discovery": json.dumps(discovery, indent=2, ensure_ascii=False),
        "points": [
            (name, getattr(vocabulary.branch_points[name], f"title_{reader.language}"))
            for name in points
        ],
        "point": chosen.id,
        "ways": WAYS,
        "way": way,
        "request": json.dumps(request, indent=2, ensure_ascii=False),
        "answer": json.dumps(answer, indent=2, ensure_ascii=False),
        "summary": example.summary,
        "curl": f"curl -sS '{url}{path}'{key} -H 'Content-Type: {kind}' -d @request.json",
        "curl_discovery": f"curl -sS '{url}/cds-services'{key}",
        "check": f"risk-serve check-integration {url}",
    }


def answered(answerer: Answerer, example: Example, way: str) -> Any:
    """What an example is answered, by the way that it takes."""
    match way:
        case "cds-hooks":
            return answerer.cds_hooks(example.cds_hooks_request)
        case "fhir":
            return answerer.fhir(example.fhir_request)
        case _:
            return answerer.rest(example.request)


def report_view(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report of `check-integration`: counts, and its rows by group in the order of the run.

    Examples
    --------
    >>> row = {"group": "Reachable", "verdict": "PASSED", "service": None}
    >>> told = report_view({"passed": 1, "failed": 0, "skipped": 0, "findings": [row]})
    >>> told["groups"][0]["name"], told["groups"][0]["counts"], told["groups"][0]["open"]
    ('Reachable', {'passed': 1, 'failed': 0, 'skipped': 0}, False)
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for finding in report["findings"]:
        groups.setdefault(finding["group"], []).append(finding)
    return {
        **{verdict: report[verdict] for verdict in VERDICTS},
        "groups": [
            {
                "name": name,
                "rows": rows,
                "counts": {v: sum(row["verdict"].lower() == v for row in rows) for v in VERDICTS},
                "open": any(row["verdict"] == "FAILED" for row in rows),
            }
            for name, rows in groups.items()
        ],
    }


def _asked(example: Example, way: str) -> tuple[str, str, Any, Any]:
    """Path, media type, request and stored answer of a way in."""
    point = example.branch_point
    match way:
        case "cds-hooks":
            return (f"/cds-services/{point}", "application/json", example.cds_hooks_request,
                    example.cds_hooks_answer)  # fmt: skip
        case "fhir":
            return "/fhir/$assess", FHIR_JSON, example.fhir_request, example.fhir_answer
        case _:
            return (f"/v1/branch-points/{point}/assessments", "application/json",
                    example.request, example.answer)  # fmt: skip
