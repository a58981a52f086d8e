"""How often a client may ask: a token bucket each, kept as one number."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_CLIENTS = 10_000


class RateLimit:
    """Let every client through at a steady rate, with bursts up to a bound.

    Of each client only the moment is kept at which its bucket is full again (the generic cell rate
    algorithm, equal to a token bucket). A request moves that moment on by `1 / per_s` and passes
    when it then lies at most `burst / per_s` ahead. The number of clients is bounded: the one that
    has not passed for longest is forgotten first, which at worst gives it a full bucket again.

    Each worker process counts for itself: with n workers a client gets up to n times the rate.

    Parameters
    ----------
    per_s : float
        Requests a second, in the long run.
    burst : float, optional
        Requests that may come at once; by default what one second allows, at least 1.
    most_clients : int
        How many clients are remembered.
    clock : callable
        Seconds of a clock that never goes back.

    Examples
    --------
    Two a second, at most two at once; a third must wait half a second.

    >>> now = [0.0]
    >>> limit = RateLimit(2.0, clock=lambda: now[0])
    >>> limit.allow("a"), limit.allow("a"), limit.allow("a"), limit.allow("b")
    (None, None, 0.5, None)
    >>> now[0] = 0.5
    >>> limit.allow("a")

    References
    ----------
    ITU-T I.371, Annex A: the generic cell rate algorithm.
    """

    __slots__ = ("_ahead_s", "_clock", "_full_at", "_interval_s", "_most_clients")

    def __init__(
        self,
        per_s: float,
        *,
        burst: float | None = None,
        most_clients: int = MOST_CLIENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = 1.0 / per_s
        # A hair more than the bound, so that adding intervals up does not cost a request.
        self._ahead_s = max(burst or per_s, 1.0) * self._interval_s * (1 + 1e-9)
        self._most_clients = most_clients
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def allow(self, client: str) -> float | None:
        """Count one request of a client.

        Returns
        -------
        float or None
            None when it may pass, otherwise the seconds to wait; a refused request is not counted.
        """
        now = self._clock()
        held = self._full_at
        full_at = held.get(client, now)
        moved = (full_at if full_at > now else now) + self._interval_s
        if (early_s := moved - now - self._ahead_s) > 0:
            return early_s
        # Taken out and put back, so that the dictionary's order is that of the last passing.
        held.pop(client, None)
        held[client] = moved
        if len(held) > self._most_clients:
            del held[next(iter(held))]
        return None
