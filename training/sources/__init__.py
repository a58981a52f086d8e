"""Where cohorts come from: one TOML mapping per source, read by `source.py`."""
