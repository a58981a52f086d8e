"""A report as tables with bars, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from training.signal.words import (
    FIGURES,
    SHOWN,
    change,
    hospitals,
    least_gain,
    named,
    percent,
    rows_that_are_complete,
)

BAR = 16
KEPT, GOES = "keep", "could go"


def signal_tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate what `signal_report` found: variables, curve, outcomes, and a single outcome closer.

    Parameters
    ----------
    report : mapping
        From `signal_report`.
    """
    yield _variables(report)
    yield _curve(report)
    yield _outcomes(report)
    if len(report["outcomes"]) == 1:
        yield _closer(report, report["outcomes"][0])


def _variables(report: Mapping[str, Any]) -> Table:
    with_hospitals = any(line["measured_by_hospital"] for line in report["variables"])
    table = Table(
        title="Which variables carry the prediction (mean over outcomes)",
        caption=f"* required at this branch point. {rows_that_are_complete(report)}",
        title_justify="left", caption_justify="left",
    )  # fmt: skip
    table.add_column("variable")
    table.add_column("share of the reasons", no_wrap=True)
    table.add_column("together")
    table.add_column("kept alone for", justify="right")
    table.add_column("measured", justify="right")
    if with_hospitals:
        table.add_column("by hospital", justify="right")
    most = max(line["share"] for line in report["variables"]) or 1.0
    for line in report["variables"]:
        cells = [
            escape(named(line)) + (" *" if line["required"] else ""),
            f"{bar(line['share'] / most)} {percent(line['share'])}",
            KEPT if line["kept"] else f"[yellow]{GOES}[/yellow]",
            f"{len(line['kept_for'])} of {len(report['outcomes'])}",
            percent(line["measured"]),
        ]
        table.add_row(*cells, *([hospitals(line)] if with_hospitals else []))
    return table


def _curve(report: Mapping[str, Any]) -> Table:
    table = Table(
        title="What so many variables tell, of what all tell (the outcome that suffers most)",
        caption="Cross-validated additive models; within one standard error of the full model: yes.",
        title_justify="left", caption_justify="left",
    )  # fmt: skip
    table.add_column("variables", justify="right")
    table.add_column("tells", no_wrap=True)
    table.add_column("within")
    kept = len(report["together"]["kept"])
    for step in report["together"]["curve"]:
        gain, within = least_gain(step)
        here = step["variables"] == kept
        table.add_row(
            f"{step['variables']}{' <' if here else '  '}",
            f"{bar(gain)} {percent(gain)}",
            "yes" if within else "no",
            style="bold" if here else None,
        )
    return table


def _outcomes(report: Mapping[str, Any]) -> Table:
    table = Table(
        title="On held-out patients: the variables that are kept, against all of them",
        title_justify="left",
    )
    for heading in ("outcome", "model looked at", "figure", "all", "kept together", "kept alone"):
        table.add_column(heading)
    for one in report["outcomes"]:
        version = one["model"]["version"]
        looked = f"champion {version}" if version else "fitted now"
        for figure in SHOWN[one["kind"]]:
            first = figure == SHOWN[one["kind"]][0]
            table.add_row(
                one["label"] if first else "",
                f"{looked}: {one['model']['form']}" if first else "",
                FIGURES[figure],
                f"{one['held_out']['full'][figure]['value']:.3f}",
                change(one["held_out"]["together"]["change"][figure]),
                f"{len(one['kept'])}: {change(one['held_out']['own']['change'][figure])}",
            )
    return table


def _closer(report: Mapping[str, Any], one: Mapping[str, Any]) -> Table:
    by_name = {line["feature"]: line for line in report["variables"]}
    figures = SHOWN[one["kind"]]
    table = Table(
        title=f"{one['label']}: what is lost without a value, all others as they are",
        caption="Single losses do not add up: what one variable tells, others may tell as well.",
        title_justify="left", caption_justify="left",
    )  # fmt: skip
    table.add_column("variable")
    table.add_column("share", justify="right")
    for figure in figures:
        table.add_column(FIGURES[figure])
    table.add_column("of it from absence", justify="right")
    if one["kind"] == "binary":
        table.add_column("missing: events, others", justify="right")
    for line in one["variables"]:
        lost = line["lost"] or {}
        cells = [
            escape(named(by_name[line["feature"]])),
            percent(line["share"]),
            *(change(lost.get(figure)) for figure in figures),
            percent(line["from_absence"], "-"),
        ]
        if one["kind"] == "binary":
            own = line["missing"]
            cells.append(f"{percent(own['events'])}, {percent(own['non_events'])}")
        table.add_row(*cells)
    return table


def bar(share: float, width: int = BAR) -> str:
    """A bar of full and empty cells.

    Examples
    --------
    >>> bar(0.5, 4), bar(-0.1, 4), bar(1.2, 4)
    ('██··', '····', '████')
    """
    full = round(min(max(share, 0.0), 1.0) * width)
    return "█" * full + "·" * (width - full)
