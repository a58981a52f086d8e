"""Training data that leave: generalised, counted, attacked, signed; and verified before they are used.

rows        one patient, without a place for an identifier
rules       what outsiders could know (`disclosure.toml`), how far it is told
export      the flow: settle, generalise, leave out, renumber
attacks     what an outsider would try on the result
folder      statement, report, signature; all of it or nothing
admission   what training may read
"""

from training.export.admission import admit
from training.export.errors import ExportRefused
from training.export.export import Export, export_rows
from training.export.folder import Written, refuse_taken, write_export
from training.export.rows import ExportRow, Origin, origin_of, rows_of
from training.export.rules import OWN_RULES, Rules, load_rules
from training.export.verify import verify

__all__ = [
    "OWN_RULES",
    "Export",
    "ExportRefused",
    "ExportRow",
    "Origin",
    "Rules",
    "Written",
    "admit",
    "export_rows",
    "load_rules",
    "origin_of",
    "refuse_taken",
    "rows_of",
    "verify",
    "write_export",
]
