"""False alarms of the control charts over quiet years, and how long they need when odds have doubled.

Patients are drawn from the risks that a unit's patients had in the drill, and every risk is true. Limits
are simulated once, on the newest of those risks; the service works its limits out anew as patients come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np

from monitoring.cusum import Design, chart, limit, load_design, run_length, weights
from monitoring.observed_expected import observed_expected_ratio
from monitoring.outcomes.charts import WORSE
from monitoring.outcomes.limits import NEWEST_RISKS

Unit = tuple[str, str, str]
DOUBLED = 2.0
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class QuietYears:
    """What the charts of a unit did over quiet years.

    Attributes
    ----------
    patients : int
        Of all the years.
    signals : mapping of str to int
        By direction; every one of them is a false alarm.
    designed : float
        False alarms that the design allows in each direction; see `designed_alarms`.
    patients_to_signal : float
        Patients until the chart signals once the odds have doubled: the mean of simulated charts that
        begin at 0.
    patients_to_signal_median : float
    """

    unit: Unit
    years: int
    patients: int
    signals: Mapping[str, int]
    designed: float
    patients_to_signal: float
    patients_to_signal_median: float

    @property
    def holds(self) -> bool:
        """Whether false alarms, of both directions together, are not beyond the design.

        Beyond it is a number whose exact 95 % interval lies above what is designed.
        """
        seen = sum(self.signals.values())
        ratio = observed_expected_ratio(seen, self.designed * len(self.signals))
        return ratio["lower"] <= 1


def designed_alarms(design: Design, patients: int) -> float:
    """How many false alarms of one chart the design allows among so many patients.

    With probability q of one or more within n patients, and signals that come as by a Poisson process,
    there are -ln(1 - q) per n patients.

    Examples
    --------
    >>> round(designed_alarms(Design(2.0, 0.5, 2000, 0.05, 100), 2000), 4)  # -ln 0.95
    0.0513
    """
    return -log1p(-design.false_alarm_probability) * patients / design.patients


def quiet_years(
    risks: Mapping[Unit, Sequence[float]],
    patients_per_year: Mapping[Unit, int],
    years: int,
    seed: int,
    progress: Progress,
) -> list[QuietYears]:
    """Simulate every unit's charts over so many years in which every risk is true.

    Parameters
    ----------
    risks : mapping
        Predicted probabilities of a unit's patients; units with fewer than the design's
        `fewest_patients` are left out.
    """
    design = load_design()
    chosen = {unit: p for unit, p in risks.items() if len(p) >= design.fewest_patients}
    found = []
    for number, (unit, p) in enumerate(sorted(chosen.items())):
        progress(number, len(chosen))
        rng = np.random.default_rng((seed, number))
        found.append(_of_unit(unit, np.array(p), patients_per_year[unit], years, design, rng))
    progress(len(chosen), len(chosen))
    return found


def _of_unit(
    unit: Unit,
    p: np.ndarray[tuple[int], np.dtype[np.float64]],
    per_year: int,
    years: int,
    design: Design,
    rng: np.random.Generator,
) -> QuietYears:
    patients, seed = per_year * years, int(rng.integers(1 << 31))
    newest = p[-NEWEST_RISKS:]
    drawn = rng.choice(p, patients)
    happened = rng.random(patients) < drawn
    signals, limits = {}, {}
    for direction, odds_ratio in design.odds_ratios.items():
        limits[direction] = limit(
            newest, odds_ratio, design.patients, design.false_alarm_probability, seed
        )
        _, at = chart(weights(drawn, happened, odds_ratio), limits[direction])
        signals[direction] = len(at)
    runs = run_length(newest, design.odds_ratio_worse, limits[WORSE], DOUBLED, seed)
    return QuietYears(
        unit,
        years,
        patients,
        signals,
        designed_alarms(design, patients),
        runs.mean,
        runs.median,
    )
