"""A model version that is not what was published never serves, and nothing in it is ever run.

One service follows one registry. Every case makes a bad version the champion while the service runs:
it must be refused by name with a reason, the version before must go on answering, and the pickles
that some cases plant must never be opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.bundle import MANIFEST, read_bundle, write_bundle
from models.champions import sync
from models.model_cache import Cache
from models.registry import CHAMPION, DIGEST_TAG, Registry, Run
from tests.lib.service import Service, running_service
from tests.lib.until import until

NAME, OTHER = "icu-review.death_180d", "icu-review.death_60d"
ICU = "/v1/branch-points/icu-review/assessments"
NOON = "2026-11-21T12:00:00Z"
SETTINGS = {"RISK_REGISTRY_POLL_S": "0.25"}
Files = dict[str, bytes]


@dataclass(frozen=True)
class Stage:
    """A registry with one good champion and a service that follows it."""

    registry: Registry
    var: Path
    service: Service
    good: Files
    other: Files
    marker: Path

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.service.url}/readyz").json()
        return found

    def refused(self) -> dict[str, str]:
        """Version and reason of what is refused under the name; empty when nothing is."""
        found = {item["name"]: item for item in self.ready()["refused"]}
        return found.get(NAME, {})

    def serving(self) -> str:
        return next(m["version"] for m in self.ready()["models"] if m["name"] == NAME)

    def failures(self) -> float:
        metrics = httpx.get(f"{self.service.url}/metrics").text
        [found] = re.findall(r"^risk_model_load_failures_total (.*)$", metrics, re.M)
        return float(found)

    def looks(self, times: int) -> None:
        """Wait until the service looked at the registry so many times again."""
        for _ in range(times):
            last = self.ready()["registry"]["last_success"]
            until(lambda last=last: self.ready()["registry"]["last_success"] != last)

    def publish(self, files: Mapping[str, bytes], folder: Path) -> tuple[str, Path]:
        """Register a bundle; return its version and MLflow's folder of it."""
        before = set(self._folders())
        write_bundle(folder, files)
        version = self.registry.publish(NAME, folder, Run({}, {}, {}, {}, {"age": "double"}))
        [artifacts] = set(self._folders()) - before
        return version.version, artifacts

    def _folders(self) -> list[Path]:
        return [path.parent for path in (self.var / "mlflow-artifacts").glob("**/MLmodel")]


@pytest.fixture(scope="module", autouse=True)
def mlflow_leaves_no_trace() -> Iterator[None]:
    """MLflow keeps its addresses in the environment; other tests must not find them there."""
    before = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="module")
