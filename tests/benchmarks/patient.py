"""One real patient, as every candidate is asked about him."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.failure import NOTHING_TRAINED, BenchmarkFailed
from tests.benchmarks.servers import Server
from tests.lib.service import run_command

BRANCH_POINT, OUTCOME, SOURCE = "icu-review", "death_180d", "support2"
MODEL = f"{BRANCH_POINT}.{OUTCOME}"
ASSESSMENTS = f"/v1/branch-points/{BRANCH_POINT}/assessments"
INVOCATIONS = "/invocations"
SAME_WITHIN = 1e-6
FIVE, TWENTY = 5, 20


def read_row(var: Path, file: Path | None) -> dict[str, Any]:
    """A line of `risk-train rows`: from a file, or the first held-out patient of the cohort."""
    if file is not None:
        text = file.read_text(encoding="utf-8")
    else:
        try:
            done = run_command("risk-train", "rows", SOURCE, "--held-out", "--limit", "1", var=var)
        except AssertionError as error:
            raise BenchmarkFailed(f"no patient to ask about: {error}") from None
        text = done.stdout
    try:
        row: dict[str, Any] = json.loads(text.splitlines()[0])
        if row["branch_point"] != BRANCH_POINT:
            raise BenchmarkFailed(f"expected a patient at {BRANCH_POINT}")
        return row
    except (ValueError, KeyError, TypeError, IndexError):
        raise BenchmarkFailed("expected a line as `risk-train rows` prints it") from None


def ask(ours: Server, row: Mapping[str, Any]) -> tuple[bytes, bytes, dict[str, Any]]:
    """Word the request for one outcome and for five, and return them with the one outcome's answer.

    The request for five names outcomes that are answered, so that none is answered by abstaining.

    Raises
    ------
    BenchmarkFailed
        When the model is not served or abstains: then there is nothing to time.
    """
    request = {key: value for key, value in row["request"].items() if key != "outcomes"}
    one = json.dumps({**request, "outcomes": [OUTCOME]}).encode()
    answer: dict[str, Any] = _post(ours, ASSESSMENTS, one)["outcomes"][0]
    if answer["status"] == "abstained":
        if answer["reason"] == "no_model":
            raise BenchmarkFailed(NOTHING_TRAINED)
        raise BenchmarkFailed(f"the service abstains on this patient ({answer['reason']})")
    answers = _post(ours, ASSESSMENTS, json.dumps(request).encode())["outcomes"]
    answered = [a["outcome"] for a in answers if a["status"] == "answered"]
    if len(answered) < FIVE:
        raise BenchmarkFailed(f"only {len(answered)} outcomes are answered, expected {FIVE}")
    return one, json.dumps({**request, "outcomes": answered[:FIVE]}).encode(), answer


def ask_sparsely(ours: Server, row: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Word a request that lacks twenty inputs of the model, without and with the parts that cost time.

    Raises
    ------
    BenchmarkFailed
        When that many cannot be left out, or the service would not rank them.
    """
    request = {**row["request"], "outcomes": [OUTCOME]}
    measured = dict(request["measurements"])
    answer = _post(ours, ASSESSMENTS, json.dumps(request).encode())
    reasons = answer["outcomes"][0]["attributions"]
    required = set(_get(ours, f"/v1/branch-points/{BRANCH_POINT}")["required"])
    for reason in reversed(reasons):  # the weakest first: the patient stays a familiar one
        missing = sum(r["feature"] not in measured for r in reasons)
        if missing < TWENTY and reason["feature"] not in required:
            measured.pop(reason["feature"], None)
    plain = {**request, "measurements": measured}
    more = {**plain, "include": ["measure_next", "reference"]}
    ranked = _post(ours, ASSESSMENTS, json.dumps(more).encode()).get("measure_next", [])
    missing = sum(reason["feature"] not in measured for reason in reasons)
    if missing < TWENTY or not ranked:
        raise BenchmarkFailed(f"{missing} inputs are missing and {len(ranked)} are ranked")
    return json.dumps(plain).encode(), json.dumps(more).encode()


def frame_for_mlflow(mlflow: Server, answer: Mapping[str, Any]) -> bytes:
    """The values that our service used, as MLflow's server reads them.

    Raises
    ------
    BenchmarkFailed
        When MLflow's server gives another probability or other reasons: the figures would not
        compare.
    """
    used = {r["feature"]: r["value"] for r in answer["attributions"] if r["present"]}
    frame = {"dataframe_split": {"columns": list(used), "data": [list(used.values())]}}
    body = json.dumps(frame).encode()
    predicted = _post(mlflow, INVOCATIONS, body)["predictions"][0]
    expected = {f"contribution_{r['feature']}": r["contribution"] for r in answer["attributions"]}
    expected |= {name: answer[name] for name in ("probability", "log_odds", "base_value")}
    if predicted.keys() != expected.keys() or any(
        abs(predicted[name] - value) > SAME_WITHIN for name, value in expected.items()
    ):
        raise BenchmarkFailed("our service and MLflow's server answer differently")
    return body


def _get(server: Server, path: str) -> dict[str, Any]:
    return _ask("GET", server, path, None)


def _post(server: Server, path: str, body: bytes) -> dict[str, Any]:
    return _ask("POST", server, path, body)


def _ask(method: str, server: Server, path: str, body: bytes | None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30.0)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
    except OSError as error:
        raise BenchmarkFailed(f"{server.candidate.name}: {type(error).__name__}") from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise BenchmarkFailed(f"{server.candidate.name} answered {response.status}, expected 200")
    found: dict[str, Any] = json.loads(content)
    return found
