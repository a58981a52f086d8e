"""The `source.toml` of an export: the mapping by which training reads its rows."""

from __future__ import annotations

import json

from training.export.export import Export
from training.export.manifest import ROWS

HEAD = """\
# How the columns of {rows} become measurements and labels. Made by `risk-train export`; the manifest
# beside it was signed over this file, so a change makes training refuse the folder.
#
# `row` is a number given for this export: it says which rows are held out, and nothing else.
"""


def source_file(export: Export) -> str:
    """Write the mapping in the form that `training.sources.source` loads."""
    origin = export.origin
    lines = [HEAD.format(rows=ROWS)]
    lines += [
        f"{key} = {_text(value)}"
        for key, value in {
            "name": f"{origin.name}_export",
            "title": origin.title,
            "citation": origin.citation,
            "licence": origin.licence,
            "training_data": origin.training_data,
            "branch_point": origin.branch_point,
            "row_id": "row",
        }.items()
    ]
    lines += [f"divisible_by = {origin.divisible_by}", "signed = true", "never = []"]
    for feature in export.features:
        lines += ["", "[[measurement]]", f"column = {_text(feature.name)}"]
        lines.append(f"feature = {_text(feature.name)}")
        if feature.kind == "category":
            pairs = ", ".join(f"{_text(name)} = {_text(name)}" for name in feature.categories)
            lines.append(f"values = {{ {pairs} }}")
        if feature.kind == "flag":
            lines.append('values = { "0" = false, "1" = true }')
    for outcome in export.outcomes:
        rule = "flag" if outcome.kind == "binary" else "number"
        lines += ["", "[[label]]", f"outcome = {_text(outcome.name)}"]
        lines.append(f"{rule} = {_text(outcome.name)}")
    names = {feature.name for feature in export.features}
    groups = {name: limits for name, limits in origin.groups.items() if name in names}
    if groups:
        lines += ["", "[group]"]
        lines += [f"{_text(name)} = {json.dumps(list(limits))}" for name, limits in groups.items()]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
