"""Rules and alerts over simulated time in a real Prometheus, from counts that are added by hand."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from monitoring.drill.rules import fired, record
from monitoring.drill.store import StoreFailed, running_store
from tests.lib.promtool import needed

BEGIN_S = 1_700_006_400  # 15 November 2023, midnight
HOURS, FROM, PER_HOUR = 60, 30, 60
FITTED = {"missing": 0.3, "00: all": 0.699, "implausible": 0.0005, "unseen": 0.0005}


def hour_counts(hour: int) -> dict[str, int]:
    """Of 60 an hour 18 have no albumin; from hour 30 on nobody has."""
    if hour < FROM:
        return {"missing": 18, "00: all": 42, "implausible": 0, "unseen": 0}
    return {"missing": 60, "00: all": 0, "implausible": 0, "unseen": 0}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory):
    name = needed("prometheus")
    at = BEGIN_S + 3600 * np.arange(HOURS + 1)
    own = {"model": "m", "version": "1", "feature": "albumin", "instance": "a"}
    series = []
    for bin_, share in FITTED.items():
        counts = np.cumsum([0, *(hour_counts(hour)[bin_] for hour in range(HOURS))])
        for family, values in (
            ("observations_total", counts),
            ("reference_ratio", [share] * len(at)),
        ):
            labels = {**own, "bin": bin_, "__name__": f"risk_feature_{family}"}
            series.append((tuple(sorted(labels.items())), at, np.array(values, dtype=float)))
    with running_store(tmp_path_factory.mktemp("store"), name) as store:
        store.write(series)
        end_s = int(at[-1])
        record(store, BEGIN_S, end_s, None, lambda *_: None)
        alarms = fired(store, BEGIN_S, end_s, None, lambda *_: None)
        yield store, alarms


def values(store, expr: str) -> dict[int, float]:
    ((_, at, found),) = store.range(expr, BEGIN_S, BEGIN_S + HOURS * 3600, 3600)
    return {int(t - BEGIN_S) // 3600: float(v) for t, v in zip(at, found, strict=True)}


def test_an_hour_is_what_came_in_it(told):
    total = values(told[0], "risk:feature_total:1h")
    assert {hour: total[hour] for hour in (1, 30, HOURS)} == {1: 60, 30: 60, HOURS: 60}
    missing = values(told[0], "risk:feature_missing_ratio:1h")
    assert missing[FROM] == pytest.approx(0.3)
    assert missing[FROM + 1] == pytest.approx(1.0)


def test_a_day_is_the_sum_of_its_hours(told):
    total = values(told[0], "risk:feature_total:1d")
    assert total[24] == total[HOURS] == 24 * PER_HOUR
    missing = values(told[0], "risk:feature_missing_ratio:1d")
    assert missing[FROM + 6] == pytest.approx((18 * 0.3 + 6) / 24)


def test_alerts_fire_at_the_hour_that_can_be_worked_out(told):
    """Over a day the margin is 0.1 beyond 3 standard deviations: 0.3 + 0.7 k / 24 > 0.3 + 0.1 + 0.0362
    from k = 5 hours on, and an hour to wait; within an hour at once, and `for: 15m` to the next look.
    """
    assert 0.7 * 4 / 24 < 0.1 + 3 * sqrt(0.21 / 1440) < 0.7 * 5 / 24
    surges = {
        dict(one.labels)["window"]: one.fires_s // 3600
        for _, one in told[1]
        if one.alert == "RiskMissingSurge"
    }
    assert surges == {"1h": FROM + 2, "1d": FROM + 6}
    about_patients = [one for group, one in told[1] if group == "risk-alerts-drift"]
    assert all(one.fires_s > FROM * 3600 for one in about_patients)


def test_alerts_that_fired_can_be_asked_for(told):
    expr = 'ALERTS{alertname="RiskMissingSurge", alertstate="firing", window="1d"}'
    assert min(values(told[0], expr)) == FROM + 6


def test_who_has_no_prometheus_is_told_what_to_install(tmp_path: Path):
    with (
        pytest.raises(StoreFailed, match="apt install prometheus"),
        running_store(tmp_path, "prometheus-that-is-not-there"),
    ):
        pass
