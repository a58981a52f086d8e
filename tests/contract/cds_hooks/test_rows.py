"""Every row of the checklist of CDS Hooks 2.0 has its test, and it asks the running service.

The rows are numbered by section: A transport, B discovery, C templates, D requests, E statuses, F cards,
G system actions, H feedback, I clients, J browsers, K contexts. A test bears its row's number.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROWS = {"A": 5, "B": 10, "C": 7, "D": 15, "E": 6, "F": 14, "G": 2, "H": 9, "I": 11, "J": 1, "K": 4}
"""How many rows a section has: must, should, and what is left to us."""
OF_THE_DOCUMENT = {"B3", "B4", "B6", "B7", "B8", *(f"C{number}" for number in range(1, 8))}
"""Read in the checked-in discovery document, which B1 finds to be what HTTP gives, value for value."""
ELSEWHERE = {"I10"}
"""Client certificates, a choice of ours: tests/functional/test_authentication.py."""
OVER_HTTP = {"Ehr", "Service", "running_service", "Client"}
"""What asks over HTTP: a fixture of such a type, or a service that the test starts itself."""
NUMBERED = re.compile(r"test_([a-k])(\d+)(?:_to_[a-k](\d+))?_")


def uses_by_row() -> dict[str, set[str]]:
    """Row to the names that its tests use, those in the types of their parameters included."""
    found: dict[str, set[str]] = {}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        for test in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(test, ast.FunctionDef) or not (name := NUMBERED.match(test.name)):
                continue
            used = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
            used |= {node.attr for node in ast.walk(test) if isinstance(node, ast.Attribute)}
            first, last = int(name[2]), int(name[3] or name[2])
            for number in range(first, last + 1):
                found.setdefault(f"{name[1].upper()}{number}", set()).update(used)
    return found


def test_every_row_has_a_test_of_its_number():
    rows = {f"{section}{n}" for section, count in ROWS.items() for n in range(1, count + 1)}
    assert len(rows) == 84
    assert uses_by_row().keys() == rows - ELSEWHERE


def test_every_row_is_tried_over_http_or_on_the_document_that_http_gives():
    dry = {row for row, used in uses_by_row().items() if not used & OVER_HTTP}
    assert dry == OF_THE_DOCUMENT
