"""One ledger, followed: the entries go into sums, charts and columns as they are read."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from models.vocabulary import Vocabulary
from monitoring.ledger.reading import snapshot
from monitoring.outcomes.charts import Charts
from monitoring.outcomes.identity import Identity
from monitoring.outcomes.joiner import SETTLED_AFTER_US, Joiner, Page
from monitoring.outcomes.limits import Simulated
from monitoring.outcomes.record import Record
from monitoring.outcomes.totals import Totals

Progress = Callable[[int], None]


class AnotherLedger(Exception):
    """Months were retired, or the database was put back: everything must be read anew."""


class Followed:
    """What is known of a ledger's outcomes up to where it has been read.

    Parameters
    ----------
    simulated : Simulated, optional
        Limits of charts that are known from before.
    settled_after_us : int
        See `Joiner`.

    Attributes
    ----------
    label : str or None
        The ledger's label; None before the first page.
    complete : bool
        Whether it was ever read to its end: before that, nothing may be shown.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        simulated: Simulated | None = None,
        *,
        settled_after_us: int = SETTLED_AFTER_US,
    ) -> None:
        self.joiner = Joiner(vocabulary, settled_after_us=settled_after_us)
        self.totals, self.charts, self.record = Totals(), Charts(simulated), Record()
        self.label: str | None = None
        self.complete = False
        self._identity = Identity()

    def read(self, connection: Connection, now_us: int) -> Page:
        """Read the next rows; what they bring is to be given to `take`, which needs no database.

        Parameters
        ----------
        connection : Connection
            Inside one snapshot of the ledger.
        now_us : int
            What the clock says.

        Raises
        ------
        AnotherLedger
            When the ledger is not the one that was read so far.
        sqlalchemy.exc.SQLAlchemyError
            When the database does not answer; then nothing was taken.
        """
        label = self._identity.label(connection)
        if self.label not in (None, label):
            raise AnotherLedger
        page = self.joiner.read(connection, now_us)
        self.label = label
        return page

    def take(self, page: Page) -> None:
        """Take what a page brought, each page once and in their order."""
        for count in page.counts:
            self.totals.add(count)
            self.charts.add(count)
            self.record.add(count)
        self.totals.mature(page.matured)
        self.record.mature(page.matured)
        self.record.judge(page.judged)
        self.complete = self.complete or page.read_to_the_end


def follow(
    known: Followed, engine: Engine, now_us: int, progress: Progress = lambda _: None
) -> None:
    """Read everything that there is to read.

    Parameters
    ----------
    progress : callable
        Told the number of the last row that was read.

    Raises
    ------
    AnotherLedger
        When the ledger is not the one that was read so far.
    sqlalchemy.exc.SQLAlchemyError
        When the database does not answer; what was read until then is taken.
    """
    while True:
        with snapshot(engine) as connection:
            page = known.read(connection, now_us)
        known.take(page)
        progress(known.joiner.place)
        if page.read_to_the_end:
            return
