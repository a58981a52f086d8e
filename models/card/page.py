"""A card as one page of HTML: no scripts, nothing loaded, readable without its pictures and its style.

Headings make an outline, every table has a caption and header cells, every picture says in words what
it shows and stands beside its figures in a table.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from models.card.figures import WITHHELD, Figure, estimate, headline, subgroups
from models.card.pictures import Picture, pictures
from models.card.said import NOT_STATED, SIMULATED, number, part, text, texts
from models.card.source_attributes import REGULATION, source_attributes

STYLE = """
body { font-family: "DejaVu Sans", Verdana, sans-serif; color: #222222; background: #ffffff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; font-weight: bold; padding: 0.3rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.9rem 0.2rem 0;
         border-bottom: 1px solid #767676; }
tbody th { font-weight: normal; }
figure { margin: 1.5rem 0; }
svg { max-width: 100%; height: auto; }
.warning { border-left: 0.4rem solid #D55E00; padding-left: 0.8rem; font-weight: bold; }
.unsaid { color: #595959; font-style: italic; }
"""
# For a Content-Security-Policy that allows this style and no other.
STYLE_SHA256 = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

Lines = Iterable[tuple[str, str | None]]


def card_page(
    card: Mapping[str, Any],
    standing: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
) -> str:
    """Write a card as a page.

    Parameters
    ----------
    card : mapping
        `card.json`; what it does not say reads "Not stated".
    standing : mapping, optional
        What the registry says of this version, label -> value: version, alias, digest, gate.
    links : mapping, optional
        Where a reader may go on to, label -> address.

    Examples
    --------
    >>> page = card_page({"name": "icu-review.death_180d", "outcome": "Death within 180 days"})
    >>> "<h1>Death within 180 days</h1>" in page, "<script" in page
    (True, False)
    """
    title = text(card, "outcome") or text(card, "name") or "Model card"
    body = "\n".join(_sections(card, title, standing or {}))
    ways = " · ".join(
        f'<a href="{escape(to)}">{escape(label)}</a>' for label, to in (links or {}).items()
    )
    onward = f'<nav aria-label="Elsewhere">{ways}</nav>\n' if ways else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Model card: '
        f"{escape(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body>\n{onward}<main>\n{body}\n</main></body></html>\n"
    )


def _sections(card: Mapping[str, Any], title: str, standing: Mapping[str, str]) -> Iterator[str]:
    evaluation = part(card, "evaluation")
    yield f"<h1>{escape(title)}</h1>"
    yield _paragraph(
        f"Model {text(card, 'name') or NOT_STATED.lower()}, at the branch point "
        f"{text(card, 'branch_point') or NOT_STATED.lower()}. Training data: "
        f"{text(card, 'training_data') or NOT_STATED.lower()}."
    )
    if text(card, "training_data") == "synthetic":
        yield f'<p class="warning">{SIMULATED}</p>'
    if card.get("decision_support_only") is True:
        yield "<p><strong>Decision support only.</strong> It predicts; it never decides.</p>"
    if standing:
        yield _table("What the registry says", ("what", "says"), standing.items())
    yield from _purpose(card)
    yield from _data(card)
    yield from _figures(card, evaluation)
    yield from _certainty(card)
    yield _heading("Limits")
    yield _list(texts(card, "limits"))
    yield from _attributes(card)


def _purpose(card: Mapping[str, Any]) -> Iterator[str]:
    yield _heading("What it predicts")
    yield _paragraph(text(card, "definition"))
    if (competing := text(card, "competing_event")) is not None:
        yield _paragraph(f"Competing event: {competing}.")
    yield _heading("Intended purpose")
    yield _paragraph(text(card, "intended_purpose"))
    yield _table(
        "Who asks, and what for", ("what", "says"),
        [("Intended users", text(card, "intended_users")), ("Question", text(card, "question")),
         ("Regulatory note", text(card, "regulatory_note"))],
    )  # fmt: skip
    yield _heading("What it must not be used for")
    yield _list(texts(card, "must_not_be_used_for"))


def _data(card: Mapping[str, Any]) -> Iterator[str]:
    cohort, model = part(card, "cohort"), part(card, "model")
    yield _heading("Training data")
    rows = [("Cohort", "title"), ("Citation", "citation"), ("Licence", "licence")]
    counts = [("Rows fitted on", "rows_fitted"), ("Rows held out", "rows_held_out")]
    yield _table(
        "The cohort", ("what", "says"),
        [*((label, text(cohort, key)) for label, key in rows),
         *((label, _count(cohort, key)) for label, key in counts),
         ("Held-out rule", text(cohort, "held_out_rule"))],
    )  # fmt: skip
    yield _heading("Model")
    inputs, required = texts(model, "inputs"), texts(model, "required")
    yield _table(
        "How it predicts", ("what", "says"),
        [("Form", text(model, "form")), ("Calibration", text(model, "calibration")),
         ("Reasons", text(model, "attributions")), ("Inputs", ", ".join(inputs) or None),
         ("Required", ", ".join(required) or None)],
    )  # fmt: skip
    lineage = part(card, "lineage")
    if lineage:
        yield _table("How it was made", ("what", "says"), _flat(lineage))


def _figures(card: Mapping[str, Any], evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield _heading("Held-out figures")
    yield _numbers("How well it predicts, on held-out rows", headline(evaluation))
    for picture in pictures(evaluation):
        yield (
            f"<figure>{picture.svg}<figcaption>{escape(picture.title)}. {escape(picture.words)}"
            f"</figcaption>{_numbers_of(picture)}</figure>"
        )
    groups = [
        (
            group.name,
            WITHHELD if group.n is None and group.figure is None else _n(group.n),
            *_value(group.figure),
            *_value(group.observed_expected),
        )
        for group in subgroups(evaluation)
    ]
    if groups:
        name = "Mean absolute error" if evaluation.get("kind") == "numeric" else "AUROC"
        yield _heading("Groups of patients", 3)
        yield _table(
            "The same figures, group by group",
            ("group", "rows", name, "95 % interval", "observed/expected", "95 % interval"),
            groups,
        )
    others = [
        (label.replace("_", " "), _count(own, "rows"), *_pair(own))
        for label, own in part(evaluation, "comparators").items()
        if isinstance(own, Mapping)
    ]
    if others:
        yield _heading("Beside others", 3)
        yield _table(
            "The model and another's estimate on the same rows",
            ("other", "rows", "model's AUROC", "other's AUROC", "difference", "95 % interval"),
            others,
        )


def _numbers_of(picture: Picture) -> str:
    if not picture.rows:
        return ""
    table = _table(f"{picture.title}, in numbers", picture.headings, picture.rows)
    return f"<details><summary>{escape(picture.title)}, in numbers</summary>{table}</details>"


def _pair(own: Mapping[str, Any]) -> tuple[str | None, ...]:
    difference = estimate(own, "", "difference", "auroc")
    return (
        _three(number(own, "model", "auroc", "value")),
        _three(number(own, "comparator", "auroc", "value")),
        *_value(difference),
    )


def _certainty(card: Mapping[str, Any]) -> Iterator[str]:
    interval = part(card, "interval")
    level = number(interval, "level")
    yield _heading("How sure, and when it gives no number")
    yield _table(
        "The interval around an answer", ("what", "says"),
        [("Level", None if level is None else f"{level:.0%}"), ("Method", text(interval, "method")),
         ("Held-out coverage (of a risk: share of groups of 200 like patients whose observed share lies in "
          "the groups' interval; of a number: share of patients)", _three(number(interval, "coverage_held_out")))],
    )  # fmt: skip
    yield _list([f"It abstains {when}" for when in texts(card, "abstains")])


def _attributes(card: Mapping[str, Any]) -> Iterator[str]:
    yield _heading("Source attributes")
    yield _paragraph(f"What {REGULATION} (HTI-1) lets a reader ask, taken as a voluntary list.")
    attributes = source_attributes(card)
    for group in dict.fromkeys(attribute.group for attribute in attributes):
        yield _heading(group, 3)
        yield _table(
            group, ("place", "attribute", "answer"),
            [(one.place, one.text, one.answer) for one in attributes if one.group == group],
        )  # fmt: skip


def _heading(words: str, level: int = 2) -> str:
    return f"<h{level}>{escape(words)}</h{level}>"


def _paragraph(words: str | None) -> str:
    return f"<p>{_said(words)}</p>"


def _list(items: Sequence[str]) -> str:
    if not items:
        return _paragraph(None)
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _numbers(caption: str, figures: Iterable[Figure]) -> str:
    rows = [(figure.label, *_value(figure)) for figure in figures]
    return _table(caption, ("figure", "value", "95 % interval"), rows)


def _table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[str | None]]
) -> str:  # fmt: skip
    body = [
        f'<tr><th scope="row">{_said(first)}</th>'
        + "".join(f"<td>{_said(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    ]
    if not body:
        return _paragraph(None)
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _said(words: str | None) -> str:
    return f'<span class="unsaid">{NOT_STATED}</span>' if words is None else escape(words)


def _value(figure: Figure | None) -> tuple[str, str]:
    return ("-", "-") if figure is None else (f"{figure.value:.3f}", figure.interval or "-")


def _three(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _count(document: Mapping[str, Any], name: str) -> str | None:
    found = number(document, name)
    return None if found is None else str(int(found))


def _n(n: int | None) -> str:
    return "withheld" if n is None else str(n)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for key, value in table.items():
        label = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{label}, ")
        else:
            yield label, str(value) if value is not None else None
