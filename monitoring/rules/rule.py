"""What a file of rules is made of, and how it is written for Prometheus and for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import dedent, indent, wrap
from typing import Literal

Severity = Literal["critical", "warning", "info"]
"""critical: somebody is called; warning: looked at on the same day; info: read at the next review."""


def promql(text: str) -> str:
    """An expression as it was laid out in the source, without the source's indentation."""
    return dedent(text).strip("\n")


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule; `note` stands above it as a comment."""

    record: str
    expr: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert.

    Attributes
    ----------
    wait : str
        How long the condition must hold.
    summary, description : str
        What people read: Go templates over labels and value, never a patient's data.
    labels : tuple of (str, str)
        Further fixed labels.
    """

    name: str
    expr: str
    wait: str
    severity: Severity
    summary: str
    description: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, at the same moment."""

    name: str
    interval: str
    about: str
    rules: Sequence[Recording | Alert] = field(default_factory=tuple)


def anchor(alert: str) -> str:
    """The anchor of an alert's section in the runbooks.

    Examples
    --------
    >>> anchor("RiskLedgerDown")
    'riskledgerdown'
    """
    return alert.lower()


def as_yaml(groups: Sequence[Group], heading: str, runbooks: str) -> str:
    """A rule file for Prometheus.

    Parameters
    ----------
    heading : str
        Comment at the top.
    runbooks : str
        Page of the runbooks; an alert's `runbook_url` is this page with the alert's anchor.
    """
    lines = [*_comment(heading, 0), "groups:"]
    for group in groups:
        lines += ["", *_comment(group.about, 2), f"  - name: {group.name}"]
        lines += [f"    interval: {group.interval}", "    rules:"]
        for rule in group.rules:
            if isinstance(rule, Recording):
                lines += [*_comment(rule.note, 6), f"      - record: {rule.record}"]
                lines += _expression(rule.expr)
            else:
                lines += _alert(rule, runbooks)
    return "\n".join(lines) + "\n"


def _alert(alert: Alert, runbooks: str) -> Iterator[str]:
    yield f"      - alert: {alert.name}"
    yield from _expression(alert.expr)
    yield f"        for: {alert.wait}"
    yield "        labels:"
    for name, value in (("severity", alert.severity), *alert.labels):
        yield f"          {name}: {value}"
    yield "        annotations:"
    # A string of JSON is one of YAML, and templates are full of braces and quotes.
    yield f"          summary: {json.dumps(alert.summary, ensure_ascii=False)}"
    yield f"          description: {json.dumps(alert.description, ensure_ascii=False)}"
    yield f"          runbook_url: {json.dumps(f'{runbooks}#{anchor(alert.name)}')}"


def _expression(expr: str) -> Iterator[str]:
    if "\n" not in expr and ": " not in expr and "#" not in expr:
        yield f"        expr: {expr}"
        return
    yield "        expr: |"
    yield indent(expr, " " * 10)


def _comment(text: str, depth: int) -> list[str]:
    lead = " " * depth + "# "
    return [lead + line for line in wrap(text, 100 - len(lead))]
