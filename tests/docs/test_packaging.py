"""What is built, checked and shipped says the same thing everywhere, and nothing of one machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.settings import Settings

ROOT = Path(__file__).parents[2]
OWN_NAME = Path(__file__).relative_to(ROOT).as_posix()
LOCKS = ("requirements.lock", "requirements-serve.lock", "requirements-healthchain.lock")
NOT_IN_THE_IMAGE = ("lightgbm", "scipy", "pandas", "scikit-learn", "shap", "altair", "mlflow")
LARGEST_FILE_BYTES = 400_000
UNPICKLING = re.compile(
    r"pickle\.loads?\(|Unpickler|(?:joblib|torch|dill)\.load\(|read_pickle\(|allow_pickle\s*=\s*True"
    r"|(?:import|from)\s+(?:joblib|cloudpickle|dill)\b"
)
ONE_MACHINE = re.compile(r"(?<![\w.])/(?:home|Users|root)/|\b[A-Z]:\\Users\\|(?<![\w.])/dev/fd/")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|conda\.anaconda|(?<!emit-)index[-_]url|find[-_]links"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def product_files() -> list[Path]:
    """Files in git, and those that would be; without git, all but what is ignored."""
    found = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0 and found.stdout:
        return [ROOT / name for name in found.stdout.split("\0") if (ROOT / name).is_file()]
    ignored = [line.strip("/") for line in read(".gitignore").splitlines() if line.endswith("/")]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(Path(part).match(i) for part in _parts(path) for i in [*ignored, ".git"])
    ]


def _parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).parts


def product_texts() -> list[tuple[str, str]]:
    found = []
    for path in product_files():
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def where(pattern: re.Pattern[str]) -> set[str]:
    """Files and lines that match, without what stands there; this file holds the patterns."""
    return {
        f"{name}:{number}"
        for name, text in product_texts()
        if name != OWN_NAME
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    }


def pins(lock: str) -> dict[str, str]:
    """Name to version of every requirement of a lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[\S+\])?==([^\s;]+)", read(lock), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def requirements(lock: str) -> list[str]:
    """Each requirement or option with the indented lines that belong to it."""
    return re.findall(r"^[^\s#].*(?:\n[ ].*)*", read(lock), re.MULTILINE)


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(read("pyproject.toml"))["project"]
    return found


