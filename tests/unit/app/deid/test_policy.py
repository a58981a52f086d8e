"""The policy covers every field, each rule has a source, and the code names only rules there are."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

import app.deid
from app.deid import POLICY, POLICY_VERSION, policy_digest
from app.deid.policy import APPLIES_TO, FILE, load_policy
from app.schemas.assessment_request import FIELDS, MEASUREMENT_KEYS
from models.errors import ContentInvalid
from models.vocabulary.features import KINDS

FOLDER = Path(app.deid.__file__).parent


def test_every_field_of_a_request_has_a_rule():
    covered = {rule.applies_to for rule in POLICY.rules.values()}
    assert set(FIELDS) - {"measurements"} <= covered
    assert {f"measurement.{kind}" for kind in KINDS} <= covered
    assert {f"measurement.{key}" for key in MEASUREMENT_KEYS - {"value"}} <= covered
    assert {"unknown_name", "free_text", "request.other"} <= covered
    assert covered == set(APPLIES_TO)


def test_every_rule_is_cited_by_the_code_and_every_cited_rule_exists():
    code = (FOLDER / "inspection.py").read_text(encoding="utf-8")
    cited = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', code))
    # Made of two halves: subject_keyed, unit_protected, implausible_not_kept and their like.
    made = {
        f"{left}_{right}"
        for left in ("subject", "episode", "unit", "implausible", "untimely")
        for right in ("keyed", "protected", "blank", "undeclared", "not_kept")
    }
    assert set(POLICY.rules) <= cited | made
    for rule in re.findall(r'_row\([^)]*"([a-z_]+)"\)', code):
        assert rule in POLICY.rules


@pytest.mark.parametrize("rule", POLICY.rules.values(), ids=POLICY.rules)
def test_every_rule_says_what_happens_in_two_languages_and_why(rule):
    assert len(rule.how_en.split()) >= 3
    assert len(rule.how_sv.split()) >= 3
    assert rule.how_en != rule.how_sv
    assert len(rule.source) > 10
    assert "anonym" not in (rule.how_en + rule.how_sv).lower().replace("pseudonym", "")


def test_nothing_passes_without_having_been_named():
    """Only declared names, types and forms are kept; all else is coarsened, keyed or stopped."""
    kept = {rule.applies_to for rule in POLICY.rules.values() if rule.action == "keep"}
    assert kept == {
        "unit", "measurement.category", "measurement.flag", "outcomes", "include",
        "protected_identity",
    }  # fmt: skip
    for field in ("unknown_name", "free_text", "request.other"):
        assert {r.action for r in POLICY.rules.values() if r.applies_to == field} == {"refuse"}


def test_version_and_digest_are_those_of_the_file(tmp_path):
    assert f'\nversion = "{POLICY_VERSION}"\n' in FILE.read_text(encoding="utf-8")
    assert policy_digest == POLICY.digest == load_policy().digest
    # Four digits and a year of minutes: what the code coarsens by is a part of the policy.
    assert policy_digest == "sha256:" + sha256(FILE.read_bytes() + b"\n4 525600").hexdigest()
    other = tmp_path / "policy.toml"
    other.write_bytes(FILE.read_bytes() + b"\n")
    assert load_policy(other).digest != policy_digest


REFUSED = [
    ('version = "2"', "", "file: `version` is missing"),
    ('version = "2"', 'version = "2"\nauthor = "x"', "unknown key `author`"),
    ('id = "flag_kept"', 'id = "subject_keyed"', "rule `subject_keyed`: is declared twice"),
    ('id = "flag_kept"', 'id = "flag_kept"\nwhen = "x"', "rule `flag_kept`: unknown key `when`"),
    ('applies_to = "include"', 'applies_to = "everything"', "`applies_to` must be one of"),
    ('applies_to = "include"', 'applies_to = "outcomes"', "file: no rule applies to: include"),
    ('how_en = "Yes or no."', "", "rule `flag_kept`: `how_en` is missing"),
    ('how_en = "Yes or no."', 'how_en = ""', "rule `flag_kept`: `how_en` is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), REFUSED, ids=[r[2] for r in REFUSED])
def test_a_policy_that_breaks_a_rule_is_refused_in_one_line(tmp_path, old, new, words):
    text = FILE.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "policy.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ContentInvalid) as refused:
        load_policy(path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_action_that_there_is_not_and_a_rule_that_is_no_table_are_refused(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(
        FILE.read_text("utf-8").replace('action = "refuse"', 'action = "hide"'), "utf-8"
    )
    with pytest.raises(ContentInvalid, match="`action` must be one of keep, coarsen, key, drop"):
        load_policy(path)
    path.write_text('version = "1"\nrule = [1]\n', "utf-8")
    with pytest.raises(ContentInvalid, match="rule number 1: is not a table"):
        load_policy(path)
