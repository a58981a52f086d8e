"""A validation or a recalibration as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from training.evaluation import summary_table
from training.transport.words import estimate, number, share

# Of the inputs, those that differ most.
SHOWN = 12
CALIBRATION = {
    "observed_expected": "Observed / expected (1 is right)",
    "in_the_large": "In the large (0 is right)",
    "slope": "Slope (1 is right)",
    "intercept_at_slope": "Intercept at that slope",
    "ici": "ICI, mean error of a risk",
    "e50": "E50",
    "e90": "E90",
}


def validation_tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate what `validate` found: evaluation, calibration, patients, sample size, decisions.

    Parameters
    ----------
    report : mapping
        From `validate`.
    """
    name = f"{report['model']['name']} version {report['model']['version']}"
    yield summary_table(f"{name} on {report['cohort']['title']}", report["evaluation"])
    yield calibration_table(report)
    yield case_mix_table(report)
    if report["sample_size"] is not None:
        yield sample_size_table(report["sample_size"])
        yield net_benefit_table(report["evaluation"]["net_benefit"])
    if "expanding_window" in report:
        yield windows_table(report["expanding_window"])


def windows_table(found: Mapping[str, Any]) -> Table:
    """The registered model and refits on the past, block by block."""
    table = Table(
        "Judged on", "Model", "Rows", "AUROC or R²", "Observed / expected", "Slope",
        title=f"Expanding window, blocks of {found['block_months']} months", title_justify="left",
    )  # fmt: skip
    for window in found["windows"]:
        judged = "-".join(str(month) for month in window["judged"])
        for key, words in (
            ("registered", "registered"),
            ("refit", f"fitted until {window['fitted_until']}"),
        ):
            own = window[key]
            if "left_out" in own:
                table.add_row(judged, words, escape(own["left_out"]), "", "", "")
                continue
            main = own.get("auroc") or own["r2"]
            figures = (estimate(one) for one in (main, own["observed_expected"], own["slope"]))
            table.add_row(judged, words, str(own["rows"]), *figures)
    return table


def calibration_table(report: Mapping[str, Any]) -> Table:
    """Every calibration figure with its interval over patients."""
    table = Table("Calibration", "Value (95% interval)", title_justify="left")
    for key, words in CALIBRATION.items():
        if key in report["calibration"]:
            table.add_row(words, estimate(report["calibration"][key]))
    abstained = report["evaluation"]["abstained"]
    table.add_row("Abstained", share(abstained["share"]))
    if (spread := report["predictions"]) is not None:
        table.add_row(
            "Linear predictor here, mean (SD)",
            f"{number(spread['mean'])} ({number(spread['deviation'])})",
        )
        table.add_row(
            "Linear predictor in its own evaluation",
            f"{number(spread['mean_original'])} ({number(spread['deviation_original'])})",
        )
    related = report["relatedness"]
    told = number(related["membership_auroc"])
    table.add_row(
        "Cohorts told apart (AUROC)", f"{told}: {related['reason']}" if related["reason"] else told
    )
    return table


def case_mix_table(report: Mapping[str, Any]) -> Table:
    """The inputs that differ most from the reference profile."""
    lines = report["case_mix"]
    differing = sum(line["differs"] for line in lines)
    table = Table(
        "Input", "Difference (SD)", "Missing here", "Missing there",
        title=f"Case mix: {differing} of {len(lines)} inputs differ by 0.1 SD or more",
        title_justify="left",
    )  # fmt: skip
    for line in lines[:SHOWN]:
        cells = (
            escape(line["label"]),
            number(line["difference"], "+"),
            share(line["missing"]),
            share(line["missing_reference"]),
        )
        table.add_row(*cells, style="bold" if line["differs"] else None)
    return table


def sample_size_table(size: Mapping[str, Any]) -> Table:
    """What so many events can show."""
    verdict = "enough by the rule of thumb" if size["enough"] else "TOO FEW"
    title = (
        f"Sample size: {size['events']} events or non-events, {verdict} ({size['fewest_events']})"
    )
    table = Table(
        "Figure", "Width of its interval", "Wanted", "Events for that",
        title=title, title_justify="left",
    )  # fmt: skip
    for name, own in size["figures"].items():
        needed = own["events_needed"]
        cells = (CALIBRATION.get(name, "AUROC"), number(own["width"]), number(own["wanted"]))
        table.add_row(*cells, "-" if needed is None else str(needed))
    return table


def net_benefit_table(curves: Mapping[str, Any]) -> Table:
    """Net benefit per 1,000 patients at the declared thresholds up to one half."""
    others = list(curves["comparators"])
    table = Table(
        "Threshold", "Model", "Act on all", *(escape(f"{name} (model there)") for name in others),
        title="Net benefit, true positives per 1,000 patients", title_justify="left",
    )  # fmt: skip
    for i, threshold in enumerate(curves["thresholds"]):
        if threshold > 0.5:
            break
        cells = [f"{1000 * curves[key][i]:.1f}" for key in ("model", "treat_all")]
        for name in others:
            own = curves["comparators"][name]
            cells.append(f"{1000 * own['comparator'][i]:.1f} ({1000 * own['model'][i]:.1f})")
        table.add_row(share(threshold), *cells)
    return table


def recalibration_tables(report: Mapping[str, Any]) -> Iterator[Table]:
    """Tabulate what `recalibrate` did: the closed test, the weights, and figures before and after.

    Parameters
    ----------
    report : mapping
        Of a `SiteVersion`.
    """
    test = report["closed_test"]
    table = Table(
        "Held against the refit", "Chi-square", "df", "p",
        title=f"Closed test: {test['method']}; taken: {report['method']}", title_justify="left",
    )  # fmt: skip
    for one in test["comparisons"]:
        p = "<0.0001" if one["p"] < 0.0001 else f"{one['p']:.4f}"
        table.add_row(one["method"], f"{one['statistic']:.2f}", str(one["degrees_of_freedom"]), p)
    yield table
    table = Table("Part", "Weight", title="Weights", title_justify="left")
    for name, weight in report["update"]["weights"].items():
        table.add_row(escape(name.replace("_", " ")), number(weight))
    yield table
    table = Table(
        "Held-out patients of this cohort", "Before", "After",
        title=report["cohort"]["title"], title_justify="left",
    )  # fmt: skip
    for words, path in _before_after(report["after"]["kind"]):
        table.add_row(words, *(_figure(report[when], path) for when in ("before", "after")))
    yield table


def _before_after(kind: str) -> list[tuple[str, tuple[str, ...]]]:
    if kind == "binary":
        return [
            ("AUROC", ("auroc",)),
            ("Brier score", ("brier",)),
            ("Observed / expected", ("calibration", "observed_expected")),
            ("Slope", ("calibration", "slope")),
            ("In the large", ("calibration", "in_the_large")),
            ("ICI", ("calibration", "ici")),
            ("Intervals held the observed", ("interval", "coverage")),
        ]
    return [
        ("Mean absolute error", ("mae",)),
        ("R²", ("r2",)),
        ("Observed / predicted", ("calibration", "observed_expected")),
        ("Slope", ("calibration", "slope")),
        ("Intervals held the observed", ("interval", "coverage")),
    ]


def _figure(evaluation: Mapping[str, Any], path: tuple[str, ...]) -> str:
    found: Any = evaluation
    for key in path:
        found = found[key]
    return estimate(found) if isinstance(found, Mapping) else number(found)
