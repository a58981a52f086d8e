"""What a run of the checks found: one row for each thing that was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PASSED, FAILED, SKIPPED = VERDICTS = ("PASSED", "FAILED", "SKIPPED")


@dataclass(frozen=True, slots=True)
class Finding:
    """One row.

    Attributes
    ----------
    group : str
        Heading under which it is shown.
    check : str
        Name that scripts go by; it stays the same from version to version.
    asked, expected, found : str
        In words. `found` holds nothing that a patient or a secret could be known by; of a check that
        was skipped it is the reason.
    verdict : {"PASSED", "FAILED", "SKIPPED"}
    service : str or None
        The CDS service that it is about.
    """

    group: str
    check: str
    asked: str
    expected: str
    found: str
    verdict: str
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All rows of a run, in the order in which they were asked."""

    url: str
    findings: tuple[Finding, ...]

    def count(self, verdict: str) -> int:
        """How many rows have a verdict.

        Examples
        --------
        >>> row = Finding("Reachable", "livez", "GET /livez", "200", "200", PASSED)
        >>> Report("http://127.0.0.1:8000", (row, row)).count(PASSED)
        2
        """
        return Counter(finding.verdict for finding in self.findings)[verdict]

    @property
    def failed(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict == FAILED)

    def document(self) -> dict[str, Any]:
        """The report for a script."""
        counted = {verdict.lower(): self.count(verdict) for verdict in VERDICTS}
        return {"url": self.url, **counted, "findings": [asdict(f) for f in self.findings]}


@dataclass(frozen=True, slots=True)
class Notes:
    """Takes the rows of one group down."""

    group: str
    rows: list[Finding] = field(default_factory=list)

    def judge(
        self,
        check: str,
        asked: str,
        expected: str,
        faults: Sequence[str],
        found: str,
        service: str | None = None,
    ) -> bool:
        """A row that passed when there is no fault; otherwise it shows the first few of them."""
        verdict = FAILED if faults else PASSED
        told = "; ".join(faults[:4]) or found
        self.rows.append(Finding(self.group, check, asked, expected, told, verdict, service))
        return not faults

    def skip(
        self, check: str, asked: str, expected: str, why: str, service: str | None = None
    ) -> None:
        """A row for what could not be tried, and why."""
        self.rows.append(Finding(self.group, check, asked, expected, why, SKIPPED, service))
