"""Synthetic patients of somebody else's simulator (clinosim), as its FHIR Bulk Data export has them."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.lib.service import script

Resource = dict[str, Any]
TYPES = ("Patient", "Observation", "Condition", "Encounter", "MedicationRequest", "Procedure")
MOMENT = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d))"', re.ASCII)


def simulate(folder: Path, population: int, *window: str) -> None:
    """Simulate a population until the end of June 2026; the same call makes the same persons."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [script("clinosim"), "simulate", "-p", str(population), "-s", "42", "--country", "US",
         "--format", "fhir-r4", *window, "--end", "2026-06-30", "-o", str(folder)],
        check=True, capture_output=True, timeout=300, cwd=folder,
    )  # fmt: skip


def charts(folder: Path) -> dict[str, list[Resource]]:
    """Every resource by patient, in the order of the files."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for kind in TYPES:
        with (folder / "fhir_r4" / f"{kind}.ndjson").open(encoding="utf-8") as lines:
            for line in lines:
                resource = json.loads(line)
                whose = resource.get("subject", {}).get("reference") or f"Patient/{resource['id']}"
                found[whose.removeprefix("Patient/")].append(resource)
    return found


def moved(resources: Sequence[Resource], by: timedelta) -> list[Resource]:
    """The same chart some time earlier or later; dates without a clock stay, as the birth date."""

    def later(match: re.Match[str]) -> str:
        return json.dumps((datetime.fromisoformat(match[1]) + by).isoformat())

    return [json.loads(MOMENT.sub(later, json.dumps(resource))) for resource in resources]


def as_export(folder: Path, patients: Mapping[str, Iterable[Resource]]) -> Path:
    """Write a Bulk Data export: a file for each type, patients among each other."""
    folder.mkdir()
    lines: dict[str, list[str]] = defaultdict(list)
    for resources in patients.values():
        for resource in resources:
            lines[resource["resourceType"]].append(json.dumps(resource))
    for kind, found in lines.items():
        (folder / f"{kind}.ndjson").write_text("\n".join(sorted(found)) + "\n", encoding="utf-8")
    return folder
