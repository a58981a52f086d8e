"""HealthChain's sandbox client against the running service, judged by what went over the wire.

Its pins (httpx below 0.28, FastAPI below 0.138) contradict ours, so it cannot be installed beside the
service: `make test` gives it an environment of its own. Where that is missing these tests fail.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lib.fhir import observation
from tests.lib.hooks import ICU, PATIENT, empties, risks, searchset
from tests.lib.service import Service

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "tests" / "lib" / "healthchain_client.py"
PYTHON = ROOT / ".venv" / "healthchain" / "bin" / "python"
INSTALLED = ROOT / ".venv" / "healthchain" / "installed"
Exchange = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def healthchain() -> None:
    """Its environment; a test that needs it never passes by not running."""
    if not INSTALLED.exists():
        pytest.fail("HealthChain's client is not installed: run `make healthchain`", pytrace=False)


def ask(service: Service, point: str, workflow: str, folder: Path, patient: str) -> Exchange:
    """One workflow, with the vital signs of an hour ago: the client cannot name another time."""
    taken = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    vital_signs = [
        observation(code, value, unit, effectiveDateTime=taken)
        for code, value, unit in (
            ("8867-4", 104, "/min"), ("8478-0", 72, "mm[Hg]"), ("9279-1", 24, "/min"),
            ("8310-5", 38.1, "Cel"),
        )
    ]  # fmt: skip
    prefetch = folder / "prefetch.json"
    prefetch.write_text(json.dumps({"patient": PATIENT, "vital-signs": searchset(*vital_signs)}))
    done = subprocess.run(
        [str(PYTHON), "-IB", str(CLIENT), f"{service.url}/cds-services/{point}", workflow,
         str(prefetch), patient],
        capture_output=True, text=True, check=False, timeout=120, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    (exchange,) = told["exchanges"]
    assert list(empties(exchange["answer"])) == []
    return {**exchange, "given": told["given"]}


def test_patient_view_is_answered_with_a_card(service: Service, tmp_path: Path):
    exchange = ask(service, ICU, "patient-view", tmp_path, "1")
    assert exchange["status"] == 200
    (card,) = exchange["answer"]["cards"]
    assert "Death within 180 days" in risks(card)
    assert exchange["given"][0]["cards"][0]["summary"] == card["summary"]  # it could read it


def test_encounter_discharge_is_answered_without_the_encounter_it_leaves_out(
    service: Service, tmp_path: Path
):
    exchange = ask(service, "discharge", "encounter-discharge", tmp_path, "1")
    assert "encounterId" not in exchange["sent"]["context"]
    assert exchange["status"] == 200
    assert exchange["answer"] == {"cards": []}  # no model is served there


def test_a_patient_whom_the_client_made_up_has_no_data(service: Service, tmp_path: Path):
    """As the client is by default: the context's patient is nobody in the prefetch."""
    exchange = ask(service, ICU, "patient-view", tmp_path, "")
    assert exchange["status"] == 412
    assert exchange["given"] == [{}]  # what its user sees of it