def recipe(target: str) -> list[str]:
    """The commands of one target of the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    assert found, target
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


def test_pre_commit_runs_the_commands_of_make_check_in_their_order():
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    hooks = repository["hooks"]
    assert [hook["entry"] for hook in hooks] == recipe("check")
    assert {hook["language"] for hook in hooks} == {"system"}
    assert not any(hook["pass_filenames"] for hook in hooks)


def test_make_test_checks_before_it_tests():
    (before,) = re.findall(r"^test: (.+)$", read("Makefile"), re.MULTILINE)
    assert before.split() == [".venv/installed", "healthchain", "check"]
    assert recipe("test") == [
        ".venv/bin/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder"
    ]


def test_the_workflow_runs_make_test_and_may_only_read():
    workflow = yaml.safe_load(read(".github/workflows/check.yml"))
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in used)


def test_the_check_of_a_fresh_clone_is_make_test():
    assert re.findall(r"^exec (.+)$", read(".ci/run"), re.MULTILINE) == ["make test"]


def test_bench_starts_the_benchmark_and_pytest_leaves_it_alone():
    assert recipe("bench") == [
        f".venv/bin/python -m tests.benchmarks.{name}"
        for name in (
            "serving",
            "boundary",
            "cds_hooks",
            "bundle",
            "file_drop",
            "shadow",
            "counting",
            "console",
        )
    ]
    options = tomllib.loads(read("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    assert "tests/benchmarks" in options["norecursedirs"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address_and_no_option(lock: str):
    text = read(lock)
    assert "://" not in text
    assert not REGISTRY.search(text)
    assert not ONE_MACHINE.search(text)
    assert not [line for line in requirements(lock) if line.startswith("-")]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str):
    assert requirements(lock)
    for line in requirements(lock):
        assert re.match(r"[A-Za-z0-9._-]+(\[\S+\])?==\S+ ", line), line.split()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", line), line.split()[0]


@pytest.mark.parametrize(
    ("lock", "groups"),
    [("requirements.lock", ("serve", "train", "dev")), ("requirements-serve.lock", ("serve",))],
)
def test_every_declared_dependency_is_in_the_lock_at_a_version_it_allows(
    lock: str, groups: tuple[str, ...]
):
    locked = pins(lock)
    declared = [*project()["dependencies"]]
    declared += [d for group in groups for d in project()["optional-dependencies"][group]]
    for requirement in map(Requirement, declared):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}; run `make lock`"
        assert version in requirement.specifier, f"{requirement.name} in {lock}; run `make lock`"


def test_the_ehrs_client_has_an_environment_of_its_own_with_hashes():
    """It contradicts our own pins; `make test` makes its environment, so that its tests always run."""
    (declared,) = tomllib.loads(read("pyproject.toml"))["dependency-groups"]["healthchain"]
    client, locked = Requirement(declared), pins("requirements-healthchain.lock")
    assert locked[client.name] in client.specifier
    ours = pins("requirements.lock")
    assert {name for name in ("httpx", "fastapi") if locked[name] != ours[name]}
    assert client.name not in ours
    assert re.search(r"^healthchain: \.venv/healthchain/installed$", read("Makefile"), re.MULTILINE)
    install = " ".join(recipe(".venv/healthchain/installed")).replace(" \\", "")
    assert "--require-hashes --requirement requirements-healthchain.lock" in install
    assert "--python .venv/healthchain/bin/python" in install


def test_what_is_served_is_what_was_tested():
    everything = pins("requirements.lock")
    assert {
        name: version
        for name, version in pins("requirements-serve.lock").items()
        if everything.get(name) != version
    } == {}


def test_the_image_can_open_a_sqlite_registry_and_has_no_training_library():
    served = pins("requirements-serve.lock")
    # MLflow imports both for its SQLite store and declares neither for its small package.
    assert {"alembic", "sqlalchemy"} <= served.keys()
    assert not served.keys() & set(NOT_IN_THE_IMAGE)


def dockerfile() -> str:
    return read("Dockerfile").replace("\\\n", " ")


def test_the_image_is_made_from_the_serving_lock_with_hashes():
    installs = [line for line in dockerfile().splitlines() if " install " in line]
    text = re.sub(r"\s+", " ", dockerfile())
    assert "--require-hashes --requirement requirements-serve.lock" in text
    for install in re.findall(r"-m pip (?:--python \S+ )?install (.+?)(?:&&|COPY|RUN|FROM)", text):
        assert "--require-hashes" in install or "--no-deps dist/" in install
    assert installs
    version = project()["requires-python"].removeprefix(">=")
    assert set(re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)) == {f"python:{version}-slim"}


def test_the_image_builds_with_the_backend_and_all_that_it_needs():
    found = re.search(r"wanted = /\^\((.+?)\)==/", dockerfile())
    assert found
    chosen = set(found[1].split("|"))
    backend = tomllib.loads(read("pyproject.toml"))["build-system"]["requires"]
    needed, waiting = set(), [Requirement(one).name for one in backend]
    while waiting:
        name = waiting.pop()
        needed.add(name)
        for requirement in map(Requirement, requires(name) or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting += {canonicalize_name(requirement.name)} - needed
    assert chosen == needed
    assert chosen <= pins("requirements.lock").keys()


def test_the_image_starts_a_command_of_the_project_as_nobody_in_particular():
    text = dockerfile()
    (command,) = re.findall(r'^ENTRYPOINT \["(.+)"\]$', text, re.MULTILINE)
    assert command in project()["scripts"]
    (user,) = re.findall(r"^USER (\d+):\d+$", text, re.MULTILINE)
    assert int(user) > 0


def test_the_image_names_settings_that_exist():
    text = dockerfile()
    known = {f"RISK_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bRISK_[A-Z_]+", text)) <= known
    port = str(Settings.model_fields["port"].default)
    assert re.findall(r"^EXPOSE (\d+)$", text, re.MULTILINE) == [port]
    assert f"'RISK_PORT', '{port}'" in text


def test_the_image_may_read_what_it_copies():
    named = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile(), re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == named
    packages = tomllib.loads(read("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(packages["packages"]) <= copied


def test_no_file_loads_a_pickle():
    """Tests may: they attack the bundle reader with pickles and prove that those would have run."""
    assert {place for place in where(UNPICKLING) if not place.startswith("tests/")} == set()


def test_no_file_names_a_path_of_one_machine():
    own = [path for path in (str(ROOT), str(Path.home())) if len(Path(path).parts) > 2]
    patterns = [ONE_MACHINE, *(re.compile(re.escape(path) + r"\b") for path in own)]
    assert set().union(*(where(pattern) for pattern in patterns)) == set()


def test_no_file_names_a_package_registry():
    assert where(REGISTRY) == set()


def test_no_file_is_large():
    assert [p.name for p in product_files() if p.stat().st_size > LARGEST_FILE_BYTES] == []
