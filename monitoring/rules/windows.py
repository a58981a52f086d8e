"""The windows of the recording rules, and how a long one is made of hours.

Only the hour is read from the scraped counters. A longer window is the sum of the recorded hours at
whole clock hours, because reading every sample of 30 days anew costs hundreds of times as much, and
because the replicas that answer change with every deployment: within an hour the same instances are
there from beginning to end, within a month they are not. The price: a long window ends at the last
whole hour, and an hour in which Prometheus itself was away is not in it. Series that are younger than
an hour are told by the hour alone: it holds all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.rules.rule import promql

TILE = "1h"
"""The window that is read from the counters; its records are the tiles of the longer ones."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window.

    Attributes
    ----------
    name : str
        What a rule's name ends in.
    hours : int
        Its length.
    interval : str
        How often its rules are evaluated. Under five minutes for all of them: an instant query looks
        no further back, and a series that is recorded less often comes and goes.
    """

    name: str
    hours: int
    interval: str

    def counted(self, record: str, increase: str) -> str:
        """What was counted in this window.

        Parameters
        ----------
        record : str
            Name of the recording rule, without window.
        increase : str
            Expression of the increase over the hour, as it is read from the counters.

        Examples
        --------
        >>> Window("1h", 1, "1m").counted("risk:responses", "sum by (code) (increase(x[1h]))")
        'sum by (code) (increase(x[1h]))'

        24 points, one per whole hour: a range of exactly 24 hours would hold 25 on the hour
        (Prometheus 2 counts both ends), hence a millisecond less.

        >>> print(Window("1d", 24, "2m").counted("risk:responses", "..."))
        sum_over_time(risk:responses:1h[23h59m59s999ms:1h]) unless (risk:responses:1h unless risk:responses:1h offset 1h)
        or
        risk:responses:1h
        """
        if self.name == TILE:
            return increase
        hours = f"sum_over_time({record}:{TILE}[{self.hours - 1}h59m59s999ms:{TILE}])"
        last = f"{record}:{TILE}"
        return promql(f"""
            {hours} unless ({last} unless {last} offset {TILE})
            or
            {last}
        """)


WINDOWS = (
    Window("1h", 1, "1m"),
    Window("1d", 24, "2m"),
    Window("7d", 7 * 24, "4m"),
    Window("30d", 30 * 24, "4m"),
)
BUDGET_WINDOWS = ("5m", "30m", "2h", "6h", "3d")
"""Windows of the error budget alone: few series, so they are read from the counters."""
