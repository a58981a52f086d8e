"""Every panel asks Prometheus something that it can answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.dashboards import dashboards, write_dashboards
from monitoring.rules import Alert, Recording, alerts, recordings
from monitoring.rules.windows import WINDOWS
from monitoring.series import SERIES
from tests.lib.every_series import HOURS, STEP_S, every_series
from tests.lib.promtool import evaluation_order, inputs, needed, run_tests
from tests.lib.service import run_command

OURS = Path("monitoring/grafana")
PAGES = {page["uid"]: page for page in dashboards()}
CHOSEN = {
    "model": "lungs", "version": "1", "feature": "age", "branch_point": "icu-review", "unit": "icu",
    "__rate_interval": "40m", "__interval": "40m",
}  # fmt: skip
NAME = re.compile(r"(?<![\w:$])risk[_:][\w:]+")
RECORDED = {rule.record for group in recordings() for rule in group.rules}
LARGEST_BYTES = 60_000


def panels(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def filled(text: str, window: str = "1d") -> str:
    """With every variable replaced by a choice."""
    for name, value in {**CHOSEN, "window": window}.items():
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    assert "$" not in text, text
    return text


def queries(page: dict[str, Any]) -> Iterator[str]:
    for panel in panels(page):
        for target in panel["targets"]:
            yield target["expr"]
    for annotation in page["annotations"]["list"]:
        yield annotation["expr"]


@pytest.mark.parametrize("uid", PAGES)
def test_every_panel_shows_something_of_a_service_that_shows_all(uid: str, tmp_path: Path):
    """promtool knows no series but those of the catalogue, and only with the labels that it names.

    A misspelt name or label, and labels that do not match, give nothing or an error.
    """
    asked = {filled(expr) for panel in panels(PAGES[uid]) for expr in _of(panel)}
    run_tests(needed("promtool"), tmp_path, {
        "rule_files": [str(Path("monitoring/rules/recording.yml").absolute())],
        "evaluation_interval": "1h",
        "group_eval_order": evaluation_order(group.name for group in recordings()),
        "tests": [{
            "interval": f"{STEP_S}s",
            "input_series": inputs(list(every_series())),
            "promql_expr_test": [
                {"expr": f"count(({expr})) > bool 0", "eval_time": f"{HOURS}h",
                 "exp_samples": [{"labels": "{}", "value": 1}]}
                for expr in sorted(asked)
            ],
        }],
    })  # fmt: skip


def _of(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


@pytest.mark.parametrize("uid", PAGES)
@pytest.mark.parametrize("window", [one.name for one in WINDOWS])
def test_every_query_names_only_what_is_shown_or_recorded(uid: str, window: str):
    for expr in queries(PAGES[uid]):
        assert set(NAME.findall(filled(expr, window))) <= SERIES.keys() | RECORDED, expr


def test_every_rule_names_only_what_is_shown_or_recorded():
    rules = [rule for group in (*recordings(), *alerts()) for rule in group.rules]
    named = {name for rule in rules for name in NAME.findall(rule.expr)}
    assert named <= SERIES.keys() | RECORDED
    assert {type(rule) for rule in rules} == {Alert, Recording}


def test_nothing_is_counted_that_nobody_looks_at():
    rules = [rule.expr for group in (*recordings(), *alerts()) for rule in group.rules]
    asked = [filled(expr) for page in PAGES.values() for expr in queries(page)]
    named = {name for expr in (*rules, *asked) for name in NAME.findall(expr)}
    of_histograms = {name for name in SERIES if name.endswith(("_sum", "_count"))}
    assert SERIES.keys() - named - of_histograms == set()


@pytest.mark.parametrize("uid", PAGES)
def test_every_choice_is_of_a_label_that_exists_and_every_variable_is_a_choice(uid: str):
    page = PAGES[uid]
    variables = {one["name"]: one for one in page["templating"]["list"]}
    for one in variables.values():
        if one["type"] == "query":
            series, label = re.findall(r"^label_values\((\w+).*, (\w+)\)$", one["definition"])[0]
            assert label == one["name"]
            assert label in SERIES[series]
            used = re.findall(r"(\w+)=~?\"\$\w+\"", one["definition"])
            assert set(used) <= set(SERIES[series])
    definitions = [one.get("definition", "") for one in variables.values()]
    used_anywhere = set(re.findall(r"\$\{?(\w+)", json.dumps([page["panels"], definitions])))
    assert used_anywhere - {"__rate_interval", "__interval"} == variables.keys()


@pytest.mark.parametrize("uid", PAGES)
def test_no_panel_covers_another_and_each_has_a_title_and_a_unit(uid: str):
    taken: set[tuple[int, int]] = set()
    for panel in PAGES[uid]["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["title"]
    assert len({panel["id"] for panel in PAGES[uid]["panels"]}) == len(PAGES[uid]["panels"])
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels(PAGES[uid]))


def test_no_query_of_a_table_keeps_the_series_name():
    """Grafana merges rows where all labels agree, `__name__` among them."""
    targets = [t for page in PAGES.values() for panel in panels(page) for t in panel["targets"]]
    tables = [target["expr"] for target in targets if target.get("format") == "table"]
    assert tables
    assert all(re.match(r"(sum|max) by |\(?1 [-+] |clamp_min\(|2 \* \(", expr) for expr in tables)


def test_limits_rise_and_begin_at_the_lowest():
    """Grafana takes the last step that is not above the value."""
    for page in PAGES.values():
        for panel in panels(page):
            found = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            values = [step["value"] for step in found]
            assert values[0] is None
            assert values[1:] == sorted(values[1:])


def test_most_of_what_is_shown_is_a_picture():
    kinds = [panel["type"] for page in PAGES.values() for panel in panels(page)]
    assert kinds.count("table") + kinds.count("stat") < len(kinds) / 3


def test_the_files_that_are_checked_in_are_what_the_code_writes(tmp_path: Path):
    written = write_dashboards(tmp_path)
    assert {file.name for file in written} == {file.name for file in OURS.glob("*.json")}
    for file in written:
        assert file.read_text() == (OURS / file.name).read_text(), "run `risk-monitor dashboards`"
        assert file.stat().st_size < LARGEST_BYTES


def test_the_command_writes_them_for_another_data_source(tmp_path: Path):
    folder = tmp_path / "mine"
    done = run_command(
        "risk-monitor", "dashboards", "--datasource", "Hospital metrics", "--output", str(folder),
        var=tmp_path,
    )  # fmt: skip
    assert done.stdout.split() == [str(folder / f"{uid}.json") for uid in PAGES]
    for uid in PAGES:
        page = json.loads((folder / f"{uid}.json").read_text())
        (source,) = (one for one in page["templating"]["list"] if one["type"] == "datasource")
        assert source["current"] == {"text": "Hospital metrics", "value": "Hospital metrics"}
        sources = {json.dumps(panel["datasource"]) for panel in panels(page)}
        assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}
