"""The figures of drift and outcomes for people without Prometheus: as JSON, in the terminal, as a page.

    ledger, bundles -> read_report -> one document -> for_outside -> shown, report_page

The document is what GET /v1/monitoring/drift and /performance give, of one window. Tables and page
are made from it alone.
"""

from monitoring.report.disclosure import for_outside
from monitoring.report.fitted import NoModels, cached_profiles
from monitoring.report.page import report_page
from monitoring.report.reading import NothingRecorded, UnknownModel, read_report
from monitoring.report.shown import show
from monitoring.report.window import Window, WindowInvalid, asked_window

__all__ = [
    "NoModels",
    "NothingRecorded",
    "UnknownModel",
    "Window",
    "WindowInvalid",
    "asked_window",
    "cached_profiles",
    "for_outside",
    "read_report",
    "report_page",
    "show",
]
