"""How much processor time a model takes for one answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from models.risk.risk_model import RiskModel

ANSWERS = 21
"""Odd, so that one of them is the median."""


def is_slower_than(
    model: RiskModel,
    requests: Sequence[Mapping[str, float]],
    budget_s: float,
    clock: Callable[[], float] = time.thread_time,
) -> bool:
    """Whether a model's median answer takes more processor time than the budget.

    The requests are answered by turns, once unmeasured and then 21 times. Processor time of this
    thread, so that a busy machine makes no good model look slow. It stops as soon as the verdict
    cannot change: eleven answers over the budget, or eleven within, settle the median; so a model
    that is much too slow does not take patients' time for long.

    Parameters
    ----------
    model : RiskModel
    requests : sequence of mapping
        Inputs by name, in the dictionary's units; at least one.
    budget_s : float
        Seconds.
    clock : callable
        Seconds of processor time.

    Returns
    -------
    bool
    """
    model.assess(requests[0])
    over = within = 0
    for number in range(ANSWERS):
        start = clock()
        model.assess(requests[number % len(requests)])
        if clock() - start > budget_s:
            over += 1
        else:
            within += 1
        if max(over, within) > ANSWERS // 2:
            break
    return over > within
