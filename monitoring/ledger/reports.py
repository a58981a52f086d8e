"""Which report says what became of a patient, among all that can be about one assessment.

What nobody reported is unknown, never "did not happen". A report that names an assessment is about
that assessment. A report of a subject or an episode is about every assessment that it can be about:

- it happened: those whose horizon holds the time at which it was observed;
- it did not happen: those whose horizon had ended when that was observed;
- a number: none, since days and kronor count from the assessment that is named.

The newest report counts, of an assessment by name before any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """One row of the outcomes.

    Attributes
    ----------
    value : float
        0 or 1 where something happens or not.
    corrects_seq : int or None
        The report that this one takes the place of.
    """

    seq: int
    value: float
    observed_at_us: int
    corrects_seq: int | None = None


def standing(reports: Iterable[Report]) -> list[Report]:
    """Reports of one person that no later one of them corrects.

    Parameters
    ----------
    reports : iterable of Report
        Lowest number first.

    Examples
    --------
    >>> [report.seq for report in standing([Report(3, 1.0, 9), Report(5, 0.0, 9, 3)])]
    [5]
    """
    found: dict[int, Report] = {}
    for report in reports:
        if report.corrects_seq is not None:
            found.pop(report.corrects_seq, None)
        found[report.seq] = report
    return list(found.values())


def newest_about(reports: Iterable[Report], index_time_us: int, end_us: int) -> Report | None:
    """The newest of a person's standing reports that can be about an assessment.

    Parameters
    ----------
    index_time_us, end_us : int
        Of the assessment and of its horizon, microseconds since 1970.

    Examples
    --------
    Asked at 10 with a horizon until 40: that it happened at 50 says nothing of those days, that it
    had not by 45 does.

    >>> happened, had_not = Report(1, 1.0, 50), Report(2, 0.0, 45)
    >>> newest_about([happened, had_not], 10, 40), newest_about([happened], 10, 40)
    (Report(seq=2, value=0.0, observed_at_us=45, corrects_seq=None), None)
    """
    own = [
        report
        for report in reports
        if (
            index_time_us <= report.observed_at_us <= end_us
            if report.value
            else report.observed_at_us >= end_us
        )
    ]
    return max(own, key=lambda report: report.seq, default=None)
