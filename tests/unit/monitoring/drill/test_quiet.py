"""Quiet years: false alarms against the design, and how long a chart needs once odds have doubled."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from monitoring.cusum import load_design
from monitoring.drill.quiet import QuietYears, designed_alarms, quiet_years

UNIT = ("icu-review", "sepsis", "ward-1")


def test_the_design_allows_so_many():
    """5 % within 2,000 patients: in 40,000 there are 20 such spans."""
    assert designed_alarms(load_design(), 40_000) == pytest.approx(-20 * log(0.95))


@pytest.mark.parametrize(("seen", "holds"), [(0, True), (10, True), (11, False)])
def test_more_than_chance_explains_does_not_hold(seen: int, holds: bool):
    """5 are designed in both directions; exact 95 % limits begin at 4.795 for 10 and at 5.491 for 11."""
    one = QuietYears(UNIT, 20, 1, {"worse": seen, "better": 0}, 2.5, 1.0, 1.0)
    assert one.holds is holds


def test_quiet_charts_keep_to_their_design():
    rng = np.random.default_rng(4)
    risks = {UNIT: rng.uniform(0.05, 0.4, 500).tolist(), (*UNIT[:2], "few"): [0.1] * 99}
    (found,) = quiet_years(risks, {UNIT: 1500, (*UNIT[:2], "few"): 10}, 20, 1, lambda *_: None)
    assert (found.unit, found.patients) == (UNIT, 30_000)
    assert found.designed == pytest.approx(-15 * log(0.95))
    # Both directions together are about Poisson with a mean of at most 1.54: 8 or more has 0.0003.
    assert sum(found.signals.values()) < 8
    assert found.holds
    assert 10 < found.patients_to_signal_median < 1000
