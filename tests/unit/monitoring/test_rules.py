"""The files of rules: written as checked in, readable, and as a site wants them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitoring.rules import (
    ALERTS_FILE,
    RECORDING_FILE,
    Alert,
    Group,
    ThresholdsInvalid,
    alerts,
    recordings,
    write_rules,
)
from monitoring.rules.rule import as_yaml
from monitoring.rules.thresholds import THRESHOLDS_FILE, load_thresholds, number
from tests.lib.service import run_command

OURS = Path("monitoring/rules")
ROW = 'meaning = "as the committee decided"\nsource = "minutes"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def test_the_files_that_are_checked_in_are_what_the_code_writes(tmp_path: Path):
    for written in write_rules(tmp_path / "new" / "folder"):
        assert written.read_text() == (OURS / written.name).read_text(), "run `risk-monitor rules`"


def test_the_command_writes_them_where_it_is_told(tmp_path: Path):
    done = run_command("risk-monitor", "rules", "--output", str(tmp_path / "rules"), var=tmp_path)
    files = [tmp_path / "rules" / name for name in (RECORDING_FILE, ALERTS_FILE)]
    assert done.stdout.split() == [str(file) for file in files]
    assert [f.read_text() for f in files] == [(OURS / f.name).read_text() for f in files]


def test_yaml_reads_back_every_rule_as_it_was_meant(tmp_path: Path):
    write_rules(tmp_path)
    for name, groups in ((RECORDING_FILE, recordings()), (ALERTS_FILE, alerts())):
        read = yaml.safe_load((tmp_path / name).read_text())["groups"]
        assert [group["name"] for group in read] == [group.name for group in groups]
        for group, meant in zip(read, groups, strict=True):
            expressions = [rule["expr"].strip() for rule in group["rules"]]
            assert expressions == [rule.expr for rule in meant.rules]


@given(
    summary=st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Cn", "Zl", "Zp"))),
    expr=st.sampled_from(["up == 0", "a\n/\nb > 1", 'x{bin="00: up to 1"} > 0', "y # why"]),
)
def test_what_an_alert_says_survives_the_file(summary: str, expr: str):
    """Braces, quotes, colons and hashes mean something to YAML."""
    alert = Alert("RiskX", expr, "5m", "info", summary, f"{{{{ $value }}}} {summary}")
    text = as_yaml([Group("g", "1m", "About: this.", [alert])], "Heading.", "page.md")
    ((group,),) = (yaml.safe_load(text)["groups"],)
    (rule,) = group["rules"]
    assert rule["expr"].strip() == expr
    assert rule["annotations"]["summary"] == summary
    assert rule["annotations"]["description"] == f"{{{{ $value }}}} {summary}"
    assert rule["annotations"]["runbook_url"] == "page.md#riskx"


@given(st.floats(0, 1e9, exclude_max=True))
def test_a_threshold_is_written_to_twelve_digits(value: float):
    assert float(number(value)) == pytest.approx(value, rel=1e-11)


def test_a_site_moves_a_threshold_and_the_address_of_its_runbooks(tmp_path: Path, site: Path):
    site.write_text(f"[psi_large]\nvalue = 0.3\n{ROW}")
    write_rules(tmp_path, thresholds=site, runbooks="https://wiki.example/risk")
    text = (tmp_path / ALERTS_FILE).read_text()
    assert "> 0.3\n" in text
    assert "> 0.25\n        for: 1h" not in text
    assert '"https://wiki.example/risk#riskledgerdown"' in text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"[psi_larg]\nvalue = 0.3\n{ROW}", "unknown threshold psi_larg"),
        ('[psi_large]\nvalue = 0.3\nmeaning = "x"\n', "psi_large needs exactly"),
        (f"[psi_large]\nvalue = -1\n{ROW}", "psi_large needs a number"),
        (f"[psi_large]\nvalue = nan\n{ROW}", "psi_large needs a number"),
        (f"[psi_large]\nvalue = true\n{ROW}", "psi_large needs a number"),
        ('[psi_large]\nvalue = 1\nmeaning = " "\nsource = "x"\n', "a meaning and a source"),
        ("psi_large = 0.3\n", "psi_large needs exactly"),
        ("[psi_large\n", "not TOML"),
    ],
)
def test_a_file_of_thresholds_that_cannot_be_used_names_the_row(
    tmp_path: Path, site: Path, content: str, why: str
):
    site.write_text(content)
    with pytest.raises(ThresholdsInvalid, match=why):
        write_rules(tmp_path / "rules", thresholds=site)
    assert not (tmp_path / "rules").exists()


@pytest.mark.parametrize("name", load_thresholds())
def test_every_threshold_is_used(name: str, tmp_path: Path, site: Path):
    """Another value of it changes a file."""
    site.write_text(f"[{name}]\nvalue = 0.1234567\n{ROW}")
    before = {file.name: file.read_text() for file in write_rules(tmp_path / "ours")}
    after = {f.name: f.read_text() for f in write_rules(tmp_path / "site", thresholds=site)}
    assert before != after


def test_no_value_of_ours_loses_digits_where_it_is_written():
    assert all(float(number(value)) == value for value in load_thresholds().values())
    assert THRESHOLDS_FILE.stat().st_size > 0
