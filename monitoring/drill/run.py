"""One drill from beginning to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from monitoring.cusum import load_design
from monitoring.drill.alarms import judge
from monitoring.drill.asked import AskedService
from monitoring.drill.panels import without_data
from monitoring.drill.patients import Arrivals, Patient
from monitoring.drill.quiet import designed_alarms, quiet_years
from monitoring.drill.replay import HOUR_S, Plan, Replayed, replay
from monitoring.drill.report import OF_PATIENTS, DrillReport
from monitoring.drill.rules import fired, record
from monitoring.drill.store import Store

Progress = Callable[[int, int], None]
Bar = Callable[[str], AbstractContextManager[Progress]]
"""A progress bar under a name."""
YEAR_DAYS = 365
DIRECTIONS = 2


def drill(
    plan: Plan,
    patients: list[Patient],
    service: AskedService,
    store: Store,
    bar: Bar,
    *,
    units: tuple[str, ...] = (),
    promote: Callable[[], None] | None = None,
    thresholds: Path | None = None,
    years: int = 20,
) -> DrillReport:
    """Replay, evaluate, judge.

    Raises
    ------
    ServiceFailed, StoreFailed
        When one of both does not do its part.
    """
    arrivals = Arrivals(patients, np.random.default_rng(plan.seed), units)
    end_s = plan.begin_s + plan.days * 24 * HOUR_S
    with bar("asking") as progress:
        done = replay(plan, arrivals, service, store, promote, progress)
    with bar("rules") as progress:
        record(store, plan.begin_s, end_s, thresholds, progress)
    with bar("alerts") as progress:
        firing = fired(store, plan.begin_s, end_s, thresholds, progress)
    about_patients = [one for group, one in firing if group in OF_PATIENTS]
    found, false = judge(about_patients, plan.events, done.patients_until, done.of_units)
    quiet_h = sum(
        not any(event.is_on(hour) for event in plan.events) for hour in range(plan.days * 24)
    )
    with bar("quiet years") as progress:
        per_year = {u: round(len(p) / quiet_h * 24 * YEAR_DAYS) for u, p in done.risks.items()}
        quiet = quiet_years(done.risks, per_year, years, plan.seed, progress) if years else []
    return DrillReport(
        days=plan.days,
        patients=done.patients_until[-1],
        refused=done.refused,
        reports=done.reports,
        found=found,
        false_alarms=false,
        about_the_service=[one for group, one in firing if group not in OF_PATIENTS],
        quiet_days=quiet_h / 24,
        designed=_designed(done),
        cusum_signals=_signals(store, plan, end_s),
        quiet_years=quiet,
        empty=without_data(store, end_s),
    )


def _designed(done: Replayed) -> float:
    design = load_design()
    return sum(DIRECTIONS * designed_alarms(design, len(p)) for p in done.risks.values())


def _signals(store: Store, plan: Plan, end_s: int) -> float:
    expr = f"sum(max by (ledger, branch_point, outcome, unit, direction) (increase(risk_cusum_signals_total[{plan.days}d])))"
    found: Sequence[dict[str, list[str]]] = store.query(expr, end_s)
    return round(float(found[0]["value"][1]), 6) if found else 0.0
