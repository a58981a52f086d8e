"""What is known of one prediction over time: pure, from all that was ever reported of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monitoring.ledger.reports import Report, newest_about, standing


class Moment(NamedTuple):
    """A place in the ledger's order: a time, and the row that it belongs to.

    What happens by the passing of time alone has row 0 and comes before the rows of its time.
    """

    at_us: int
    seq: int


class Told(NamedTuple):
    """A report that is about an assessment, by name or of its person, and since when."""

    report: Report
    by_name: bool
    since: Moment
    recorded_at_us: int


class Change(NamedTuple):
    """From this moment on this report stands; None when none does any more.

    `before` is what stood until then; `is_first` says that nothing ever had; `told_at_us` is when the report
    was recorded.
    """

    at: Moment
    report: Report | None
    before: Report | None
    is_first: bool
    told_at_us: int


def history(
    told: Sequence[Told], start: Moment, index_time_us: int, end_us: int, upto: Moment
) -> list[Change]:
    """Every change of what is known of a prediction, in its order.

    Parameters
    ----------
    told : sequence of Told
        All reports of the outcome that are about the assessment; a report that was observed later
        than it was recorded is told since it was observed.
    start : Moment
        When the horizon has passed and the assessment is recorded.
    index_time_us, end_us : int
        Of the assessment and of its horizon.
    upto : Moment
        What is later is left out.

    Examples
    --------
    It happened, said on day 35 of an assessment of day 0 that matured on day 30; corrected on day 50:

    >>> said = Told(Report(7, 1.0, 20), True, Moment(35, 7), 35)
    >>> corrected = Told(Report(9, 0.0, 45, 7), True, Moment(50, 9), 50)
    >>> found = history([said, corrected], Moment(30, 0), 0, 30, Moment(99, 99))
    >>> [(change.at.at_us, change.report.value, change.is_first) for change in found]
    [(35, 1.0, True), (50, 0.0, False)]
    """
    moments = sorted({max(start, one.since) for one in told})
    in_order = sorted(told, key=lambda one: one.report.seq)
    found: list[Change] = []
    stands: Told | None = None
    for moment in moments:
        if moment > upto:
            break
        now = _stands([one for one in in_order if one.since <= moment], index_time_us, end_us)
        if _value(now) != _value(stands):
            after, before = (None if one is None else one.report for one in (now, stands))
            told_at_us = 0 if now is None else now.recorded_at_us
            found.append(Change(moment, after, before, not found, told_at_us))
            stands = now
    return found


def _stands(told: Sequence[Told], index_time_us: int, end_us: int) -> Told | None:
    by_name = [one for one in told if one.by_name]
    if by_name:
        return by_name[-1]
    newest = newest_about(standing(one.report for one in told), index_time_us, end_us)
    return next((one for one in told if one.report == newest), None)


def _value(told: Told | None) -> bool | None:
    return None if told is None else bool(told.report.value)
