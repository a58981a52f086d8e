"""Signal, not data: which variables of a cohort carry the prediction, which could go, at what cost.

Start reading in `report`.
"""

from __future__ import annotations

from training.signal.page import refuse_unwritable, signal_page
from training.signal.report import signal_report, subsample
from training.signal.served import champion, registry_of
from training.signal.tables import signal_tables

__all__ = [
    "champion",
    "refuse_unwritable",
    "registry_of",
    "signal_page",
    "signal_report",
    "signal_tables",
    "subsample",
]
