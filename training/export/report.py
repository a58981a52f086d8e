"""The one page that travels with an export, for people who do not program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.export.attacks import Attack

WORDS = {
    "protected_identity": "they live under protected identity",
    "small_class": "there were too few others like them",
    "outcome_follows": "the group of their look-alikes would have given an outcome away",
}
REASONS = {
    "set_aside": "was outside what is plausible, or too old, and was dropped",
    "top_coded": "was above 89 years and is told as 90",
    "dropped": "has a rule that it never leaves",
}


def report(statement: Mapping[str, Any], attacks: Sequence[Attack]) -> str:
    """Write the page from the manifest's statement and the attacks."""
    rows, source, rules = statement["rows"], statement["source"], statement["rules"]
    lines = [
        f"# Training export: {source['title']}",
        "",
        f"Made on {statement['made_on']} by {statement['product']} {statement['version']} for the "
        f"branch point `{source['branch_point']}`. "
        + (
            f"Reviewed by {statement['reviewer']}."
            if statement["reviewer"]
            else "No reviewer is named."
        ),
        "",
        "**These are still personal data** (GDPR, recital 26). Names, identity numbers, dates and row "
        "numbers are gone, and what outsiders know of a patient is told so coarsely that at least "
        f"{statement['k']['achieved']} patients always look alike. But whoever holds a patient's own "
        "laboratory values can still find the row. Hand the folder over only under an agreement, and "
        "keep it as safely as the records it came from.",
        "",
        "## How many",
        "",
        f"* came in: {_count(rows['in'])}",
        f"* leave: {rows['out']} ({rows['fitting']} for fitting, {rows['held_out']} held out)",
    ]
    for reason, count in statement["left_out"].items():
        lines.append(f"* left out because {WORDS[reason]}: {_count(count)}")
    lines += [
        "",
        "Who is left out is not left to chance: rare ages and groups, and groups in which nobody or "
        "everybody had an outcome. The shares below are therefore not those of the source; recalibrate "
        "a model trained on these rows where it is used.",
    ]
    lines += ["", "| outcome | happened | did not | not known |", "|---|---|---|---|"]
    for name, cells in statement["outcomes"].items():
        told = " | ".join(_count(cells[key]) for key in ("event", "no_event", "unknown"))
        lines.append(f"| {name} | {told} |")
    lines += [
        "",
        f"A withheld count is below {statement['k']['asked']}, or kept back so that others cannot be worked out.",
        "",
        "## What outsiders may know",
        "",
    ]
    lines += [
        f"* {item['feature']}: {item['told']} ({item['rung']} of {item['rungs']} steps)"
        for item in statement["quasi_identifiers"]
    ]
    lines += [
        "",
        f"k = {statement['k']['achieved']} (asked: {statement['k']['asked']}): the smallest group of "
        "patients who look alike in all of these. l: how many different outcomes each group holds at "
        f"least (asked: {statement['l']['asked']}).",
        "",
    ]
    lines += [
        f"* l = {found} for {outcome}" for outcome, found in statement["l"]["achieved"].items()
    ]
    lines += ["", "## What the rules did to single values", ""]
    lines += [_hit(rule, count) for rule, count in statement["rule_hits"].items()] or ["* nothing"]
    lines += ["", "## What was tried against it", "", "| | tried | came of it |", "|---|---|---|"]
    lines += [f"| {a.verdict} | {a.tried} | {a.found} |" for a in attacks]
    lines += [
        "",
        *[
            f"`{a.name}` is ALLOWED because no export of single patients can prevent it; it is why "
            "these are personal data."
            for a in attacks
            if a.accepted and not a.blocked
        ],
        "",
        "## How to check it",
        "",
        "`manifest.json` holds the SHA-256 of each file and the signature of the exporter, whose key's "
        f"fingerprint is `{statement['fingerprint']}`: compare it with the exporter by telephone. "
        f"The rules have the SHA-256 `{rules['sha256']}`. Training refuses this folder when one byte "
        "differs.",
        "",
    ]
    return "\n".join(lines)


def _count(count: int | None) -> str:
    return "withheld" if count is None else str(count)


def _hit(rule: str, count: int | None) -> str:
    kind, _, rest = rule.partition(".")
    feature = rest.rpartition(".")[2]
    return f"* {feature} {REASONS[kind]}: {_count(count)}"
