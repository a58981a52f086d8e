"""Whether local validation reports carry going live: pure decisions over reports and champions.

A report is what `risk-train validate NAME --out FILE` writes. It carries a model when it is about the
very version that is champion, and when it was not made of simulated patients for a champion that was
fitted on real ones. Going live needs one for every outcome of the branch point that has a champion;
which are left out is named and recorded, with the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.registry import Version
from monitoring.ledger.silence import Attached
from training.errors import GoLiveRefused

SYNTHETIC = "synthetic"
PARTS: Mapping[str, type] = {
    "sentences": list, "model": dict, "cohort": dict, "case_mix": list, "evaluation": dict,
    "calibration": dict,
}  # fmt: skip
"""What makes a file a validation report."""
MODEL_PARTS, COHORT_PARTS = ("name", "version", "digest"), ("title", "training_data")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One validation report, as it was read from a file.

    Attributes
    ----------
    file : str
        The file's name, for messages.
    simulated : bool
        Whether its patients were.
    own : bool
        Whether they are held-out rows of the cohort that the model was fitted on.
    """

    file: str
    attached: Attached
    simulated: bool
    own: bool
    document: Mapping[str, Any] = field(repr=False)

    @property
    def outcome(self) -> str:
        return self.attached.model.partition(".")[2]


def read_report(path: Path) -> Evidence:
    """Read a validation report.

    Raises
    ------
    GoLiveRefused
        When the file cannot be read, or is something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GoLiveRefused(f"{path} cannot be read: {error.strerror}") from None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise GoLiveRefused(f"{path} is no JSON; {_EXPECTED}") from None
    lacking = _lacking(document)
    if lacking:
        raise GoLiveRefused(
            f"{path} is no validation report, it lacks {', '.join(lacking)}; {_EXPECTED}"
        )
    model, cohort = document["model"], document["cohort"]
    attached = Attached(
        model["name"], model["version"], model["digest"],
        hashlib.sha256(content).hexdigest(), cohort["title"],
    )  # fmt: skip
    simulated = cohort["training_data"] == SYNTHETIC
    return Evidence(path.name, attached, simulated, bool(cohort.get("own")), document)


def hold_reports(
    branch_point: str,
    outcomes: Sequence[str],
    champions: Sequence[Version],
    reports: Sequence[Evidence],
    without: Sequence[str] = (),
) -> None:
    """Refuse to go live unless the reports carry it.

    Parameters
    ----------
    outcomes : sequence of str
        Those that the branch point declares.
    champions : sequence of Version
        Its present champions.
    without : sequence of str
        Outcomes that go live without a report, for a reason that somebody gives.

    Raises
    ------
    GoLiveRefused
        Saying what was found, what was expected and what to do.
    """
    if not champions:
        raise GoLiveRefused(
            f"no outcome of `{branch_point}` has a champion, so nothing can go live; "
            "`risk-train promote` makes one"
        )
    present = {version.name: version for version in champions}
    for report in reports:
        _hold(report, branch_point, present)
    carried = {report.outcome for report in reports}
    served = [version.name.partition(".")[2] for version in champions]
    for outcome in without:
        if outcome not in outcomes:
            raise GoLiveRefused(
                f"--without-report {outcome}: `{branch_point}` has no such outcome; "
                f"it has {', '.join(outcomes)}"
            )
        if outcome not in served:
            raise GoLiveRefused(f"--without-report {outcome}: it has no champion, so it needs none")
        if outcome in carried:
            raise GoLiveRefused(f"--without-report {outcome}: a report of it is given")
    if lacking := [name for name in served if name not in carried and name not in without]:
        raise GoLiveRefused(
            f"no report for {', '.join(lacking)}: `{branch_point}` has a champion of each; make "
            f"one with `risk-train validate {branch_point}.{lacking[0]} --cohort FILE --out REPORT` "
            f"and give --report REPORT, or answer for it with --without-report {lacking[0]}"
        )


def _hold(report: Evidence, branch_point: str, present: Mapping[str, Version]) -> None:
    about = report.attached
    if about.model.partition(".")[0] != branch_point:
        raise GoLiveRefused(
            f"{report.file} is about {about.model}, not about a model of `{branch_point}`; give the "
            "reports of this branch point only"
        )
    champion = present.get(about.model)
    if champion is None:
        raise GoLiveRefused(
            f"{report.file} is about {about.model}, which has no champion; promote it first, or "
            "leave the report out"
        )
    if (about.version, about.digest) != (champion.version, champion.digest):
        raise GoLiveRefused(
            f"{report.file} is about {about.model} version {about.version} ({about.digest}); "
            f"champion is version {champion.version} ({champion.digest}): validate that one"
        )
    if report.simulated and champion.tags.get("training_data") != SYNTHETIC:
        raise GoLiveRefused(
            f"{report.file} is of simulated patients, and {about.model} was fitted on real ones: "
            "simulated patients prove nothing about them; validate it on a local cohort"
        )


_EXPECTED = "expected what `risk-train validate NAME --cohort FILE --out REPORT` writes"


def _lacking(document: object) -> list[str]:
    """Parts of a report that are not there, or not of their kind."""
    if not isinstance(document, dict):
        return list(PARTS)
    lacking = [name for name, kind in PARTS.items() if not isinstance(document.get(name), kind)]
    for part, names in (("model", MODEL_PARTS), ("cohort", COHORT_PARTS)):
        if part not in lacking:
            inside = document[part]
            lacking += [f"{part}.{n}" for n in names if not isinstance(inside.get(n), str)]
    return lacking
