"""A report as one page of HTML: no script, nothing loaded, readable without its pictures and its style.

Every section says first what it means. Every picture has its numbers in a table under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from models.vocabulary import Vocabulary
from monitoring.report import drift_pictures, outcome_pictures, sentences
from monitoring.report.disclosure import MARK, marked
from monitoring.report.judged import Row, by_drift, feature_shift
from monitoring.report.plot import Picture
from monitoring.report.reading import names_of
from monitoring.report.said import days, interval, number, or_withheld, percent, span_of, unit_of
from monitoring.report.style import STYLE
from monitoring.report.window import moment_of

MOST_PICTURES = 6
"""Inputs that are drawn; all are in the table."""
INSIDE = (
    "For use in the hospital. Fewer than five patients or events are behind figures with an asterisk "
    "(*), and a chart shows single patients: these must not leave it."
)
OUTSIDE = (
    "For readers outside the hospital: what fewer than five patients or events are behind is withheld, "
    "and more where a total would tell it; figures are rounded; charts of single patients are left out."
)


def report_page(document: Mapping[str, Any], vocabulary: Vocabulary, made_us: int) -> str:
    """Write the page.

    Parameters
    ----------
    document : mapping
        From `read_report` or `for_outside`.
    vocabulary : Vocabulary
        What features and outcomes are called.
    made_us : int
        When, microseconds since 1970.
    """
    outside = bool(document.get("for_outside"))
    found = document if outside else marked(document)
    body = "\n".join(_Page(found, vocabulary, outside=outside).parts(made_us))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Risk models: '
        f"{escape(span_of(found))}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


class _Page:
    """The sections of one report."""

    def __init__(self, found: Mapping[str, Any], vocabulary: Vocabulary, *, outside: bool) -> None:
        self._found, self._drift, self._told = found, found["drift"], found["performance"]
        self._features = vocabulary.features
        self._labels = {name: one.label_en for name, one in vocabulary.features.items()}
        self._units = {name: one.unit for name, one in vocabulary.features.items()}
        self._outcomes = {name: one.label_en for name, one in vocabulary.outcomes.items()}
        self._points = {name: one.title_en for name, one in vocabulary.branch_points.items()}
        self._outside = outside

    def parts(self, made_us: int) -> Iterator[str]:
        yield "<h1>How the risk models are doing</h1>"
        yield _paragraph(
            f"Window: {span_of(self._found)}. {or_withheld(self._drift['assessments'])} assessments "
            "were recorded in it. Outcomes are those that became known in it, whenever the "
            f"assessment was made. Made {moment_of(made_us)} from ledger {self._told['ledger']}."
        )
        yield _paragraph(OUTSIDE if self._outside else INSIDE, "warning")
        names = names_of(self._found)
        yield _table("In short", ("model", "inputs", "outcomes"), (self._short(n) for n in names))
        for stranger in self._drift["without_profile"]:
            yield _paragraph(
                f"{stranger['model']}: answers of a version whose bundle is not at hand are left out "
                "of what follows on inputs, predictions and reasons.", "warning",
            )  # fmt: skip
        for name in names:
            yield from self._model(name)
        if self._told["cards"]:
            yield from self._cards()

    def _short(self, name: str) -> tuple[str, str, str]:
        asked = [(one["version"], sentences.of_features(one)) for one in self._asked(name)]
        known = [
            (one["version"], sentences.of_outcomes(one["figures"])) for one in self._known(name)
        ]
        return self._called(name), _of_versions(asked), _of_versions(known)

    def _called(self, name: str) -> str:
        point, _, outcome = name.partition(".")
        return f"{self._outcomes.get(outcome, outcome)}, {self._points.get(point, point)}"

    def _asked(self, name: str) -> list[Row]:
        return [one for one in self._drift["models"] if one["model"] == name]

    def _known(self, name: str) -> list[Row]:
        return [one for one in self._told["models"] if one["model"] == name]

    def _of_place(self, part: str, name: str) -> list[Row]:
        return [
            row for row in self._told[part] if f"{row['branch_point']}.{row['outcome']}" == name
        ]

    def _model(self, name: str) -> Iterator[str]:
        yield f"<h2>{escape(self._called(name))}</h2>"
        yield _paragraph(f"Model {name}.", "note")
        for model in self._asked(name):
            yield from self._version(model)
        for row in self._known(name):
            yield from self._outcome(row)
        yield from self._places(name)

    def _version(self, model: Row) -> Iterator[str]:
        version = f"version {model['version']}"
        yield f"<h3>Patients now and then, {escape(version)}</h3>"
        if not model["features"]:
            yield _paragraph(sentences.NOT_TOLD, "said")
            return
        yield _paragraph(sentences.of_features(model), "said")
        yield _paragraph(
            f"It answered {or_withheld(model['answered'])} times and abstained "
            f"{or_withheld(model['abstained'])} times."
        )
        worst = by_drift(model)
        yield _pictures(
            drift_pictures.feature(
                model, one, self._measured(one), self._features.get(str(one["feature"]))
            )
            for one in worst[:MOST_PICTURES]
        )
        yield _folded(
            "All inputs",
            ("input", "differs", "stability index", "missing", "implausible", "never seen in fitting"),
            (
                (self._label(one), feature_shift(model, one) or "-", number(one["psi"]),
                 percent(one["missing_ratio"]), percent(one["implausible_ratio"]),
                 percent(one["unseen_ratio"]))
                for one in worst
            ),
        )  # fmt: skip
        yield f"<h3>Predictions now and then, {escape(version)}</h3>"
        yield _paragraph(sentences.of_predictions(model), "said")
        yield _pictures([drift_pictures.predictions(model)])
        yield f"<h3>What drives the risk, {escape(version)}</h3>"
        yield _paragraph(sentences.of_reasons(model, self._labels), "said")
        yield _pictures([drift_pictures.reasons(model, self._labels)])

    def _label(self, feature: Row) -> str:
        name = str(feature["feature"])
        return self._labels.get(name, name)

    def _measured(self, feature: Row) -> str:
        return self._label(feature) + unit_of(self._units.get(str(feature["feature"])))

    def _outcome(self, row: Row) -> Iterator[str]:
        own, star = row["figures"], "*" if row[MARK] and not self._outside else ""
        yield f"<h3>Predicted and observed, version {escape(row['version'])}</h3>"
        yield _paragraph(sentences.of_outcomes(own), "said")
        if own["n"]:
            yield _paragraph(sentences.of_calibration(own))
            yield _pictures([outcome_pictures.calibration(own)])
        rows = [
            ("Horizons that ended in the window", or_withheld(row["matured"])),
            ("Outcomes known", f"{or_withheld(own['n'])}{star} ({percent(row['coverage'])})"),
            ("Events", or_withheld(own["observed"]) + star),
            ("Events expected", number(own["expected"], 1)),
            ("Observed / expected (95 % interval)", interval(own)),
            ("Brier score, and what is to be expected of it",
             f"{number(own['brier'], 3)}, {number(own['brier_expected'], 3)}"),
            ("Calibration error", number(own["calibration_error"], 3)),
            ("Calibration slope", number(own["slope"])),
            ("AUROC: how often of two patients the one with the event had the higher risk",
             number(own["auroc"], 3)),
        ]  # fmt: skip
        rows += [
            (f"Days until {or_withheld(one['reports'])} reports came, mean and median",
             f"{days(one['mean_s'])}, {days(one['median_s'])}")
            for one in self._of_place("delays", row["model"])
        ]  # fmt: skip
        yield _table("Figures of the window", ("figure", "value"), rows)

    def _places(self, name: str) -> Iterator[str]:
        units, charts, subgroups = (
            self._of_place(part, name) for part in ("units", "charts", "subgroups")
        )
        if units:
            yield "<h3>Units beside each other</h3>"
            yield _paragraph(sentences.of_units(units), "said")
            yield _pictures([outcome_pictures.funnel(units)])
        if charts:
            yield "<h3>Units, patient by patient</h3>"
            yield _paragraph(sentences.of_charts(charts), "said")
            yield _paragraph(
                "Charts are left out: they show single patients."
                if self._outside
                else "The newest 200 patients of each unit, as far as they lie in the window; signals "
                "and sums are since the ledger began.", "note",
            )  # fmt: skip
            rows = (
                (one["unit"], or_withheld(one["patients"]), number(one["vlad"], 1),
                 *(str(one["signals"].get(way, 0)) for way in ("worse", "better")))
                for one in charts
            )  # fmt: skip
            headings = ("unit", "patients", "VLAD", "signals for worse", "signals for better")
            yield _table("Charts since the ledger began", headings, rows)
            yield _pictures(
                draw(one)
                for one in sorted(charts, key=lambda one: -sum(one["signals"].values()))
                for draw in (outcome_pictures.vlad, outcome_pictures.cusum)
            )
        if subgroups:
            yield "<h3>Groups of patients</h3>"
            yield _paragraph(sentences.of_units(subgroups, "subgroup"), "said")
            yield _table(
                "Groups", ("group", "patients", "events", "expected", "ratio (95 % interval)"),
                (self._group(one) for one in subgroups),
            )  # fmt: skip

    def _group(self, row: Row) -> tuple[str, ...]:
        own, star = row["figures"], "*" if row[MARK] and not self._outside else ""
        return (row["subgroup"], or_withheld(own["n"]) + star, or_withheld(own["observed"]),
                number(own["expected"], 1), interval(own))  # fmt: skip

    def _cards(self) -> Iterator[str]:
        yield "<h2>What became of cards</h2>"
        headings = ("branch point", "accepted", "overridden", "share overridden")
        yield _table(
            "Cards of which a client told", headings,
            (
                (self._points.get(one["branch_point"], one["branch_point"]),
                 or_withheld(one["accepted"]), or_withheld(one["overridden"]),
                 percent(one["override_ratio"]))
                for one in self._told["cards"]
            ),
        )  # fmt: skip


def _of_versions(said: Sequence[tuple[str, str]]) -> str:
    if len(said) > 1:
        return " ".join(f"Version {version}: {sentence}" for version, sentence in said)
    return said[0][1] if said else "-"


def _paragraph(words: str, kind: str = "") -> str:
    of = f' class="{kind}"' if kind else ""
    return f"<p{of}>{escape(words)}</p>"


def _pictures(pictures: Iterable[Picture | None]) -> str:
    drawn = (
        f"<figure><h4>{escape(one.title)}</h4>{one.svg}<figcaption>{escape(one.words)}</figcaption>"
        f"{_folded(f'{one.title}, in numbers', one.headings, one.rows)}</figure>"
        for one in pictures
        if one is not None
    )
    return f'<div class="pictures">{"".join(drawn)}</div>'


def _folded(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"<details><summary>{escape(title)}</summary>{_table(title, headings, rows)}</details>"


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f"<table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
