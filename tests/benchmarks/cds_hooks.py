"""How fast a CDS Hooks call with prefetch is answered, from one connection to many.

    python -m tests.benchmarks.cds_hooks [--var DIR] [--seconds 5] [--rounds 3] [--json]

Method: one worker of the service, loaded in turn by wrk with one call at each number of connections.
The call carries a whole stay: for every code that the ICU review asks for, three Observations of
three days, so some hundred and fifty resources; five outcomes are answered, with reasons, and every
answer is durable before its card leaves. The target is the 95th percentile at eight connections.

When it misleads: load generator and server share the machine, and one patient is asked about again
and again. Compare the ratio to `five outcomes` of `tests.benchmarks.serving` on the same machine.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console

from models.vocabulary import Feature, load_vocabulary
from tests.benchmarks.failure import BenchmarkFailed
from tests.benchmarks.load import Load, put_under_load, wrk
from tests.benchmarks.patient import BRANCH_POINT, FIVE, MODEL
from tests.benchmarks.results import machine
from tests.benchmarks.servers import Server, candidates, running

PATH = f"/cds-services/{BRANCH_POINT}"
CONNECTIONS = (1, 8, 16)
TARGET_CONNECTIONS, P95_BELOW_MS = 8, 50.0
DAYS = ("2026-11-19", "2026-11-20", "2026-11-21")
VITAL_SIGNS = {"heart_rate": 104.0, "map": 72.0, "resp_rate": 24.0, "temperature": 38.1}
WARM_UP_S = 1


def main(
    var: Annotated[
        Path, typer.Option("--var", envvar="VAR_DIR", help="State folder with champions.")
    ] = Path("var"),
    seconds: Annotated[int, typer.Option(min=1, help="Length of one stretch of load.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds over all connections.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure a call with prefetch."""
    try:
        wrk()
        found = measure(var, seconds, rounds)
    except BenchmarkFailed as error:
        Console(stderr=True).print(f"benchmark: {error}", style="red", highlight=False)
        sys.exit(1)
    if as_json:
        print(json.dumps(found))
        return
    for row in found["load"]:
        print(
            f"{row['connections']:>3} connections: {row['requests_per_s']:8.0f} /s, "
            f"p50 {row['p50_ms']:6.1f} ms, p95 {row['p95_ms']:6.1f} ms, p99 {row['p99_ms']:6.1f} ms"
        )
    print(
        f"{found['resources']} resources, {found['bytes']} bytes; p95 at {TARGET_CONNECTIONS} "
        f"connections below {P95_BELOW_MS:g} ms: {'yes' if found['holds'] else 'NO'}"
    )


def measure(var: Path, seconds: int, rounds: int) -> dict[str, Any]:
    """Load the service and collect the figures; the median round of each number of connections.

    Raises
    ------
    BenchmarkFailed
        When the call is not answered with five outcomes, or any answer under load is not a 200.
    """
    call = a_call()
    body = json.dumps(call).encode()
    loads: dict[int, list[Load]] = {count: [] for count in CONNECTIONS}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(candidates(MODEL)[0], var, Path(folder)) as ours,
    ):
        answered_in_full(ours, body)
        put_under_load(ours.url(PATH), body, max(CONNECTIONS), WARM_UP_S, Path(folder))
        for _ in range(rounds):
            for count in CONNECTIONS:
                load = put_under_load(ours.url(PATH), body, count, seconds, Path(folder))
                if load.refused or load.broken:
                    raise BenchmarkFailed(f"{load.refused} refused, {load.broken} broken")
                loads[count].append(load)
    table = [
        {
            "connections": count,
            **{
                name: median(getattr(load, name) for load in found)
                for name in ("requests_per_s", "p50_ms", "p95_ms", "p99_ms")
            },
        }
        for count, found in loads.items()
    ]
    (at_target,) = (row for row in table if row["connections"] == TARGET_CONNECTIONS)
    return {
        "machine": machine(),
        "resources": json.dumps(call).count('"resourceType": "Observation"') + 1,
        "bytes": len(body),
        "load": table,
        "holds": at_target["p95_ms"] < P95_BELOW_MS,
    }


def answered_in_full(ours: Server, body: bytes) -> None:
    """See that five outcomes stand in the card's table.

    Raises
    ------
    BenchmarkFailed
        When they do not.
    """
    connection = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=30.0)
    connection.request("POST", PATH, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    if response.status != http.client.OK or not answer["cards"]:
        raise BenchmarkFailed(f"the call was answered {response.status} without a card")
    rows = answer["cards"][0]["detail"].count(" % |") + answer["cards"][0]["detail"].count(
        " days |"
    )
    if rows < FIVE:
        raise BenchmarkFailed("fewer than five outcomes are answered")


def a_call() -> dict[str, Any]:
    """A call whose prefetch has three days of everything that is asked for."""
    vocabulary = load_vocabulary()
    features = [vocabulary.features[n] for n in vocabulary.branch_points[BRANCH_POINT].features]
    coded = [f for f in features if f.codes.get("loinc") and f.kind == "number"]
    keys: dict[str, list[dict[str, Any]]] = {
        "vital-signs": [],
        "laboratory": [],
        "observations": [],
    }
    for feature in coded:
        group = {"vital_sign": "vital-signs", "laboratory": "laboratory", "blood_gas": "laboratory"}
        keys[group.get(feature.group, "observations")] += [
            reading(feature, f"{day}T06:00:00Z") for day in DAYS
        ]
    bundles = {
        key: {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "entry": [{"resource": one} for one in found],
        }
        for key, found in keys.items()
    }
    person = {"resourceType": "Patient", "id": "1", "gender": "male", "birthDate": "1955-02-01"}
    nothing = dict.fromkeys(("encounter", "conditions", "procedures", "medications"))
    return {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/p7", "patientId": "1", "encounterId": "e1"},
        "extension": {"se.complication-risk.index-time": "2026-11-21T08:00:00Z"},
        "prefetch": {"patient": person, **bundles, **nothing},
    }


def reading(feature: Feature, taken: str) -> dict[str, Any]:
    """An Observation in the middle of the plausible range, or the vital sign of a patient in care."""
    low, high = feature.plausible or (0.0, 1.0)
    middle = low + (high - low) * 0.3
    value = VITAL_SIGNS.get(feature.name, round(middle) if feature.integer else middle)
    code = feature.codes["loinc"][0]
    unit = feature.loinc_units.get(code, feature.unit)
    if unit != feature.unit and unit is not None:
        value = feature.conversions[unit].from_own_unit(value)
    return {
        "resourceType": "Observation",
        "id": f"{feature.name}-{taken}".replace("_", "-").replace(":", "."),
        "status": "final",
        "code": {
            "coding": [{"system": "http://loinc.org", "code": code, "display": feature.label_en}]
        },
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": taken,
        "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": unit},
    }


if __name__ == "__main__":
    typer.run(main)
