"""A drafted mapping as a person reads it: TOML with what is open in comments, and a report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.file_drop.finding import Finding
from models.vocabulary import Feature


def as_toml(
    head: Mapping[str, Any], time: Mapping[str, str | None], found: Sequence[Finding]
) -> str:
    """A mapping file: what is placed as rows, what is open as comments with the alternatives.

    Parameters
    ----------
    head : mapping
        What holds for the whole file: branch point, encoding, delimiter, decimal, missing.
    time : mapping
        `format` and `zone` of the columns of times; None for a zone that a person must name.
    """
    lines = [f"{key} = {_value(value)}" for key, value in head.items()]
    roles = {f.role: f.column for f in found if f.role not in (None, "time") and f.why is None}
    if "protected" in roles:
        lines.append(f"protected = {_value(roles.pop('protected'))}")
    if time:
        lines += ["", "[time]"]
        if time.get("format"):
            lines.append(f"format = {_value(time['format'])}")
        if "zone" in time:
            lines.append('# zone = "Europe/Stockholm"  # its clocks have no offset: say where')
    if roles:
        lines += ["", "[identity]"]
        lines += [f"{role} = {_value(column)}" for role, column in roles.items()]
    for finding in found:
        if finding.role is not None and finding.why is None:
            continue
        if finding.why is None and finding.feature is not None:
            lines += ["", *_block(finding, finding.feature, finding.unit)]
            continue
        lines += ["", f"# {_value(finding.column)}: {finding.why}."]
        for alternative in finding.alternatives:
            if alternative.share is not None:
                lines.append(f"# {alternative.share:.0%} of its values are plausible so:")
            lines += [
                f"# {line}" for line in _block(finding, alternative.feature, alternative.unit)
            ]
    return "\n".join(lines).lstrip("\n") + "\n"


def _block(finding: Finding, feature: Feature, unit: str | None) -> Iterator[str]:
    yield "[[column]]"
    yield f"column = {_value(finding.column)}"
    yield f"feature = {_value(feature.name)}"
    if unit is not None:
        yield f"unit = {_value(unit)}"
    if finding.values:
        pairs = ", ".join(f"{_value(s)} = {_value(v)}" for s, v in finding.values.items())
        yield f"values = {{ {pairs} }}"
    if finding.missing:
        yield f"missing = {_value(list(finding.missing))}"
    if finding.time is not None:
        yield f"time = {_value(finding.time)}"


def _value(value: Any) -> str:
    # JSON's strings, lists and truths are TOML's, but for the one control character it leaves as is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def as_report(
    found: Sequence[Finding], rows: int, time: Mapping[str, str | None]
) -> dict[str, Any]:
    """What was placed, what was not and why: names, units, counts and shares, never a value."""
    placed, left = [], []
    for finding in found:
        item: dict[str, Any] = {"column": finding.column, "present": finding.present}
        if finding.why is None:
            item |= {"as": finding.role or (finding.feature and finding.feature.name)}
            item |= {"unit": finding.unit, "by": finding.by}
            placed.append(item)
        else:
            item |= {"why": finding.why}
            item["alternatives"] = [
                {"feature": a.feature.name, "unit": a.unit, "plausible_share": a.share}
                for a in finding.alternatives
            ]
            left.append(item)
    return {
        "rows_read": rows,
        "placed": placed,
        "not_placed": left,
        "zone_needed": "zone" in time,
    }
