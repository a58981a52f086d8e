"""The text that Prometheus scrapes (format 0.0.4), straight from labels and numbers.

References
----------
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isnan

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """Series of one name.

    Parameters
    ----------
    name : str
        A counter's ends in `_total`.
    kind : {"counter", "gauge", "histogram"}
    help : str
        One sentence.

    Raises
    ------
    ValueError
        When name and kind do not fit.
    """

    name: str
    kind: str
    help: str

    def __post_init__(self) -> None:
        if self.kind not in (COUNTER, GAUGE, HISTOGRAM):
            raise ValueError(f"`{self.name}` is no {self.kind}")
        if (self.kind == COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"`{self.name}`: counters end in _total, and nothing else does")


Row = tuple[str, float] | tuple[str, float, str]
"""Labels as `labelled` makes them, a value, and what follows the name: a histogram's `_bucket`."""


def labelled(labels: Mapping[str, str]) -> str:
    r"""Labels as they stand between the braces; worth keeping, they cost more than the number.

    Examples
    --------
    >>> labelled({"bin": "00: up to 0.01", "unit": 'ward "3"'})
    'bin="00: up to 0.01",unit="ward \\"3\\""'
    """
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def rendered(families: Iterable[tuple[Family, Iterable[Row]]]) -> bytes:
    """The text of some families, each named once, in UTF-8.

    Examples
    --------
    >>> up = Family("risk_ledger_up", "gauge", "1 while the ledger can record.")
    >>> print(rendered([(up, [("", 1), ('ledger="a"', 0.5)])]).decode(), end="")
    # HELP risk_ledger_up 1 while the ledger can record.
    # TYPE risk_ledger_up gauge
    risk_ledger_up 1
    risk_ledger_up{ledger="a"} 0.5
    """
    lines: list[str] = []
    for family, rows in families:
        told = family.help.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"# HELP {family.name} {told}\n# TYPE {family.name} {family.kind}\n")
        for labels, value, *suffix in rows:
            name = family.name + suffix[0] if suffix else family.name
            braces = f"{{{labels}}}" if labels else ""
            lines.append(f"{name}{braces} {_number(value)}\n")
    return "".join(lines).encode()


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(int(value))
    if isnan(value):
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
