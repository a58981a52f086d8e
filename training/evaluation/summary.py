"""An evaluation as one table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from models.card.figures import LABELS

FEWER = "fewer than 5"
WITHHELD = "withheld"
UNKNOWN = "-"

Line = tuple[str, str]
Section = tuple[str, list[Line]]


def summary_table(name: str, evaluation: Mapping[str, Any]) -> Table:
    """Tabulate the figures by which a model is judged, with 95% intervals.

    Parameters
    ----------
    name : str
        Of the model; the table's title.
    evaluation : mapping
        From `evaluate_binary` or `evaluate_numeric`.

    Returns
    -------
    rich.table.Table
        Two columns. A withheld subgroup reads "fewer than 5".
    """
    table = Table("Figure", "Value (95% interval)", title=escape(name), title_justify="left")
    parts = _binary(evaluation) if evaluation["kind"] == "binary" else _numeric(evaluation)
    for title, lines in parts:
        table.add_section()
        table.add_row(f"[bold]{escape(title)}[/bold]", "")
        for label, value in lines:
            table.add_row(f"  {escape(label)}", escape(value))
    return table


def _binary(evaluation: Mapping[str, Any]) -> Iterator[Section]:
    calibration, interval = evaluation["calibration"], evaluation["interval"]
    events = f"{evaluation['events']} ({100 * evaluation['prevalence']:.1f}%)"
    yield "Patients", [("Rows", str(evaluation["rows"])), ("Events", events)]
    yield (
        "Discrimination and error",
        [
            (LABELS[key], _estimate(evaluation[key]))
            for key in ("auroc", "auprc", "brier", "log_loss")
        ],
    )
    yield (
        "Calibration",
        [
            ("Slope (1 is right)", _number(calibration["slope"])),
            ("In the large (0 is right)", _number(calibration["in_the_large"])),
            ("Observed / expected", _estimate(calibration["observed_expected"])),
            ("ICI, mean error of a risk", _number(calibration["ici"])),
            (
                "E50 / E90 / Emax",
                " / ".join(_number(calibration[k]) for k in ("e50", "e90", "emax")),
            ),
        ],
    )
    groups = f"of {interval['groups']} groups of about {interval['group_size']}"
    yield _interval_section(interval, groups)
    for other, part in evaluation["comparators"].items():
        yield f"Beside {other}", _comparator(part)
    for grouping, values in evaluation["subgroups"].items():
        lines = [(label, _subgroup(part, "auroc", "events")) for label, part in values.items()]
        yield f"AUROC by {grouping}", lines


def _numeric(evaluation: Mapping[str, Any]) -> Iterator[Section]:
    calibration = evaluation["calibration"]
    yield "Patients", [("Rows", str(evaluation["rows"]))]
    yield (
        "Error",
        [(LABELS[key], _estimate(evaluation[key])) for key in ("mae", "rmse", "r2", "spearman")],
    )
    yield (
        "Calibration",
        [
            ("Slope (1 is right)", _number(calibration["slope"])),
            ("Mean observed", _number(calibration["mean_observed"])),
            ("Mean predicted", _number(calibration["mean_predicted"])),
        ],
    )
    yield _interval_section(evaluation["interval"], "of patients")
    for grouping, values in evaluation["subgroups"].items():
        lines = [(label, _subgroup(part, "mae", None)) for label, part in values.items()]
        yield f"Mean absolute error by {grouping}", lines


def _interval_section(interval: Mapping[str, Any], of_what: str) -> Section:
    covered = f"{100 * interval['coverage']:.0f}% {of_what}"
    return (
        f"{100 * interval['level']:.0f}% intervals shown to users",
        [("Held the observed", covered), ("Mean width", _number(interval["mean_width"]))],
    )


def _comparator(part: Mapping[str, Any]) -> list[Line]:
    if part["suppressed"]:
        return [("Patients, events or non-events", FEWER)]
    lines = [("Rows that have it", str(part["rows"]))]
    for key in ("auroc", "brier"):
        lines += [
            (f"{LABELS[key]}, model", _estimate(part["model"][key])),
            (f"{LABELS[key]}, comparator", _estimate(part["comparator"][key])),
            (f"{LABELS[key]}, model minus comparator", _estimate(part["difference"][key], "+")),
        ]
    return lines


def _subgroup(part: Mapping[str, Any], figure: str, events: str | None) -> str:
    if part["suppressed"]:
        return FEWER
    n = WITHHELD if part["n"] is None else str(part["n"])
    if events and part[events] is not None:
        n += f", events {part[events]}"
    return f"{_estimate(part[figure])}  n {n}"


def _estimate(estimate: Mapping[str, float | None], sign: str = "") -> str:
    value, lower, upper = (_number(estimate[key], sign) for key in ("value", "lower", "upper"))
    return f"{value} ({lower} to {upper})"


def _number(value: float | None, sign: str = "") -> str:
    if value is None:
        return UNKNOWN
    return f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.3f}"
