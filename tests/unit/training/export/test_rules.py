"""`disclosure.toml`: every feature has one rule, every rule a source, and what cannot hold is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from models.errors import ContentInvalid
from models.vocabulary import Vocabulary
from training.export import OWN_RULES, ExportRefused, Rules, load_rules
from training.sources.source import load_source, source_names

TEXT = OWN_RULES.read_text(encoding="utf-8")


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = tmp_path / "disclosure.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return path


def test_every_feature_of_the_dictionary_has_a_rule(rules: Rules, vocabulary: Vocabulary):
    kept = {feature.name for feature in rules.kept(vocabulary.features.values())}
    codes = {f.name for f in vocabulary.features.values() if f.kind == "code"}
    assert kept == set(vocabulary.features) - codes
    assert codes <= rules.dropped


def test_everything_demographic_is_a_quasi_identifier(rules: Rules, vocabulary: Vocabulary):
    demographic = {f.name for f in vocabulary.features.values() if f.group == "demographics"}
    assert demographic <= set(rules.ladders)


def test_the_house_asks_for_five_alike_and_two_outcomes(rules: Rules):
    assert (rules.k, rules.l, rules.largest_left_out) == (5, 2, 0.05)


@pytest.mark.parametrize("name", source_names())
def test_every_source_has_a_sensitive_outcome(name: str, rules: Rules, vocabulary: Vocabulary):
    outcomes = {label.outcome for label in load_source(name, vocabulary).labels}
    assert outcomes & set(rules.sensitive)


def test_every_row_says_why_and_whence():
    document = tomllib.loads(TEXT)
    for table in ("quasi_identifier", "sensitive", "measured", "drop"):
        for row in document[table]:
            assert row["why"].strip()
            assert row["source"].strip()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("k = 5", "k = 4", "`k` must be at least 5"),
        ("l = 2", "l = 1", "`l` must be at least 2"),
        ("= 0.05", "= 0.6", "largest_left_out"),
        ("= 0.05", "= nan", "largest_left_out"),
        ('version = "1"', 'version = "1"\nextra = 1', "unknown key `extra`"),
        ('feature = "age"', 'feature = "ages"', "must be one of"),
        ('feature = "sex"', 'feature = "age"', "declared twice"),
        ('feature = "sex"', 'feature = "diagnosis"', "code carries no number"),
        ("{ width = 5 }, { width = 10 }, { width = 20 }, { suppress = true }]\nweight",
         "{ width = 10 }, { width = 15 }, { suppress = true }]\nweight", "lie within"),
        ("{ width = 20 }, { suppress = true }]\nweight = 3", "{ width = 20 }]\nweight = 3",
         "last step"),
        ("weight = 3", "weight = 0", "weight"),
        ("{ width = 1 }", "{ width = 1, limits = [3] }", "exactly one"),
        ("{ width = 1 }", "{ widths = 1 }", "exactly one"),
        ("{ width = 1 }", "{ width = -1 }", "positive"),
        ("{ width = 1 }", '{ merge = { a = "b" } }', "no step `merge`"),
        ("limits = [9, 13, 17]", "limits = [13, 9]", "ascending"),
        ("written = [7, 11, 15, 18]", "written = [7, 11, 15]", "one number more"),
        ("written = [7, 11, 15, 18]", "written = [7, 13, 15, 18]", "in its band"),
        ("written = [7, 11, 15, 18]", "written = [7, 11.0001, 15, 18]", "in its band"),
        ("written = [3, 6]", "written = [3.5, 6]", "in its band"),
        (", written = [3, 6]", "", "`written` goes with `limits`"),
        ("{ width = 1 }", "{ width = 1, written = [3] }", "`written` goes with `limits`"),
        ('hispanic = "other"', 'hispanic = "martian"', "categories that `race_us` has not"),
        ('hispanic = "other"', 'hispanic = "asian"', "merged itself"),
        ("steps = [{ exact = true }", "steps = [{ exact = false }", "must be true"),
        ('outcome = "death_60d"', 'outcome = "length_of_stay_days"', "must be binary"),
        ('outcome = "death_60d"', 'outcome = "death_61d"', "must be one of"),
        ('groups = ["vital_sign"', 'groups = ["vital"', "no such group"),
        ('features = ["procedure_code"', 'features = ["procedure_cod"', "not in the dictionary"),
        ('features = ["procedure_code"', 'features = ["age"', "quasi_identifier rule too"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_hold_is_refused_by_name(
    tmp_path: Path, vocabulary: Vocabulary, old: str, new: str, message: str
):
    with pytest.raises(ContentInvalid, match=message):
        load_rules(vocabulary, changed(tmp_path, old, new))


def test_a_feature_without_a_rule_stops_the_export(tmp_path: Path, vocabulary: Vocabulary):
    rules = load_rules(vocabulary, changed(tmp_path, '"laboratory", ', ""))
    with pytest.raises(ExportRefused, match="no rule covers creatinine"):
        rules.kept([vocabulary.features["creatinine"], vocabulary.features["age"]])
