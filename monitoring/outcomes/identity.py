"""The label `ledger`: which ledger figures were worked out from, and of what is left of it.

Counters are worked out anew at every start. After months were retired they come out lower, which
Prometheus would read as counters that began again and count a second time. So a ledger from which
something was taken is another ledger: its series are new ones.
"""

from __future__ import annotations

import json
from hashlib import sha256

from sqlalchemy import Connection, func, select

from monitoring.ledger.retired import RETIRED
from monitoring.ledger.tables import ASSESSMENTS, EVENTS, OUTCOMES

COUNTED = {ASSESSMENTS.name, OUTCOMES.name}
DIGITS = 12
NEWEST = select(func.max(EVENTS.c.seq)).where(EVENTS.c.kind == RETIRED)
FIRST = select(EVENTS.c.chain).order_by(EVENTS.c.seq).limit(1)
RETIREMENTS = (
    select(EVENTS.c.chain, EVENTS.c.detail).where(EVENTS.c.kind == RETIRED).order_by(EVENTS.c.seq)
)


class Identity:
    """Names a ledger by the links of its first row of events and of what retired its months.

    Links hold a keyed digest of their rows, so two ledgers never share one; a backup that was put back
    is the ledger that it was made of. Retired lines of the access log change nothing here.
    """

    def __init__(self) -> None:
        self._known: tuple[tuple[bytes, int | None], str] | None = None

    def label(self, connection: Connection) -> str:
        """Twelve hexadecimal digits; the same until months with assessments or outcomes are retired.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            When the database does not answer.
        """
        first, newest = (connection.execute(asked).scalar() for asked in (FIRST, NEWEST))
        if first is None:  # nothing is in it yet
            return sha256().hexdigest()[:DIGITS]
        state = bytes(first), newest
        if self._known is None or self._known[0] != state:
            retired = [
                bytes(row.chain)
                for row in connection.execute(RETIREMENTS)
                if COUNTED & json.loads(row.detail)["rows"].keys()
            ]
            self._known = state, sha256(b"".join([bytes(first), *retired])).hexdigest()[:DIGITS]
        return self._known[1]
