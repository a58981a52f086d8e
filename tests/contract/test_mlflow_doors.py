"""MLflow's own doors to a champion answer what the service answers, from files without a pickle."""

from __future__ import annotations

import json
import os
import pickletools
import signal
import subprocess
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from models.registry import CHAMPION, location
from tests.lib.service import Service, environment, free_port, run_command, script

ICU = "/v1/branch-points/icu-review/assessments"
NAMES = (
    "icu-review.death_180d",
    "icu-review.prolonged_stay",
    "icu-review.length_of_stay_days",
)
BESIDE = {"probability", "log_odds", "base_value"}
TEXT = {".json", ".md", ".txt", ".yaml", ""}
PATIENCE_S = 120.0
MANY = 1000


@pytest.fixture(scope="module")
def mlflow(trained: Path) -> Iterator[Any]:
    """MLflow in this process, pointed at the trained registry, and gone without a trace after."""
    before = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        tracking, registry, _ = location(trained)
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(registry)
        yield mlflow
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="module")
def dictionary(service: Service) -> dict[str, dict[str, Any]]:
    with service.client() as client:
        return {feature["name"]: feature for feature in client.get("/v1/features").json()}


@pytest.fixture(scope="module")
def rows(
    patients: list[dict[str, Any]], dictionary: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Real patients as a frame holds them: bare values in the dictionary's units."""
    return [
        {
            name: _bare(sent, dictionary[name])
            for name, sent in patient["request"]["measurements"].items()
        }
        for patient in patients[:8]
    ]


def _bare(sent: Any, feature: Mapping[str, Any]) -> Any:
    if not isinstance(sent, dict):
        return sent
    [unit] = [u for u in feature["accepted_units"] if u["unit"] == sent["unit"]]
    return sent["value"] * unit["factor"] + unit["offset"]


def answered(service: Service, row: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The service's answer for one model; None when it abstains."""
    outcome = name.split(".", 1)[1]
    with service.client() as client:
        answer = client.post(ICU, json={"measurements": row, "outcomes": [outcome]}).json()
    [found] = answer["outcomes"]
    return found if found["status"] == "answered" else None


def same(found: Mapping[str, float], expected: Mapping[str, Any]) -> None:
    """MLflow's row holds the service's prediction and reasons, to 1e-9."""
    binary = expected["kind"] == "binary"
    estimate, score = ("probability", "log_odds") if binary else ("value", "value")
    assert found["probability"] == pytest.approx(expected[estimate], abs=1e-9)
    assert found["log_odds"] == pytest.approx(expected[score], abs=1e-9)
    assert found["base_value"] == pytest.approx(expected["base_value"], abs=1e-9)
    reasons = {r["feature"]: r["contribution"] for r in expected["attributions"]}
    assert set(found) == BESIDE | {f"contribution_{feature}" for feature in reasons}
    for feature, contribution in reasons.items():
        assert found[f"contribution_{feature}"] == pytest.approx(contribution, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_load_model_predicts_what_the_service_answers(
    mlflow: Any, service: Service, rows: list[dict[str, Any]], name: str
):
    """One patient at a time: columns of what was not measured are simply left out."""
    model = mlflow.pyfunc.load_model(f"models:/{name}@{CHAMPION}")
    compared = 0
    for row in rows:
        expected = answered(service, row, name)
        if expected is not None:
            [found] = model.predict(pd.DataFrame([row])).to_dict("records")
            same(found, expected)
            compared += 1
    assert compared >= len(rows) - 2


def test_many_patients_in_one_frame_with_gaps(
    mlflow: Any, service: Service, rows: list[dict[str, Any]]
):
    name = NAMES[0]
    model = mlflow.pyfunc.load_model(f"models:/{name}@{CHAMPION}")
    frame = pd.DataFrame(rows, index=range(100, 100 + len(rows)))
    found = model.predict(frame)
    assert list(found.index) == list(frame.index)
    for row, prediction in zip(rows, found.to_dict("records"), strict=True):
        if (expected := answered(service, row, name)) is not None:
            same(prediction, expected)


def test_the_columns_are_those_of_the_signature(mlflow: Any, rows: list[dict[str, Any]]):
    model = mlflow.pyfunc.load_model(f"models:/{NAMES[0]}@{CHAMPION}")
    signature = model.metadata.signature
    inputs = signature.inputs.input_names()
    assert list(model.predict(pd.DataFrame(rows[:1])).columns) == [
        "probability", "log_odds", "base_value", *(f"contribution_{name}" for name in inputs),
    ]  # fmt: skip
    assert signature.outputs.input_names() == list(model.predict(pd.DataFrame(rows[:1])).columns)
    assert not any(column.required for column in signature.inputs.inputs)


def test_a_cell_that_does_not_fit_is_refused_without_its_value(
    mlflow: Any, rows: list[dict[str, Any]]
):
    model = mlflow.pyfunc.load_model(f"models:/{NAMES[0]}@{CHAMPION}")
    with pytest.raises(Exception, match="sex") as caught:
        model.predict(pd.DataFrame([{**rows[0], "sex": "195009072553"}]))
    assert "195009072553" not in str(caught.value)


def test_a_registered_version_holds_text_and_no_pickle(mlflow: Any, tmp_path: Path):
    for name in NAMES:
        folder = mlflow.artifacts.download_artifacts(
            f"models:/{name}@{CHAMPION}", dst_path=str(tmp_path / name)
        )
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        assert {"MLmodel", "manifest.json", "model.json"} <= {path.name for path in files}
        for path in files:
            content = path.read_bytes()
            assert path.suffix in TEXT, path.name
            content.decode("utf-8")
            assert b"\x00" not in content
            assert not content.startswith((b"\x80", b"PK\x03\x04", b"\x1f\x8b", b"\x93NUMPY"))
            assert not zipfile.is_zipfile(path)
            assert not _is_pickle(content), path.name
            if path.suffix == ".json":
                json.loads(content)


def _is_pickle(content: bytes) -> bool:
    with suppress(Exception):
        for operation, _, _ in pickletools.genops(content):
            if operation.name == "STOP":
                return True
    return False


def test_the_scan_knows_a_pickle_when_it_sees_one():
    assert _is_pickle(b"cos\nmkdir\n(S'x'\ntR.")
    assert not _is_pickle(b'{"a": 1}')


@pytest.fixture(scope="module")
def thousand(trained: Path, dictionary: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A thousand real patients that no model was fitted on, bare values in the dictionary's units."""
    done = run_command(
        "risk-train", "rows", "support2", "--held-out", "--limit", str(MANY), var=trained
    )
    found = [json.loads(line)["request"]["measurements"] for line in done.stdout.splitlines()]
    return [{name: _bare(sent, dictionary[name]) for name, sent in row.items()} for row in found]


@pytest.fixture(scope="module")
def expected(service: Service, thousand: list[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """For every patient what the service answered, by outcome; outcomes that abstained are left out."""
    wanted = [name.split(".", 1)[1] for name in NAMES]
    lines = [json.dumps({"measurements": row, "outcomes": wanted}) for row in thousand]
    with service.client() as client:
        told = client.post(f"{ICU}:batch", content="\n".join(lines)).text.splitlines()
    return [
        {
            found["outcome"]: found
            for found in json.loads(line)["outcomes"]
            if found["status"] == "answered"
        }
        for line in told
    ]


def all_same(
    found: list[dict[str, float]], expected: list[dict[str, dict[str, Any]]], name: str
) -> None:
    """Row by row the service's numbers, to 1e-9, wherever the service answered."""
    outcome = name.split(".", 1)[1]
    pairs = [
        (mine, theirs[outcome])
        for mine, theirs in zip(found, expected, strict=True)
        if outcome in theirs
    ]
    assert len(pairs) > 0.97 * MANY
    for mine, theirs in pairs:
        same(mine, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_patients_get_the_same_numbers_from_load_model_as_from_the_service(
    mlflow: Any,
    thousand: list[dict[str, Any]],
    expected: list[dict[str, dict[str, Any]]],
    name: str,
):
    model = mlflow.pyfunc.load_model(f"models:/{name}@{CHAMPION}")
    all_same(model.predict(pd.DataFrame(thousand)).to_dict("records"), expected, name)


def test_what_is_implausible_counts_as_missing_at_every_door(
    mlflow: Any, service: Service, rows: list[dict[str, Any]]
):
    """Nobody has an albumin of 900 g/L: the service sets it aside, and so does `predict`."""
    row = {**rows[0], "albumin": 900.0}
    model = mlflow.pyfunc.load_model(f"models:/{NAMES[0]}@{CHAMPION}")
    [found] = model.predict(pd.DataFrame([row])).to_dict("records")
    same(found, answered(service, row, NAMES[0]) or {})


def test_mlflow_models_serve_answers_a_thousand_patients_as_the_service_does(
    service: Service,
    trained: Path,
    rows: list[dict[str, Any]],
    thousand: list[dict[str, Any]],
    expected: list[dict[str, dict[str, Any]]],
    tmp_path: Path,
):
    """The whole command, a process of its own on a loopback port."""
    name, port = NAMES[0], free_port()
    tracking, registry, _ = location(trained)
    settings = environment(
        trained, MLFLOW_TRACKING_URI=tracking, MLFLOW_REGISTRY_URI=registry,
        MLFLOW_DISABLE_TELEMETRY="true",
    )  # fmt: skip
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [script("mlflow"), "models", "serve", "--model-uri", f"models:/{name}@{CHAMPION}",
             "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)],
            env={**settings, "PATH": f"{Path(script('mlflow')).parent}:{settings['PATH']}"},
            stdout=sink, stderr=sink, start_new_session=True,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/ping", process, log)
            chosen = [row for row in rows if answered(service, row, name)][:4]
            for row in chosen:
                response = httpx.post(
                    f"{url}/invocations", json={"dataframe_records": [row]}, timeout=60
                )
                assert response.status_code == 200, response.text
                [found] = response.json()["predictions"]
                same(found, answered(service, row, name) or {})
            response = httpx.post(
                f"{url}/invocations", json={"dataframe_records": thousand}, timeout=60
            )
            assert response.status_code == 200, response.text
            all_same(response.json()["predictions"], expected, name)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-2000:]
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=2.0).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"no answer within {PATIENCE_S} s: {log.read_text()[-2000:]}")
