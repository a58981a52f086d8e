"""A drill as a picture: the events as bars over time, and below them when each alert fired."""

from __future__ import annotations

from html import escape

from monitoring.drill.alarms import Firing
from monitoring.drill.report import DrillReport, event_rows, named

LEFT, WIDTH, ROW, TOP = 330, 900, 20, 30
COLOURS = {"critical": "#b3261e", "warning": "#b36b00", "info": "#33658a"}
HEADS = (
    "event",
    "days",
    "found by",
    "delay, days",
    "patients",
    "promised",
    "holds",
    "fired as well",
)
STYLE = (
    "body{font:14px sans-serif;margin:2em;color:#222}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}"
)


def timeline(report: DrillReport) -> str:
    """A page of HTML that needs nothing from elsewhere."""
    heads = "".join(f"<th>{escape(head)}</th>" for head in HEADS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in event_rows(report)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Drill</title>'
        f"<style>{STYLE}</style><h1>{report.patients} patients in {report.days} simulated days</h1>"
        f"<table><tr>{heads}</tr>{rows}</table>"
        f"<p>{len(report.false_alarms)} false alarms, {report.quiet_days:g} days without an event.</p>"
        f"{_picture(report)}</html>\n"
    )


def _picture(report: DrillReport) -> str:
    rows: dict[str, list[tuple[Firing, bool]]] = {}
    of_events = [f for one in report.found for f in (one.by, *one.also) if f is not None]
    for firing in sorted(of_events, key=lambda one: one.fires_s):
        rows.setdefault(named(firing), []).append((firing, False))
    for firing in report.false_alarms:
        rows.setdefault(named(firing), []).append((firing, True))
    height = TOP + ROW * (len(rows) + 1) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
        f'width="100%" font-family="sans-serif" font-size="11" role="img" '
        f'aria-label="Events and alerts over {report.days} days">'
    ]
    for one in report.found:
        begin, end = (_x(hour / 24, report.days) for hour in (one.event.begins_h, one.event.ends_h))
        parts.append(
            f'<rect x="{begin:.1f}" y="{TOP - 12}" width="{end - begin:.1f}" height="{height - TOP - 10}" '
            f'fill="#e8eef4"/><text x="{begin:.1f}" y="{TOP - 16}">{escape(one.event.name)}</text>'
        )
    for number, (name, firings) in enumerate(sorted(rows.items(), key=_first)):
        y = TOP + ROW * number
        parts.append(f'<text x="{LEFT - 8}" y="{y + 9}" text-anchor="end">{escape(name)}</text>')
        parts += [_mark(firing, false, y, report.days) for firing, false in firings]
    for day in range(0, report.days + 1, max(1, report.days // 12)):
        parts.append(
            f'<text x="{_x(day, report.days):.1f}" y="{height - 6}" text-anchor="middle">{day}</text>'
        )
    return "".join((*parts, "</svg>"))


def _first(row: tuple[str, list[tuple[Firing, bool]]]) -> tuple[int, str]:
    return min(firing.fires_s for firing, _ in row[1]), row[0]


def _mark(firing: Firing, false: bool, y: int, days: int) -> str:
    begin, end = (_x(at / 86400, days) for at in (firing.fires_s, firing.ends_s))
    border = ' stroke="#000" stroke-dasharray="2 2"' if false else ""
    title = f"{named(firing)}, day {firing.fires_s / 86400:.2f} to {firing.ends_s / 86400:.2f}"
    return (
        f'<rect x="{begin:.1f}" y="{y}" width="{max(2.0, end - begin):.1f}" height="10" '
        f'fill="{COLOURS[firing.severity]}"{border}><title>{escape(title)}'
        f"{', false alarm' if false else ''}</title></rect>"
    )


def _x(day: float, days: int) -> float:
    return LEFT + WIDTH * day / days
