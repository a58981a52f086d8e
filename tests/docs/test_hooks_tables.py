"""The tables of `app/README.md` about our own hooks are those that the program loads."""

from __future__ import annotations

import re
from pathlib import Path

from app.cds_hooks.hooks import load_hooks
from models.vocabulary import load_vocabulary

README = (Path(__file__).parents[2] / "app" / "README.md").read_text(encoding="utf-8")
HOOKS = load_hooks()


def test_every_hook_of_our_own_stands_in_the_table_with_its_branch_point():
    points = load_vocabulary().branch_points.values()
    expected = {(point.hook, point.id) for point in points if "." in point.hook}
    assert {hook for hook, _ in expected} == {name for name in HOOKS.declared if "." in name}
    table = set(re.findall(r"^\| `(se\.[a-z.-]+)` \| `([a-z-]+)` \|", README, re.MULTILINE))
    assert table == expected


def test_the_context_table_is_that_of_the_hooks():
    hook = HOOKS.get("se.complication-risk.trauma-alert")
    assert hook is not None
    expected = [
        (f.field, "yes" if f.required else "no", "yes" if f.token else "no", f.type)
        for f in hook.context
    ]
    row = r"^\| `(\w+)` \| (yes|no) \| (yes|no) \| (string|array|object) \|"
    assert re.findall(row, README, re.MULTILINE) == expected
