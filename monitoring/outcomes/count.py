"""One entry of the stream of counted outcomes: what is added, and what is taken back for it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Count:
    """What became known of one prediction, at the moment it was both matured and reported.

    Entries are signed: a correction adds the new value and takes back the old one. Sums over all
    entries are Prometheus' counters (what is added and what is taken back each only grow); sums over
    the entries of a time window are that window's figures. Only binary outcomes are counted.

    Attributes
    ----------
    counted_at_us : int
        Microseconds since 1970; never falls from one entry to the next.
    seq : int
        The assessment's row in the ledger.
    model, version, digest : str
        Of the model that answered.
    subgroups : tuple of str
        Like "sex: female".
    p : float
        The probability that was answered.
    y : bool or None
        Whether it happened; None when a correction leaves nothing that can be about the assessment.
    was : bool or None
        The value that is taken back; None when none stood.
    delay_us : int or None
        From the end of the horizon, or the observation if later, to the report; None unless it is the
        first time that the prediction is counted.

    Examples
    --------
    A first report, then its correction:

    >>> def count(**changes):
    ...     given = dict(counted_at_us=5, seq=1, assessment_id="a", branch_point="icu-review",
    ...         outcome="sepsis", model="icu-review.sepsis", version="1", digest="sha256:00",
    ...         unit=None, subgroups=(), p=0.25, y=True, was=None, delay_us=0)
    ...     return Count(**(given | changes))
    >>> count().entries
    ((True, 1),)
    >>> count(y=False, was=True, delay_us=None).entries
    ((False, 1), (True, -1))
    """

    counted_at_us: int
    seq: int
    assessment_id: str
    branch_point: str
    outcome: str
    model: str
    version: str
    digest: str
    unit: str | None
    subgroups: tuple[str, ...] = field(repr=False)
    p: float = field(repr=False)
    y: bool | None = field(repr=False)
    was: bool | None = field(repr=False)
    delay_us: int | None

    @property
    def is_first(self) -> bool:
        """Whether the prediction was never counted before."""
        return self.delay_us is not None

    @property
    def entries(self) -> tuple[tuple[bool, int], ...]:
        """The values with their signs: +1 is added, -1 is taken back."""
        return tuple(
            (value, sign) for value, sign in ((self.y, 1), (self.was, -1)) if value is not None
        )

    @property
    def whole(self) -> int:
        """How many predictions more are counted now: 1, 0 after a correction, -1 with nothing left."""
        return (self.y is not None) - (self.was is not None)
