"""A report as one page of HTML that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import SourceInvalid
from training.evaluation.look import COLOURS, DASHES, GREY, INK
from training.signal.words import (
    FIGURES,
    SHOWN,
    change,
    named,
    percent,
    rows_that_are_complete,
)

if TYPE_CHECKING:
    import altair as alt

WIDTH, ROW_HEIGHT = 420, 20
SIMULATED = "Simulated patients: it exercises the machinery and proves nothing about real ones."
STYLE = f"""
body {{ font-family: "DejaVu Sans", Verdana, sans-serif; color: {INK}; max-width: 70rem;
        margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }}
.said {{ font-size: 1.25rem; }}
table {{ border-collapse: collapse; font-size: 0.85rem; }}
th, td {{ text-align: left; padding: 0.15rem 0.8rem 0.15rem 0; border-bottom: 1px solid #e6e6e6; }}
svg {{ max-width: 100%; height: auto; }}
"""


def refuse_unwritable(path: Path) -> None:
    """Refuse a page that could not be written, before the long work.

    Raises
    ------
    SourceInvalid
        When its folder is not there, or it is a folder itself.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise SourceInvalid(f"{path} cannot be written: no such folder, or a folder itself")


def signal_page(report: Mapping[str, Any]) -> str:
    """Write the page: the sentence, pictures as SVG, and a table per outcome.

    Parameters
    ----------
    report : mapping
        From `signal_report`.
    """
    from training.evaluation.pictures import svg

    title = f"Signal, not data: {report['branch_point']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="said">{escape(report["sentence"])}</p>',
    ]
    if report["training_data"] == "synthetic":
        parts.append(f"<p><strong>{SIMULATED}</strong></p>")
    parts.append(
        f"<p>{escape(report['source'])}, {report['rows']['all']} rows, {report['rows']['held_out']} "
        f"held out. {escape(rows_that_are_complete(report))}</p>"
    )
    charts: list[alt.TopLevelMixin] = [_shares(report), _curve(report)]
    if any(line["measured_by_hospital"] for line in report["variables"]):
        charts.append(_hospitals(report))
    parts += [svg(chart.to_dict()).decode() for chart in charts]
    for one in report["outcomes"]:
        parts += _outcome(report, one)
    for outcome, reason in report["left_out"].items():
        parts.append(f"<p>{escape(outcome)} was left out: {escape(reason)}</p>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _shares(report: Mapping[str, Any]) -> alt.TopLevelMixin:
    import altair as alt

    lines = [
        {
            "variable": named(line),
            "share": line["share"],
            "kept": "kept" if line["kept"] else "could go",
        }
        for line in report["variables"]
    ]
    chart: alt.Chart = (
        alt.Chart({"values": lines})
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="Share of the reasons", axis=alt.Axis(format="%")),
            y=alt.Y("variable:N", sort=[line["variable"] for line in lines], title=None),
            color=alt.Color(
                "kept:N", title=None,
                scale=alt.Scale(domain=["kept", "could go"], range=[COLOURS[0], GREY]),
            ),
        )
        .properties(
            width=WIDTH, height=ROW_HEIGHT * len(lines),
            title="Which variables carry the prediction, mean over outcomes",
        )
    )  # fmt: skip
    return chart


def _curve(report: Mapping[str, Any]) -> alt.TopLevelMixin:
    import altair as alt

    label = {one["outcome"]: one["label"] for one in report["outcomes"]}
    points = [
        {"variables": step["variables"], "tells": own["gain"], "outcome": label[name]}
        for step in report["together"]["curve"]
        for name, own in step["loss"].items()
    ]
    at = {"values": [{"variables": len(report["together"]["kept"])}]}
    x = alt.X("variables:Q", title="Number of variables")
    return alt.layer(
        alt.Chart(at).mark_rule(color=GREY, strokeDash=[6, 4]).encode(x=x),
        alt.Chart({"values": points})
        .mark_line(point=True)
        .encode(
            x=x,
            y=alt.Y("tells:Q", title="Of what all variables tell", axis=alt.Axis(format="%")),
            color=alt.Color("outcome:N", title=None, scale=alt.Scale(range=list(COLOURS))),
            strokeDash=alt.StrokeDash("outcome:N", title=None, scale=alt.Scale(range=list(DASHES))),
        ),
        width=WIDTH,
        height=WIDTH * 3 // 5,
        title=alt.TitleParams(
            "What so many variables tell",
            subtitle="Cross-validated, the weakest left out first. Dashed: those that are kept.",
        ),
    )


def _hospitals(report: Mapping[str, Any]) -> alt.TopLevelMixin:
    import altair as alt

    cells = [
        {"variable": named(line), "hospital": hospital, "measured": share}
        for line in report["variables"]
        for hospital, share in line["measured_by_hospital"].items()
    ]
    order = [named(line) for line in report["variables"]]
    chart: alt.Chart = (
        alt.Chart({"values": [cell for cell in cells if cell["measured"] is not None]})
        .mark_rect()
        .encode(
            x=alt.X("hospital:N", title=None),
            y=alt.Y("variable:N", sort=order, title=None),
            color=alt.Color(
                "measured:Q", title="Measured",
                scale=alt.Scale(domain=[0, 1], range=["#FFFFFF", COLOURS[0]]),
            ),
        )
        .properties(
            height=ROW_HEIGHT * len(order),
            title=alt.TitleParams("Measured, by hospital", subtitle="Empty: withheld."),
        )
    )  # fmt: skip
    return chart


def _outcome(report: Mapping[str, Any], one: Mapping[str, Any]) -> Iterator[str]:
    by_name = {line["feature"]: line for line in report["variables"]}
    figures = SHOWN[one["kind"]]
    version = one["model"]["version"]
    yield f"<h2>{escape(one['label'])}</h2>"
    yield (
        f"<p>Looked at: {'champion, version ' + escape(version) if version else 'fitted now'} "
        f"({escape(one['model']['form'])}). For this outcome alone {len(one['kept'])} variables "
        f"would do: {escape(', '.join(named(by_name[name]) for name in one['kept']))}.</p>"
    )
    yield _table(
        ["held-out patients", *(FIGURES[figure] for figure in figures)],
        [
            [
                words,
                *(change(one["held_out"][key]["change"][figure]) for figure in figures),
            ]
            for key, words in (
                ("together", "kept for all outcomes, against all variables"),
                ("own", "kept for this outcome, against all variables"),
            )
        ],
    )
    missing = one["kind"] == "binary"
    yield _table(
        [
            "lost without its value",
            "share",
            *(FIGURES[figure] for figure in figures),
            *(["missing, events", "missing, others"] if missing else []),
        ],
        [
            [
                named(by_name[line["feature"]]),
                percent(line["share"]),
                *(change((line["lost"] or {}).get(figure)) for figure in figures),
                *(
                    [percent(line["missing"][key]) for key in ("events", "non_events")]
                    if missing
                    else []
                ),
            ]
            for line in one["variables"]
        ],
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