def stage(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("trust")
    var = folder / "var"
    bundles = [next((trained / "model-cache" / name).glob("[0-9]*")) for name in (NAME, OTHER)]
    registry = Registry.at(var)
    for name, bundle in zip((NAME, OTHER), bundles, strict=True):
        version = registry.publish(name, bundle, Run({}, {}, {}, {}, {"age": "double"}))
        registry.set_alias(name, CHAMPION, version.version)
    good, other = (dict(read_bundle(bundle).files) for bundle in bundles)
    with running_service(var, folder / "log", SETTINGS) as service:
        yield Stage(registry, var, service, good, other, folder / "marker")


@pytest.fixture
def sent(patients: list[dict[str, Any]]) -> dict[str, Any]:
    return {"index_time": NOON, "outcomes": ["death_180d"], **patients[0]["request"]}


def trap(marker: Path) -> bytes:
    """A pickle that makes a folder as soon as anybody opens it."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(marker),)

    return pickle.dumps(Trap())


def test_the_trap_works(tmp_path: Path):
    """Otherwise its silence below would prove nothing."""
    pickle.loads(trap(tmp_path / "marker"))  # noqa: S301 - our own, to see it snap
    assert (tmp_path / "marker").is_dir()


# ---------------------------------------------------------------- files changed after publishing


def _change_a_byte(bundle: Path, _: Stage) -> None:
    content = bytearray((bundle / "model.json").read_bytes())
    at = content.index(b"0.")
    content[at] = ord("1")
    (bundle / "model.json").write_bytes(content)


def _cut_the_trees(bundle: Path, _: Stage) -> None:
    content = (bundle / "trees.txt").read_bytes()
    (bundle / "trees.txt").write_bytes(content[: len(content) // 2])


def _swap_two_files(bundle: Path, _: Stage) -> None:
    one, two = bundle / "evaluation.json", bundle / "reference.json"
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


def _swap_the_whole_bundle(bundle: Path, stage: Stage) -> None:
    shutil.rmtree(bundle)
    write_bundle(bundle, stage.other)


def _change_the_model_and_its_manifest(bundle: Path, stage: Stage) -> None:
    _change_a_byte(bundle, stage)
    manifest = json.loads((bundle / MANIFEST).read_text())
    changed = (bundle / "model.json").read_bytes()
    manifest["files"]["model.json"] = hashlib.sha256(changed).hexdigest()
    (bundle / MANIFEST).write_text(json.dumps(manifest))


def _remove_a_file(bundle: Path, _: Stage) -> None:
    (bundle / "evaluation.json").unlink()


def _remove_the_bundle(bundle: Path, _: Stage) -> None:
    shutil.rmtree(bundle)


def _add_a_pickle(bundle: Path, stage: Stage) -> None:
    (bundle / "model.pkl").write_bytes(trap(stage.marker))


def _add_a_pickle_to_the_manifest_too(bundle: Path, stage: Stage) -> None:
    _add_a_pickle(bundle, stage)
    manifest = json.loads((bundle / MANIFEST).read_text())
    digest = hashlib.sha256((bundle / "model.pkl").read_bytes()).hexdigest()
    manifest["files"]["model.pkl"] = digest
    (bundle / MANIFEST).write_text(json.dumps(manifest))


def _replace_the_model_by_a_pickle(bundle: Path, stage: Stage) -> None:
    (bundle / "model.json").write_bytes(trap(stage.marker))


def _add_a_pickle_beside_the_bundle(bundle: Path, stage: Stage) -> None:
    (bundle.parent.parent / "python_model.pkl").write_bytes(trap(stage.marker))
    (bundle.parent / "model.joblib").write_bytes(trap(stage.marker))


def _add_code_beside_the_bundle(bundle: Path, stage: Stage) -> None:
    code = bundle.parent.parent / "code"
    code.mkdir()
    (code / "sitecustomize.py").write_text(f"import os; os.mkdir({str(stage.marker)!r})\n")


SPOILED: dict[str, tuple[Callable[[Path, Stage], None], str]] = {
    "a byte of the model changed": (_change_a_byte, "model.json does not match its SHA-256"),
    "the trees cut short": (_cut_the_trees, "trees.txt does not match its SHA-256"),
    "two files swapped": (_swap_two_files, "does not match its SHA-256"),
    "another model in its place": (_swap_the_whole_bundle, "not the one that was published"),
    "the manifest changed along": (
        _change_the_model_and_its_manifest, "not the one that was published",
    ),
    "a file missing": (_remove_a_file, "evaluation.json missing"),
    "no bundle at all": (_remove_the_bundle, "not a bundle of this product"),
    "a pickle added": (_add_a_pickle, "model.pkl is not part of the format"),
    "a pickle added, manifest and all": (
        _add_a_pickle_to_the_manifest_too, "model.pkl is not part of the format",
    ),
    "a pickle called model.json": (
        _replace_the_model_by_a_pickle, "model.json does not match its SHA-256",
    ),
    "pickles beside the bundle": (_add_a_pickle_beside_the_bundle, "is not part of the format"),
    "code beside the bundle": (_add_code_beside_the_bundle, "code is not part of the format"),
}  # fmt: skip


def is_refused_and_the_old_one_serves(
    stage: Stage, version: str, reason: str, sent: Mapping[str, Any]
) -> None:
    """Make the version champion; it must be refused for that reason, once, and change nothing."""
    before, failures = stage.serving(), stage.failures()
    expected = httpx.post(f"{stage.service.url}{ICU}", json=sent).json()["outcomes"]
    stage.registry.set_alias(NAME, CHAMPION, version)
    until(lambda: stage.refused().get("version") == version)
    stage.looks(2)
    assert reason in stage.refused()["reason"]
    assert stage.ready()["ready"] is True
    assert stage.serving() == before
    assert stage.failures() == failures + 1
    assert httpx.post(f"{stage.service.url}{ICU}", json=sent).json()["outcomes"] == expected
    logged = [json.loads(line) for line in stage.service.log.read_text().splitlines()]
    [line] = [
        entry
        for entry in logged
        if entry["event"] == "model_refused" and entry["version"] == version
    ]
    assert line["model"] == NAME
    assert reason in line["reason"]
    assert not stage.marker.exists()


@pytest.mark.parametrize(("spoil", "reason"), SPOILED.values(), ids=SPOILED)
def test_a_version_changed_after_publishing_is_refused(
    stage: Stage,
    sent: dict[str, Any],
    tmp_path: Path,
    spoil: Callable[[Path, Stage], None],
    reason: str,
):
    version, artifacts = stage.publish(stage.good, tmp_path / "bundle")
    spoil(artifacts / "data" / "bundle", stage)
    is_refused_and_the_old_one_serves(stage, version, reason, sent)


# ---------------------------------------------------------------- published well, but not sound


def _document(files: Files, name: str, **changed: object) -> bytes:
    return json.dumps({**json.loads(files[name]), **changed}).encode()


def _wrong_example(good: Files) -> bytes:
    examples = json.loads(good["example.json"])["examples"]
    return json.dumps(
        {"examples": [{**examples[0], "score": examples[0]["score"] + 1e-3}]}
    ).encode()


UNSOUND: dict[str, tuple[Callable[[Stage], Files], str]] = {
    "another model under this name": (lambda s: s.other, "expected `icu-review.death_180d`"),
    "it does not reproduce its example": (
        lambda s: {"example.json": _wrong_example(s.good)}, "does not reproduce its own example",
    ),
    "other trees": (lambda s: {"trees.txt": s.other["trees.txt"]}, "does not reproduce"),
    "a model nested without bottom": (
        lambda _: {"model.json": b'{"a":' * 100_000}, "model.json",
    ),
    "a card that is not UTF-8": (lambda _: {"card.json": b"\xe5\xe4\xf6"}, "card.json is not JSON"),
    "a card without its cohort": (
        lambda s: {"card.json": _document(s.good, "card.json", cohort=None)}, "cohort",
    ),
    "pickles under proper names": (
        lambda s: dict.fromkeys(("model.json", "reference.json", "trees.txt"), trap(s.marker)),
        "is not",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), UNSOUND.values(), ids=UNSOUND)
def test_a_version_that_does_not_prove_itself_is_refused(
    stage: Stage,
    sent: dict[str, Any],
    tmp_path: Path,
    change: Callable[[Stage], Files],
    reason: str,
):
    version, _ = stage.publish({**stage.good, **change(stage)}, tmp_path / "bundle")
    is_refused_and_the_old_one_serves(stage, version, reason, sent)


@pytest.mark.parametrize("digest", [None, "sha256:" + "0" * 64])
def test_a_pickled_mlflow_model_is_refused_and_never_opened(
    stage: Stage, sent: dict[str, Any], tmp_path: Path, digest: str | None
):
    """What `mlflow.pyfunc.log_model(python_model=…)` leaves: a pickle that its loader would open."""
    version, artifacts = stage.publish(stage.good, tmp_path / "bundle")
    shutil.rmtree(artifacts / "data")
    (artifacts / "python_model.pkl").write_bytes(trap(stage.marker))
    described = (artifacts / "MLmodel").read_text()
    described = described.replace(
        "loader_module: models.pyfunc", "loader_module: mlflow.pyfunc.model"
    )
    (artifacts / "MLmodel").write_text(
        described.replace("data: data/bundle", "python_model: python_model.pkl")
    )
    client = stage.registry._client
    client.delete_model_version_tag(NAME, version, DIGEST_TAG)
    if digest is not None:
        client.set_model_version_tag(NAME, version, DIGEST_TAG, digest)
    reason = "without a digest" if digest is None else "not a bundle of this product"
    is_refused_and_the_old_one_serves(stage, version, reason, sent)


def _remove_the_folder(artifacts: Path) -> None:
    shutil.rmtree(artifacts)


def _link_the_model(artifacts: Path) -> None:
    (artifacts / "data" / "bundle" / "model.json").unlink()
    (artifacts / "data" / "bundle" / "model.json").symlink_to("/etc/hostname")


@pytest.mark.parametrize("spoil", [_remove_the_folder, _link_the_model])
def test_a_version_that_cannot_be_brought_hides_no_other(
    stage: Stage, tmp_path: Path, spoil: Callable[[Path], None]
):
    version, artifacts = stage.publish(stage.good, tmp_path / "bundle")
    spoil(artifacts)
    before = stage.serving()
    stage.registry.set_alias(NAME, CHAMPION, version)
    try:
        found = {
            item.name: item
            for item in sync(stage.registry, [NAME, OTHER], Cache(tmp_path / "cache"))
        }
    finally:
        stage.registry.set_alias(NAME, CHAMPION, before)
    assert found[NAME].refused
    assert found[OTHER].path


def test_a_good_version_then_serves_without_a_restart(
    stage: Stage, sent: dict[str, Any], tmp_path: Path
):
    card = _document(stage.good, "card.json", definition="A second edition.")
    changed = {**stage.good, "card.json": card}
    version, _ = stage.publish(changed, tmp_path / "bundle")
    failures, process = stage.failures(), stage.service.process.pid
    stage.registry.set_alias(NAME, CHAMPION, version)
    until(lambda: stage.serving() == version)
    assert stage.ready()["refused"] == []
    assert stage.failures() == failures
    assert stage.service.process.pid == process
    assert stage.service.process.poll() is None
    [outcome] = httpx.post(f"{stage.service.url}{ICU}", json=sent).json()["outcomes"]
    assert outcome["model"]["version"] == version
    page = httpx.get(f"{stage.service.url}/v1/models/{NAME}/card").text
    assert "A second edition." in page
    metrics = httpx.get(f"{stage.service.url}/metrics").text
    named = re.findall(rf'^risk_model_info\{{.*model="{NAME}".*version="(\d+)"', metrics, re.M)
    assert named == [version]


def test_a_model_without_its_alias_is_retired(stage: Stage, sent: dict[str, Any]):
    before = stage.serving()
    stage.registry._client.delete_registered_model_alias(NAME, CHAMPION)
    until(lambda: NAME not in {model["name"] for model in stage.ready()["models"]})
    [outcome] = httpx.post(f"{stage.service.url}{ICU}", json=sent).json()["outcomes"]
    assert (outcome["status"], outcome["reason"]) == ("abstained", "no_model")
    stage.registry.set_alias(NAME, CHAMPION, before)
    until(lambda: NAME in {model["name"] for model in stage.ready()["models"]})
    assert stage.serving() == before


def test_a_spoiled_cache_is_fetched_anew(stage: Stage, tmp_path: Path):
    """While the registry answers, the cache is only a copy."""
    for model in (stage.var / "model-cache").rglob("model.json"):
        model.write_bytes(b"{}")
    with running_service(stage.var, tmp_path / "log", SETTINGS) as running:
        assert httpx.get(f"{running.url}/readyz").json()["refused"] == []


def test_a_spoiled_cache_is_not_served_when_the_registry_is_away(stage: Stage, tmp_path: Path):
    var = tmp_path / "var"
    shutil.copytree(stage.var / "model-cache", var / "model-cache")
    index = var / "model-cache" / "champions.json"
    [version] = [c["version"] for c in json.loads(index.read_text()) if c["name"] == NAME]
    (var / "model-cache" / NAME / version / "model.pkl").write_bytes(trap(stage.marker))
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with running_service(var, tmp_path / "log", away, until=503) as running:
        until(lambda: httpx.get(f"{running.url}/readyz").json()["models"] != [])
        body = httpx.get(f"{running.url}/readyz").json()
        assert body["ready"] is False
        assert NAME in body["reason"]
        assert [item["name"] for item in body["refused"]] == [NAME]
        assert {model["name"] for model in body["models"]} == {OTHER}
        assert body["registry"]["serving_from_cache"] is True
    assert not stage.marker.exists()
