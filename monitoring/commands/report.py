"""`risk-monitor report`: drift and outcomes in the terminal, as JSON, or as one page."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.errors import ContentInvalid
from models.vocabulary import load_vocabulary
from monitoring.commands.opening import (
    DEFAULT_VAR,
    AsJson,
    Database,
    Var,
    bar,
    opened_ledger,
    tell,
)
from monitoring.ledger import LedgerMisfit
from monitoring.outcomes import AnotherLedger
from monitoring.report import (
    NoModels,
    NothingRecorded,
    UnknownModel,
    WindowInvalid,
    asked_window,
    cached_profiles,
    for_outside,
    read_report,
    report_page,
    show,
)


def report(
    database: Database = None,
    var: Var = DEFAULT_VAR,
    window: Annotated[
        str | None, typer.Option(help="Up to now: 1h, 1d, 7d, 30d or 365d.", show_default="30d")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="First day, YYYY-MM-DD (UTC), in place of --window.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last day, included.", show_default="now")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only this one, like icu-review.death_180d.")
    ] = None,
    content: Annotated[
        Path | None,
        typer.Option(
            envvar="RISK_CONTENT", show_envvar=True, help="The site's own content folder."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write one page, with pictures, to this file.")
    ] = None,
    outside: Annotated[
        bool,
        typer.Option(
            "--for-outside",
            help="Withhold what fewer than five patients or events are behind: for readers "
            "outside the hospital.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell drift and outcomes of a window from the ledger and the models' bundles; nothing is written.

    Without --for-outside the figures are for use in the hospital: small counts are marked, not withheld.
    """
    now_us = time.time_ns() // 1000
    if html is not None and not html.parent.is_dir():
        raise ReportImpossible(f"no folder {html.parent} for --html {html.name}: make it first")
    try:
        asked = asked_window(window, since, until, now_us)
        with opened_ledger(database, var) as engine:
            fitted = cached_profiles(var)
            for name, why in fitted.unreadable:
                tell.print(f"left out {name}: {why}", style="yellow", highlight=False, markup=False)
            vocabulary = load_vocabulary(content)
            with bar("reading the ledger") as progress:
                found = read_report(
                    engine, fitted.profiles, vocabulary, asked, now_us,
                    model=model, progress=progress,
                )  # fmt: skip
    except (WindowInvalid, NoModels, NothingRecorded, UnknownModel, ContentInvalid) as error:
        raise ReportImpossible(str(error)) from None
    except AnotherLedger:
        raise ReportImpossible("months were retired while the ledger was read: try again") from None
    if outside:
        found = for_outside(found)
    if html is not None:
        html.write_text(report_page(found, vocabulary, now_us), encoding="utf-8")
        tell.print(f"written: {html}", highlight=False, markup=False)
    if as_json:
        print(json.dumps(found))
    elif html is None:
        show(found, Console())


class ReportImpossible(LedgerMisfit):
    """No report of what was asked for; the message says what was found, expected, and what to do."""
