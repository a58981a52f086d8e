"""A report in the terminal: a few tables per model, the worst rows first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from monitoring.report import sentences
from monitoring.report.disclosure import MARK, marked
from monitoring.report.judged import (
    CLEARLY,
    INSIDE,
    SOMEWHAT,
    Row,
    by_drift,
    feature_shift,
    standing,
)
from monitoring.report.said import days, interval, number, or_withheld, percent, span_of

WORST = 10
NOTE = "* fewer than five patients or events are behind it: not to leave the hospital"
BY_GROUP = ("units", "charts", "subgroups")
STYLES = {CLEARLY: "bold red", SOMEWHAT: "yellow"}


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print a report's tables.

    Parameters
    ----------
    document : mapping
        From `read_report` or `for_outside`.
    """
    found = document if document.get("for_outside") else marked(document)
    drift, told = found["drift"], found["performance"]
    console.print(f"Report: {span_of(found)}", style="bold", highlight=False)
    console.print(f"{or_withheld(drift['assessments'])} assessments", highlight=False)
    for stranger in drift["without_profile"]:
        console.print(
            f"{stranger['model']}: answers of a version whose bundle is not at hand are left out",
            style="yellow", highlight=False,
        )  # fmt: skip
    for model in drift["models"]:
        console.print(_drift(model))
        console.print(f"{sentences.of_features(model)} {sentences.of_reasons(model)}\n")
    tables = (_outcomes(told["models"]), _quality(told["models"]), _delays(told["delays"]),
              *_places(told), _cards(told["cards"]))  # fmt: skip
    for table in tables:
        if table.row_count:
            console.print(table)
    if not found.get("for_outside"):
        console.print(NOTE, style="dim", highlight=False)


def _drift(model: Row) -> Table:
    title = (
        f"{model['model']} version {model['version']}: answered {or_withheld(model['answered'])}, "
        f"abstained {or_withheld(model['abstained'])}, PSI of predictions "
        f"{number(model['prediction_psi'])}, explanation moved {percent(model['explanation_drift'])}"
    )
    table = Table("input", "PSI", "JS", "missing", "implausible", "unseen", "differs", title=title)
    for feature in by_drift(model)[:WORST]:
        moved = feature_shift(model, feature)
        table.add_row(
            feature["feature"], number(feature["psi"]), number(feature["js"]),
            *(percent(feature[f"{name}_ratio"]) for name in ("missing", "implausible", "unseen")),
            moved or "-", style=STYLES.get(moved) if moved else None,
        )  # fmt: skip
    return table


def _outcomes(models: Sequence[Row]) -> Table:
    table = Table(
        "model", "matured", "known", "n", "O", "E", "O/E (95 %)", title="Outcomes that became known"
    )
    for row in models:
        table.add_row(
            _named(row), or_withheld(row["matured"]), percent(row["coverage"]), *_events(row),
            interval(row["figures"]),
        )  # fmt: skip
    return table


def _quality(models: Sequence[Row]) -> Table:
    table = Table(
        "model", "Brier", "expected", "cal. error", "slope", "AUROC", title="How right they were"
    )
    for row in models:
        own = row["figures"]
        if own["brier"] is not None:
            names = (("brier", 3), ("brier_expected", 3), ("calibration_error", 3), ("slope", 2),
                     ("auroc", 3))  # fmt: skip
            table.add_row(_named(row), *(number(own[name], digits) for name, digits in names))
    return table


def _named(row: Row) -> str:
    return f"{row['model']} v{row['version']}"


def _events(row: Row) -> Iterator[str]:
    own, mark = row["figures"], "*" if row[MARK] else ""
    yield f"{or_withheld(own['n'])}{mark if own['n'] is not None else ''}"
    yield or_withheld(own["observed"])
    yield number(own["expected"], 1)


def _delays(delays: Sequence[Row]) -> Table:
    table = Table("outcome", "reports", "mean", "median", title="Days until outcomes are told")
    for row in delays:
        times = (days(row[name]) for name in ("mean_s", "median_s"))
        table.add_row(".".join(_place(row)), or_withheld(row["reports"]), *times)
    return table


def _places(told: Row) -> Iterator[Table]:
    """Units, their charts, and subgroups, an outcome at a branch point after the other."""
    for place in sorted({_place(row) for part in BY_GROUP for row in told[part]}):
        units, charts, subgroups = (
            [row for row in told[part] if _place(row) == place] for part in BY_GROUP
        )
        yield _groups(f"Units: {'.'.join(place)}", "unit", units)
        yield _charts(f"Control charts since the ledger began: {'.'.join(place)}", charts)
        yield _groups(f"Subgroups: {'.'.join(place)}", "subgroup", subgroups)


def _place(row: Row) -> tuple[str, str]:
    return row["branch_point"], row["outcome"]


def _groups(title: str, kind: str, rows: Sequence[Row]) -> Table:
    table = Table(kind, "n", "O", "E", "O/E (95 %)", "chance limits", title=title)
    for row in rows:
        where = standing(row["figures"])
        figures = (*_events(row), interval(row["figures"]), where or "-")
        table.add_row(row[kind], *figures, style=_loud(where))
    return table


def _loud(where: str | None) -> str | None:
    return None if where in (None, INSIDE) else ("bold red" if "far" in where else "yellow")


def _charts(title: str, rows: Sequence[Row]) -> Table:
    """The two sums and their limits stand as they were after the window's last patient."""
    table = Table(
        "unit", "patients", "VLAD", "worse", "limit", "signals", "better", "limit", "signals",
        title=title,
    )  # fmt: skip
    for row in rows:
        last = row["points"][-1] if row["points"] else {}
        told = []
        for way in ("worse", "better"):
            told += [number(last.get(way)), number(row["limits"].get(way))]
            told.append(str(row["signals"].get(way, 0)))
        table.add_row(row["unit"], or_withheld(row["patients"]), number(row["vlad"], 1), *told)
    return table


def _cards(cards: Sequence[Row]) -> Table:
    table = Table(
        "branch point", "accepted", "overridden", "share overridden", title="Cards judged"
    )
    for row in cards:
        counts = (or_withheld(row[name]) for name in ("accepted", "overridden"))
        table.add_row(row["branch_point"], *counts, percent(row["override_ratio"]))
    return table
