"""The rules for Prometheus: what the service's counts mean, and when somebody should look.

The service only counts; shares, ratios and indices of any window, over all replicas, are recording
rules. `risk-monitor rules` writes them; a copy is beside this file.
"""

from __future__ import annotations

from pathlib import Path

from monitoring.rules.alerts import alert_groups
from monitoring.rules.drift import drift_groups
from monitoring.rules.outcomes import outcome_groups
from monitoring.rules.rule import Alert, Group, Recording, anchor, as_yaml
from monitoring.rules.service import service_groups
from monitoring.rules.thresholds import ThresholdsInvalid, load_thresholds

RUNBOOKS = "monitoring/runbooks.md"
"""The page of the runbooks, from the repository's root; a site gives the address of its own copy."""
RECORDING_FILE = "recording.yml"
ALERTS_FILE = "alerts.yml"
_WRITTEN = "Written by `risk-monitor rules` from monitoring/rules/*.py and thresholds.toml."

__all__ = [
    "ALERTS_FILE",
    "RECORDING_FILE",
    "RUNBOOKS",
    "Alert",
    "Group",
    "Recording",
    "ThresholdsInvalid",
    "alerts",
    "anchor",
    "recordings",
    "write_rules",
]


def recordings(thresholds: Path | None = None) -> list[Group]:
    """The groups of recording rules.

    Parameters
    ----------
    thresholds : Path, optional
        A site's own thresholds.

    Raises
    ------
    ThresholdsInvalid
        When that file cannot be used.

    Examples
    --------
    >>> names = {rule.record for group in recordings() for rule in group.rules}
    >>> {"risk:feature_psi:1h", "risk:observed_expected_ratio:30d"} <= names
    True
    """
    values = load_thresholds(thresholds)
    return [*drift_groups(values), *outcome_groups(values), *service_groups(values)]


def alerts(thresholds: Path | None = None) -> list[Group]:
    """The groups of alerts; as `recordings`."""
    return list(alert_groups(load_thresholds(thresholds)))


def write_rules(
    folder: Path, *, thresholds: Path | None = None, runbooks: str = RUNBOOKS
) -> list[Path]:
    """Write both files into a folder, which is made where it is not there.

    Parameters
    ----------
    folder : Path
        What stands in it under these names is replaced.
    thresholds : Path, optional
        A site's own thresholds.
    runbooks : str
        Address of the page of the runbooks, for the alerts' `runbook_url`.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    ThresholdsInvalid
        When the site's thresholds cannot be used; nothing is written.
    """
    texts = {
        RECORDING_FILE: as_yaml(recordings(thresholds), _WRITTEN, runbooks),
        ALERTS_FILE: as_yaml(alerts(thresholds), _WRITTEN, runbooks),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
