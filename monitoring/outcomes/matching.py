"""Which assessments new rows of the ledger can say something about, and all that is told of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from monitoring.ledger.reports import Report
from monitoring.outcomes import lookups
from monitoring.outcomes.feed import Asked, Linked, Reported, Row
from monitoring.outcomes.history import Moment, Told
from monitoring.outcomes.ledger_time import LedgerTime
from monitoring.outcomes.names import Names

Prediction = tuple[int, str]
"""Number of an assessment's row, and the outcome."""


def touched(connection: Connection, rows: Sequence[Row], names: Names) -> Iterable[Asked]:
    """Assessments that reports and links among these rows can be about, some more than once."""
    ids: set[str] = set()
    subjects: set[str] = set()
    episodes: set[str] = set()
    for row in rows:
        if isinstance(row, Linked):
            both = names.all_of(row.old_id)
            subjects.update(both)
            episodes.update(both)
        elif isinstance(row, Reported):
            if row.assessment_id is not None:
                ids.add(row.assessment_id)
            elif row.subject_id is not None:
                subjects.update(names.all_of(row.subject_id))
            elif row.episode_id is not None:
                episodes.update(names.all_of(row.episode_id))
    return lookups.assessments(connection, ids=ids, subjects=subjects, episodes=episodes)


def told_of(
    connection: Connection, asked: Collection[Asked], names: Names, time: LedgerTime, last_seq: int
) -> Mapping[Prediction, list[Told]]:
    """Every report about these assessments.

    Parameters
    ----------
    last_seq : int
        Rows after it are not taken yet.
    """
    subjects = {row.seq: names.all_of(row.subject_id) for row in asked if row.subject_id}
    episodes = {row.seq: names.all_of(row.episode_id) for row in asked if row.episode_id}
    by_name: dict[str, list[Reported]] = defaultdict(list)
    of_person: dict[str, list[Reported]] = defaultdict(list)
    for report in lookups.reports(
        connection,
        ids=[row.assessment_id for row in asked],
        subjects={name for some in subjects.values() for name in some},
        episodes={name for some in episodes.values() for name in some},
    ):
        if report.seq > last_seq:
            continue
        if report.assessment_id is not None:
            by_name[report.assessment_id].append(report)
        else:
            of_person[report.subject_id or report.episode_id or ""].append(report)
    found: dict[Prediction, list[Told]] = defaultdict(list)
    for row in asked:
        for report in by_name.get(row.assessment_id, ()):
            if report.tenant == row.tenant:
                found[row.seq, report.outcome].append(_tell(report, 0, time, by_name=True))
        for name in {*subjects.get(row.seq, ()), *episodes.get(row.seq, ())}:
            for report in of_person.get(name, ()):
                since = _about_since(report, row, names)
                if since is not None:
                    told = _tell(report, since, time, by_name=False)
                    found[row.seq, report.outcome].append(told)
    return found


def _about_since(report: Reported, asked: Asked, names: Names) -> int | None:
    """The row since which a report of a person is of the person of an assessment; None if never."""
    if report.tenant != asked.tenant:
        return None
    latest = 0
    for theirs, ours in (
        (report.subject_id, asked.subject_id),
        (report.episode_id, asked.episode_id),
    ):
        if theirs is None:
            continue
        since = None if ours is None else names.since(theirs, ours)
        if since is None:
            return None
        latest = max(latest, since)
    return latest


def _tell(row: Reported, linked_seq: int, time: LedgerTime, *, by_name: bool) -> Told:
    seq = max(row.seq, linked_seq)
    # What is observed in the future counts for nothing yet.
    since = max(Moment(time.at(seq), seq), Moment(row.observed_at_us, 0))
    report = Report(row.seq, row.value, row.observed_at_us, row.corrects_seq)
    return Told(report, by_name, since, row.recorded_at_us)
