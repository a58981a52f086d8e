"""The text that Prometheus scrapes (format 0.0.4), of the families in `series.py`.

References
----------
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isnan

from monitoring.series import BY_NAME

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Row = tuple[str, float]
"""Labels as `labelled` makes them, and a value."""


def head_of(name: str) -> str:
    """The lines above the samples of a family.

    Examples
    --------
    >>> head_of("risk_ledger_up").splitlines()[1]
    '# TYPE risk_ledger_up gauge'
    """
    family = BY_NAME[name]
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"


def labelled(labels: Mapping[str, str]) -> str:
    r"""Labels as they stand between the braces; worth keeping, they cost more than the number.

    Examples
    --------
    >>> labelled({"bin": "00: up to 0.01", "unit": 'ward "3"'})
    'bin="00: up to 0.01",unit="ward \\"3\\""'
    """
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def braced(labels: str) -> str:
    """Labels behind a name: none, or in braces."""
    return f"{{{labels}}}" if labels else ""


def text_of(name: str, rows: Iterable[Row]) -> str:
    """A family with its series.

    Examples
    --------
    >>> text_of("risk_workers", [("", 1)]).splitlines()[-1]
    'risk_workers 1.0'
    """
    lines = [f"{name}{braced(labels)} {_number(value)}\n" for labels, value in rows]
    return head_of(name) + "".join(lines)


def _number(value: float) -> str:
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
