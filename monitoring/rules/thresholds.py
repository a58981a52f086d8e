"""Where a rule starts to speak: read from `thresholds.toml`, which a site may override."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

THRESHOLDS_FILE = Path(__file__).with_name("thresholds.toml")
KEYS = {"value", "meaning", "source"}


class ThresholdsInvalid(ValueError):
    """A file of thresholds that cannot be used; the message names the row."""


def load_thresholds(site: Path | None = None) -> dict[str, float]:
    """The value of every threshold.

    Parameters
    ----------
    site : Path, optional
        A file of the same form whose rows replace ours; it may not bring new ones.

    Raises
    ------
    ThresholdsInvalid
        When a row is unknown, lacks its meaning or source, or is not a number of 0 or more.

    Examples
    --------
    >>> load_thresholds()["psi_large"]
    0.25
    """
    values = _read(THRESHOLDS_FILE)
    if site is None:
        return values
    own = _read(site)
    if unknown := sorted(own.keys() - values.keys()):
        raise ThresholdsInvalid(f"{site.name}: unknown threshold {unknown[0]}")
    return {**values, **own}


def _read(file: Path) -> dict[str, float]:
    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ThresholdsInvalid(f"{file.name}: not TOML: {error}") from None
    return {name: _value(file.name, name, row) for name, row in rows.items()}


def _value(file: str, name: str, row: Any) -> float:
    if not isinstance(row, Mapping) or row.keys() != KEYS:
        raise ThresholdsInvalid(f"{file}: {name} needs exactly {', '.join(sorted(KEYS))}")
    value = row["value"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ThresholdsInvalid(f"{file}: {name} needs a number of 0 or more as its value")
    if not all(isinstance(row[key], str) and row[key].strip() for key in ("meaning", "source")):
        raise ThresholdsInvalid(f"{file}: {name} needs a meaning and a source")
    return float(value)


def number(value: float) -> str:
    """A number as a rule writes it.

    Examples
    --------
    >>> number(200.0), number(0.25)
    ('200', '0.25')
    """
    return f"{value:.12g}"
