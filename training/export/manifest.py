"""The files of an export; the manifest holds the SHA-256 of the others, and the signature covers it."""

from __future__ import annotations

MANIFEST, ROWS, SOURCE, REPORT = "manifest.json", "rows.csv", "source.toml", "report.md"
FILES = (ROWS, SOURCE, REPORT)
