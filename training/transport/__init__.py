"""Taking a model to another hospital: judge it there, update it there, and judge it again.

Start reading in `validate` and `recalibrate`; `closed_test` decides between the ways to update.
"""

from __future__ import annotations

from training.transport.expanding_window import expanding_window
from training.transport.page import validation_page
from training.transport.recalibrate import recalibrate
from training.transport.registered import find
from training.transport.tables import recalibration_tables, validation_tables
from training.transport.validate import validate

__all__ = [
    "expanding_window",
    "find",
    "recalibrate",
    "recalibration_tables",
    "validate",
    "validation_page",
    "validation_tables",
]
