"""The declarations of the charts: what they are, that each has a source, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from models.errors import ContentInvalid
from monitoring.cusum import load_design
from monitoring.cusum.design import OWN_DESIGN


def test_the_product_s_own_design():
    design = load_design()
    assert design.odds_ratios == {"worse": 2.0, "better": 0.5}
    assert design.false_alarm_probability == 0.05
    assert design.fewest_patients == 100
    assert design.patients == 2000
    assert isinstance(design.patients, int)


def test_every_declaration_says_why_and_from_where():
    for row in tomllib.loads(OWN_DESIGN.read_text(encoding="utf-8")).values():
        assert len(row["why"]) > 40
        assert "product proposal" in row["source"] or "wittenberg/vlad" in row["source"]


def test_a_site_may_have_its_own(tmp_path: Path):
    own = tmp_path / "cusum.toml"
    own.write_text(OWN_DESIGN.read_text().replace("value = 2000", "value = 500"))
    assert load_design(own).patients == 500


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("value = 2.0", "value = 1", "above 1"),
        ("value = 0.5", "value = 1.0", "above 0 and below 1"),
        ("value = 0.5", "value = 0", "above 0 and below 1"),
        ("value = 0.05", "value = 5", "above 0 and below 1"),
        ("value = 0.05", "value = nan", "above 0 and below 1"),
        ("value = 2.0", "value = inf", "above 1"),
        ("value = 2000", "value = 2000.5", "whole number"),
        ("value = 100", "value = 0", "whole number"),
        ("value = 100", "value = true", "wrong type"),
        ("value = 100", 'value = "100"', "wrong type"),
        ("value = 100", "amount = 100", "unknown key"),
        ('source = "product proposal"', "", "`source` is missing"),
        ("[fewest_patients]", "[fewest]", "unknown key"),
    ],
)
def test_what_is_no_design_is_refused(tmp_path: Path, old: str, new: str, rule: str):
    own = tmp_path / "cusum.toml"
    content = OWN_DESIGN.read_text(encoding="utf-8")
    assert old in content
    own.write_text(content.replace(old, new), encoding="utf-8")
    with pytest.raises(ContentInvalid, match=rule):
        load_design(own)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ContentInvalid, match=r"none\.toml"):
        load_design(tmp_path / "none.toml")
