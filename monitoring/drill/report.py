"""What a drill found, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from monitoring.drill.alarms import Firing, Found
from monitoring.drill.panels import Empty
from monitoring.drill.quiet import QuietYears

HOUR_S, DAY_S = 3600, 86400
OF_PATIENTS = ("risk-alerts-drift", "risk-alerts-outcomes")
"""Groups of alerts that an event or nothing is behind. The others tell how the service itself stood the
drill, which asks it a simulated year within minutes."""


@dataclass(frozen=True, slots=True)
class DrillReport:
    """One drill.

    Attributes
    ----------
    false_alarms : sequence of Firing
        About patients, behind which no event was.
    about_the_service : sequence of Firing
        Of the service itself, events or not.
    quiet_days : float
        Days on which no event was on.
    designed : float
        False alarms of all CUSUM charts that their design allows among the quiet days' patients.
    cusum_signals : int
        Signals of the service's own charts, counted over the whole drill: `risk_cusum_signals_total`.
    empty : Empty
        What of the dashboards shows nothing at the drill's end.
    """

    days: int
    patients: int
    refused: int
    reports: int
    found: Sequence[Found]
    false_alarms: Sequence[Firing]
    about_the_service: Sequence[Firing]
    quiet_days: float
    designed: float
    cusum_signals: float
    quiet_years: Sequence[QuietYears]
    empty: Empty = field(default_factory=Empty)

    @property
    def holds(self) -> bool:
        """Whether nothing that is promised was missed, and quiet charts kept to their design."""
        return all(one.holds is not False for one in self.found) and all(
            one.holds for one in self.quiet_years
        )

    def document(self) -> dict[str, Any]:
        """All of it as JSON can hold it; times in simulated days since the drill began."""
        return {
            "holds": self.holds,
            "days": self.days,
            "patients": self.patients,
            "refused": self.refused,
            "outcomes_reported": self.reports,
            "events": [_event(one) for one in self.found],
            "quiet_days": self.quiet_days,
            "false_alarms": [_firing(one) for one in self.false_alarms],
            "false_alarms_designed_cusum": self.designed,
            "cusum_signals": self.cusum_signals,
            "empty_panels": list(self.empty.panels),
            "empty_queries": list(self.empty.queries),
            "about_the_service": [_firing(one) for one in self.about_the_service],
            "quiet_years": [
                {
                    "branch_point": one.unit[0],
                    "outcome": one.unit[1],
                    "unit": one.unit[2],
                    "years": one.years,
                    "patients": one.patients,
                    "false_alarms": dict(one.signals),
                    "designed_each_direction": one.designed,
                    "patients_to_signal_doubled_odds": one.patients_to_signal,
                    "patients_to_signal_doubled_odds_median": one.patients_to_signal_median,
                    "holds": one.holds,
                }
                for one in self.quiet_years
            ],
        }


def event_rows(report: DrillReport) -> list[tuple[str, ...]]:
    """Event, days, found by, delay in days, in patients, promised, holds, what fired as well."""
    rows: list[tuple[str, ...]] = []
    for one in report.found:
        event = one.event
        by = "none should fire" if not event.findings else "not found"
        if one.by is not None:
            by = named(one.by)
        rows.append(
            (
                event.name,
                f"{event.begins_h / 24:g} to {event.ends_h / 24:g}",
                by,
                "" if one.delay_s is None else f"{one.delay_s / DAY_S:.2f}",
                _patients(one),
                "" if event.within is None else f"<= {event.within}",
                {True: "yes", False: "no", None: ""}[one.holds],
                counted(one.also),
            )
        )
    return rows


def _patients(one: Found) -> str:
    if one.delay_patients is None:
        return ""
    own = "" if one.delay_of_unit is None else f" ({one.delay_of_unit} of {one.event.unit})"
    return f"{one.delay_patients}{own}"


def counted(firings: Sequence[Firing]) -> str:
    """Names with how often they fired.

    Examples
    --------
    >>> counted([Firing("A", (), "info", 0, 0, 0), Firing("B", (), "info", 0, 0, 0), Firing("A", (), "info", 9, 9, 0)])
    '2 A, B'
    """
    counts = Counter(one.alert for one in firings)
    return ", ".join(name if n == 1 else f"{n} {name}" for name, n in counts.items())


def named(one: Firing) -> str:
    """An alert with the labels that tell it from others of its name.

    Examples
    --------
    >>> named(Firing("A", (("feature", "age"), ("model", "m"), ("window", "1d")), "info", 0, 0, 0))
    'A age 1d'
    """
    own = dict(one.labels)
    shown = (own[name] for name in ("feature", "unit", "subgroup", "window") if name in own)
    return " ".join((one.alert, *shown))


def _event(one: Found) -> dict[str, Any]:
    return {
        "name": one.event.name,
        "begins_day": one.event.begins_h / 24,
        "ends_day": one.event.ends_h / 24,
        "found_by": None if one.by is None else _firing(one.by),
        "delay_days": None if one.delay_s is None else one.delay_s / DAY_S,
        "delay_patients": one.delay_patients,
        "delay_patients_of_unit": one.delay_of_unit,
        "within_patients": one.event.within,
        "holds": one.holds,
        "also": [_firing(other) for other in one.also],
    }


def _firing(one: Firing) -> dict[str, Any]:
    return {
        "alert": one.alert,
        "labels": dict(one.labels),
        "severity": one.severity,
        "fires_day": one.fires_s / DAY_S,
        "ends_day": one.ends_s / DAY_S,
    }
