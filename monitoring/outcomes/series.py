"""The families that are worked out from the ledger, as Prometheus scrapes them.

Two replicas on one ledger show the same figures, so rules take the highest of a `ledger`, not the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from monitoring.exposition import Row, labelled, text_of
from monitoring.outcomes.bins import PROBABILITY_BINS
from monitoring.outcomes.births import Births
from monitoring.outcomes.charts import DIRECTIONS
from monitoring.outcomes.followed import Followed
from monitoring.outcomes.maturing import Model
from monitoring.outcomes.totals import ByBin, Tally

OBSERVED = {True: "true", False: "false"}
WINDOWS_OF_GAUGES = {"7d": 7, "30d": 30, "365d": 365}


OUTCOMES, OUTCOMES_WITHDRAWN = "risk_outcomes_total", "risk_outcomes_withdrawn_total"
EXPECTED = "risk_outcomes_expected_total"
EXPECTED_WITHDRAWN = "risk_outcomes_expected_withdrawn_total"
SQUARED_ERROR = "risk_outcomes_squared_error_total"
SQUARED_ERROR_WITHDRAWN = "risk_outcomes_squared_error_withdrawn_total"
VARIANCE = "risk_outcomes_expected_variance_total"
VARIANCE_WITHDRAWN = "risk_outcomes_expected_variance_withdrawn_total"
MATURED, WAITING = "risk_outcomes_matured_total", "risk_outcomes_waiting"
DELAY, DELAY_REPORTS = "risk_outcome_delay_seconds_total", "risk_outcome_delay_reports_total"
SLOPE, AUROC = "risk_calibration_slope", "risk_auroc"
CUSUM, CUSUM_LIMIT = "risk_cusum", "risk_cusum_limit"
CUSUM_SIGNALS, VLAD = "risk_cusum_signals_total", "risk_vlad"
READ = "risk_outcomes_read_timestamp_seconds"
GROUPS = {
    kind: tuple(
        f"risk_{kind}_outcomes_{what}total"
        for what in ("", "withdrawn_", "expected_", "expected_withdrawn_")
    )
    for kind in ("unit", "subgroup")
}

Gauges = Mapping[Model, Mapping[str, tuple[float | None, float | None]]]
"""Slope and AUROC by model and window."""


class Series:
    """Renders what is known of a ledger.

    Parameters
    ----------
    born_at_zero_s : float
        How long a series that is new while this runs is shown at 0.
    """

    def __init__(self, born_at_zero_s: float) -> None:
        self._births = Births(born_at_zero_s)

    def text(
        self, known: Followed, served: Iterable[Model], gauges: Gauges, read_s: float, now_s: float
    ) -> bytes:
        """The exposition.

        Parameters
        ----------
        known : Followed
            Read to the end of the ledger at least once.
        served : iterable of Model
            Whose series are there from the beginning.
        gauges : mapping
            Slope and AUROC.
        read_s, now_s : float
            When the ledger was last read to its end, and now; seconds since 1970.
        """
        ledger = {"ledger": known.label or ""}
        totals = known.totals
        models: dict[Any, ByBin] = {model: ByBin() for model in served} | totals.models
        groups = {"unit": totals.units, "subgroup": totals.subgroups}
        unripe = self._births.unripe(
            [("model", *model) for model in models]
            + [("delay", *key) for key in totals.delays]
            + [(kind, *key) for kind, tallies in groups.items() for key in tallies],
            now_s,
        )
        zero, no_one = ByBin(), Tally()
        by_model = [
            (_labels(**ledger, model=model[0], version=model[1]), sums)
            for model, sums in models.items()
            for sums in (zero if ("model", *model) in unripe else sums,)
        ]
        families: list[tuple[str, Iterable[Row]]] = list(_of_models(by_model))
        families.append(
            (
                WAITING,
                [
                    (_labels(**ledger, model=name, version=version), known.joiner.waiting.get((name, version), 0))
                    for name, version in models.keys() | known.joiner.waiting.keys()
                ],
            )
        )  # fmt: skip
        delays = [
            (
                _labels(**ledger, branch_point=key[0], outcome=key[1]),
                0.0 if ("delay", *key) in unripe else delay.seconds,
                0 if ("delay", *key) in unripe else delay.reports,
            )
            for key, delay in totals.delays.items()
        ]
        families.append((DELAY, [(labels, seconds) for labels, seconds, _ in delays]))
        families.append((DELAY_REPORTS, [(labels, reports) for labels, _, reports in delays]))
        for kind, tallies in groups.items():
            of_kind = [
                (
                    _labels(**ledger, branch_point=key[0], outcome=key[1], **{kind: key[2]}),
                    no_one if (kind, *key) in unripe else tally,
                )
                for key, tally in tallies.items()
            ]
            families += _of_tallies(kind, of_kind)
        families += _of_charts(ledger, known, unripe)
        families += _of_gauges(ledger, gauges)
        families.append((READ, [(_labels(**ledger), read_s)]))
        return "".join(text_of(name, rows) for name, rows in families).encode()


@cache
def _labels(**labels: str) -> str:
    return labelled(labels)


@cache
def _and(labels: str, **more: str) -> str:
    return f"{labels},{labelled(more)}"


def _of_models(models: Sequence[tuple[str, ByBin]]) -> Iterable[tuple[str, Iterable[Row]]]:
    def by_bin(values: Callable[[ByBin], Sequence[float]], **more: str) -> Iterable[Row]:
        for labels, sums in models:
            for label, value in zip(PROBABILITY_BINS, values(sums), strict=True):
                yield _and(labels, bin=label, **more), value

    def both(values: Callable[[ByBin], Mapping[bool, Sequence[int]]]) -> Iterable[Row]:
        for value, text in OBSERVED.items():
            yield from by_bin(lambda sums, value=value: values(sums)[value], observed=text)  # type: ignore[misc]  # a default argument binds the loop's value

    def alone(value: Callable[[ByBin], float]) -> Iterable[Row]:
        return [(labels, value(sums)) for labels, sums in models]

    yield OUTCOMES, both(lambda sums: sums.observed)
    yield OUTCOMES_WITHDRAWN, both(lambda sums: sums.withdrawn)
    yield EXPECTED, by_bin(lambda sums: sums.expected)
    yield EXPECTED_WITHDRAWN, by_bin(lambda sums: sums.expected_withdrawn)
    yield SQUARED_ERROR, alone(lambda sums: sums.squared_error)
    yield SQUARED_ERROR_WITHDRAWN, alone(lambda sums: sums.squared_error_withdrawn)
    yield VARIANCE, alone(lambda sums: sums.expected_variance)
    yield VARIANCE_WITHDRAWN, alone(lambda sums: sums.expected_variance_withdrawn)
    yield MATURED, alone(lambda sums: sums.matured)


def _of_tallies(
    kind: str, tallies: Sequence[tuple[str, Tally]]
) -> Iterable[tuple[str, Iterable[Row]]]:
    counted, withdrawn, expected, expected_withdrawn = GROUPS[kind]

    def both(values: Callable[[Tally], Mapping[bool, int]]) -> list[Row]:
        return [
            (_and(labels, observed=text), values(tally)[value])
            for labels, tally in tallies
            for value, text in OBSERVED.items()
        ]

    yield counted, both(lambda tally: tally.observed)
    yield withdrawn, both(lambda tally: tally.withdrawn)
    yield expected, [(labels, tally.expected) for labels, tally in tallies]
    yield expected_withdrawn, [(labels, tally.expected_withdrawn) for labels, tally in tallies]


def _of_charts(
    ledger: Mapping[str, str], known: Followed, unripe: set[Any]
) -> Iterable[tuple[str, Iterable[Row]]]:
    found: dict[str, list[Row]] = {CUSUM: [], CUSUM_LIMIT: [], CUSUM_SIGNALS: [], VLAD: []}
    for key, unit in known.charts.units.items():
        labels = _labels(**ledger, branch_point=key[0], outcome=key[1], unit=key[2])
        found[VLAD].append((labels, unit.vlad))
        for direction in DIRECTIONS:
            of = _and(labels, direction=direction)
            signals = 0 if ("unit", *key) in unripe else unit.signals[direction]
            found[CUSUM_SIGNALS].append((of, signals))
            if (chart := unit.charts.get(direction)) is not None:
                found[CUSUM].append((of, chart.value))
                found[CUSUM_LIMIT].append((of, chart.limit))
    return found.items()


def _of_gauges(ledger: Mapping[str, str], gauges: Gauges) -> Iterable[tuple[str, Iterable[Row]]]:
    for place, family in enumerate((SLOPE, AUROC)):
        yield (
            family,
            [
                (_labels(**ledger, model=name, version=version, window=window), value)
                for (name, version), windows in gauges.items()
                for window, values in windows.items()
                if (value := values[place]) is not None
            ],
        )
