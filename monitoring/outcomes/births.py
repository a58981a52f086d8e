"""New series begin at 0: what Prometheus sees first of a series it takes for its beginning."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Births:
    """Which series must still be shown at 0.

    `increase()` counts from a series' first sample on. A series that is first seen at 3 has lost these
    3, unless it was scraped at 0 before.

    Parameters
    ----------
    at_zero_s : float
        How long a new series is shown at 0: longer than one interval of scraping.

    Examples
    --------
    What is there at the start has its values at once, from an earlier run; what comes later waits:

    >>> births = Births(90.0)
    >>> births.unripe(["a"], now_s=1000.0), births.unripe(["a", "b"], now_s=1005.0)
    (set(), {'b'})
    >>> births.unripe(["a", "b"], now_s=1094.0), births.unripe(["a", "b"], now_s=1095.0)
    ({'b'}, set())
    """

    def __init__(self, at_zero_s: float) -> None:
        self._at_zero_s = at_zero_s
        self._born: dict[Hashable, float] | None = None

    def unripe(self, names: Iterable[Hashable], now_s: float) -> set[Hashable]:
        """Those of the series that are shown at 0 now."""
        if self._born is None:
            self._born = dict.fromkeys(names, now_s - self._at_zero_s)
        for name in names:
            self._born.setdefault(name, now_s)
        return {name for name in names if now_s - self._born[name] < self._at_zero_s}
