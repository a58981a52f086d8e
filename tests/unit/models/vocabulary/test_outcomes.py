"""Reading outcomes: an outcome without horizon, unit or word on death is refused."""

from __future__ import annotations

import pytest

from models.errors import ContentInvalid
from models.vocabulary.outcomes import load_outcomes

DEATH = """
[[outcome]]
name = "death_30d"
label_en = "Death within 30 days"
label_sv = "Död inom 30 dagar"
kind = "binary"
horizon_days = 30
family = "mortality"
definition = "Death from any cause."
directions_apply = true
label_source = "example"
source = "example"
"""
STAY = """
[[outcome]]
name = "length_of_stay_days"
label_en = "Length of stay"
label_sv = "Vårdtid"
kind = "numeric"
horizon = "hospital_stay"
unit = "d"
minimum = 0.0
maximum = 400.0
family = "resource"
definition = "Days in hospital."
competing = "death ends the stay"
directions_apply = false
label_source = "example"
source = "example"
"""
REFUSED = [
    (DEATH, 'name = "death_30d"', 'name = "Death 30d"', "`name` must be snake_case"),
    (DEATH, 'source = "example"\n', 'source = "example"\nodds = 1\n', "unknown key `odds`"),
    (DEATH, 'definition = "Death from any cause."', "", "`definition` is missing"),
    (DEATH, "directions_apply = true", 'directions_apply = "yes"', "wrong type: str"),
    (DEATH, "directions_apply = true", "", "`directions_apply` is missing"),
    (DEATH, 'kind = "binary"', 'kind = "survival"', "`kind` must be one of binary, numeric"),
    (DEATH, 'family = "mortality"', 'family = "death"', "`family` must be one of"),
    (DEATH, "horizon_days = 30", "", "either `horizon_days` or"),
    (DEATH, "horizon_days = 30", 'horizon_days = 30\nhorizon = "hospital_stay"', "either"),
    (DEATH, "horizon_days = 30", 'horizon = "for ever"', "`horizon` must be one of"),
    (DEATH, "horizon_days = 30", "horizon_days = 30.5", "wrong type: float"),
    (DEATH, "horizon_days = 30", "horizon_days = true", "wrong type: bool"),
    (DEATH, "horizon_days = 30", "horizon_days = 0", "`horizon_days` must be positive"),
    (DEATH, "horizon_days = 30", "horizon_days = -1", "`horizon_days` must be positive"),
    (DEATH, "horizon_days = 30", 'horizon_days = 30\nunit = "d"', "has no unit and no limits"),
    (DEATH, "horizon_days = 30", "horizon_days = 30\nminimum = 0", "has no unit and no limits"),
    (DEATH, 'family = "mortality"', 'family = "complication"', "how death is treated"),
    (STAY, 'competing = "death ends the stay"', "", "how death is treated"),
    (DEATH, "horizon_days = 30", 'horizon_days = 30\ncompeting_sv = "x"', "needs `competing`"),
    (STAY, 'unit = "d"', "", "needs `unit` and `minimum`"),
    (STAY, "minimum = 0.0", "", "needs `unit` and `minimum`"),
    (STAY, "maximum = 400.0", "maximum = 0.0", "`minimum` must be below `maximum`"),
    (STAY, "maximum = 400.0", "maximum = nan", "`minimum` must be below `maximum`"),
]


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "outcomes.toml"
        path.write_text(text, encoding="utf-8")
        return load_outcomes(path)

    return load_text


@pytest.mark.parametrize(
    ("text", "old", "new", "rule"), REFUSED, ids=[f"{r[2][:30]} | {r[3]}" for r in REFUSED]
)
def test_a_row_that_breaks_a_rule_is_refused_in_one_line(load, text, old, new, rule):
    with pytest.raises(ContentInvalid) as refused:
        load(text.replace(old, new, 1) if old in text else text)
    assert str(refused.value).startswith("outcomes.toml: outcome `")
    assert rule in str(refused.value)
    assert "\n" not in str(refused.value)


def test_outcomes_are_read_in_file_order(load):
    outcomes = load(DEATH + STAY)
    assert list(outcomes) == ["death_30d", "length_of_stay_days"]
    assert outcomes["death_30d"].horizon_days == 30
    assert outcomes["length_of_stay_days"].horizon_days is None
    assert outcomes["length_of_stay_days"].maximum == 400.0


def test_an_outcome_declared_twice_is_refused(load):
    with pytest.raises(ContentInvalid, match="outcome `death_30d`: is declared twice"):
        load(DEATH + DEATH)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ContentInvalid, match=r"outcomes.toml: file: cannot be read"):
        load_outcomes(tmp_path / "outcomes.toml")
