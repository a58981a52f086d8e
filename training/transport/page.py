"""A validation as one page of HTML that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from training.evaluation.look import COLOURS, GREY
from training.signal.page import SIMULATED, STYLE
from training.transport.case_mix import NEGLIGIBLE
from training.transport.tables import CALIBRATION
from training.transport.words import estimate, number, share

if TYPE_CHECKING:
    import altair as alt

WIDTH, ROW_HEIGHT = 420, 20


def validation_page(report: Mapping[str, Any]) -> str:
    """Write the page: the two sentences, calibration and decision curves, case mix, tables.

    Parameters
    ----------
    report : mapping
        From `validate`.
    """
    from training.evaluation import draw
    from training.evaluation.pictures import svg

    model, cohort = report["model"], report["cohort"]
    title = f"{model['name']} version {model['version']} on {cohort['title']}"
    parts = [
        "<h1>External validation</h1>",
        f"<p>{escape(title)}</p>",
        *(f'<p class="said">{escape(sentence)}</p>' for sentence in report["sentences"]),
    ]
    if "synthetic" in (model["training_data"], cohort["training_data"]):
        parts.append(f"<p><strong>{SIMULATED}</strong></p>")
    parts.append(
        f"<p>Fitted on {escape(str(model['fitted_on']))}. Asked: {escape(cohort['which'])}, "
        f"{cohort['asked'] or 'a withheld number of'} rows; answered: {report['evaluation']['rows']} rows of "
        f"{cohort['patients']} patients. Inputs that this cohort has not: "
        f"{escape(', '.join(cohort['inputs_missing']) or 'none')}.</p>"
    )
    parts += [picture.decode() for picture in draw(model["name"], report["evaluation"]).values()]
    parts.append(svg(_differences(report["case_mix"]).to_dict()).decode())
    parts.append(
        _table(
            ["calibration", "value (95% interval over patients)"],
            [
                [words, estimate(report["calibration"][key])]
                for key, words in CALIBRATION.items()
                if key in report["calibration"]
            ],
        )
    )
    parts.append(
        _table(
            ["input", "difference (SD)", "missing here", "missing there"],
            [
                [
                    line["label"],
                    number(line["difference"], "+"),
                    share(line["missing"]),
                    share(line["missing_reference"]),
                ]
                for line in report["case_mix"]
            ],
        )
    )
    if (size := report["sample_size"]) is not None:
        parts.append(
            _table(
                ["figure", "width of its interval", "wanted", "events for that"],
                [
                    [
                        CALIBRATION.get(name, "AUROC"),
                        number(own["width"]),
                        number(own["wanted"]),
                        str(own["events_needed"] or "-"),
                    ]
                    for name, own in size["figures"].items()
                ],
            )
        )
    if "expanding_window" in report:
        parts += _windows(report["expanding_window"])
    return page(title, parts)


def _windows(found: Mapping[str, Any]) -> list[str]:
    from training.evaluation.pictures import svg

    return [
        svg(_course(found, figure, words).to_dict()).decode()
        for figure, words in (
            ("auroc", "AUROC"),
            ("r2", "R²"),
            ("observed_expected", "Observed over expected"),
        )
        if any(figure in window["registered"] for window in found["windows"])
    ]


def _course(found: Mapping[str, Any], figure: str, words: str) -> alt.TopLevelMixin:
    import altair as alt

    points = [
        {"block": "-".join(str(month) for month in window["judged"]), "of": told, **own[figure]}
        for window in found["windows"]
        for key, told in (("registered", "registered model"), ("refit", "fitted on the past"))
        if figure in (own := window[key])
    ]
    scale = alt.Scale(zero=False)
    base = alt.Chart({"values": points}).encode(
        x=alt.X("block:N", title="Judged on the months", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("of:N"),
        color=alt.Color("of:N", title=None, scale=alt.Scale(range=list(COLOURS[:2]))),
    )
    return alt.layer(
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("lower:Q", scale=scale), y2="upper:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            y=alt.Y("value:Q", title=words, scale=scale), shape=alt.Shape("of:N", title=None)
        ),
        width=WIDTH,
        height=WIDTH // 2,
        title=alt.TitleParams(
            f"{words}, block by block",
            subtitle=f"95% intervals over patients; outcomes known after {found['wait_months']} months.",
        ),
    )


def page(title: str, parts: Iterable[str]) -> str:
    """A page in the look of the house."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _differences(lines: Sequence[Mapping[str, Any]]) -> alt.TopLevelMixin:
    import altair as alt

    points = [
        {"input": line["label"], "difference": line[key], "of": words}
        for line in lines
        for key, words in (("difference", "value"), ("missing_difference", "missing"))
        if line[key] is not None
    ]
    limits = {"values": [{"at": -NEGLIGIBLE}, {"at": NEGLIGIBLE}]}
    order = [line["label"] for line in lines]
    return alt.layer(
        alt.Chart(limits).mark_rule(color=GREY, strokeDash=[6, 4]).encode(x="at:Q"),
        alt.Chart({"values": points})
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=alt.X("difference:Q", title="Standardised difference, here minus there"),
            y=alt.Y("input:N", sort=order, title=None),
            color=alt.Color("of:N", title=None, scale=alt.Scale(range=list(COLOURS[:2]))),
            shape=alt.Shape("of:N", title=None),
        ),
        width=WIDTH,
        height=ROW_HEIGHT * len(order),
        title=alt.TitleParams(
            "Case mix beside the reference profile",
            subtitle=["Dashed: 0.1, customarily negligible.", "A category's distance has no sign."],
        ),
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
