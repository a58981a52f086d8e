"""Reading branch points: what is not declared, too early or out of order is refused."""

from __future__ import annotations

import pytest

from models.errors import ContentInvalid
from models.vocabulary import load_vocabulary
from models.vocabulary.bands import Bands, Capacity
from models.vocabulary.branch_points import load_branch_points, refuse_early_features

CLINIC = """
id = "pain-clinic"
stage = 2
title_en = "Pain clinic"
title_sv = "Smärtmottagning"
question_en = "Who?"
question_sv = "Vem?"
hook = "patient-view"
intended_purpose = "It is decision support only."
who = "Pain physician"
regulatory_note = "Proposal"
switchable = true
reference_scores = ["sort"]
required = ["age"]
optional = ["sex", "creatinine"]

[maximum_age_hours]
creatinine = 48

[[outcome]]
name = "death_30d"
bands = [{ name = "low", below = 0.1 }, { name = "elevated", below = 0.3 }, { name = "high" }]
band_source = "example"
band_capacity = { start = "elevated", patients_per_100 = 10, source = "example" }

[[outcome]]
name = "length_of_stay_days"

[[action]]
id = "talk"
label_en = "Consider a talk"
label_sv = "Överväg samtal"
outcome = "death_30d"
bands = ["elevated", "high"]
source = "example"
capacity = "1 hour per patient; example"
"""
BANDS = '[{ name = "low", below = 0.1 }, { name = "elevated", below = 0.3 }, { name = "high" }]'
CAPACITY = 'band_capacity = { start = "elevated", patients_per_100 = 10, source = "example" }'
OWN = "outcome `death_30d`, band_capacity"
STAY = '[[outcome]]\nname = "length_of_stay_days"\n'
EXAMPLE = Bands(
    ("low", "elevated", "high"), (0.1, 0.3), "example", Capacity("elevated", 10.0, "example")
)
REFUSED = [
    # old, new, row, rule
    ('id = "pain-clinic"', 'id = "other"', "file", "must equal the file's name `pain-clinic`"),
    ("stage = 2", "stage = 2\nstange = 3", "file", "unknown key `stange`"),
    ("stage = 2", "", "file", "`stage` is missing"),
    ("stage = 2", 'stage = "2"', "file", "`stage` has the wrong type: str"),
    ("stage = 2", "stage = true", "file", "`stage` has the wrong type: bool"),
    ('hook = "patient-view"', "", "file", "`hook` is missing"),
    ('hook = "patient-view"', 'hook = ""', "file", "`hook` is empty"),
    ("switchable = true", "switchable = 1", "file", "`switchable` has the wrong type: int"),
    ('required = ["age"]', "", "file", "`required` is missing"),
    ('required = ["age"]', 'required = ["agee"]', "file", "`agee` is not in the dictionary"),
    ('required = ["age"]', 'required = ["age", "age"]', "file", "names something twice"),
    ('required = ["age"]', "required = [1]", "file", "list of non-empty strings"),
    ('required = ["age"]', 'required = ["age", "sex"]', "file", "both required and optional: sex"),
    ("creatinine = 48", "lactate = 48", "file", "names `lactate`, which is not listed"),
    ("creatinine = 48", "creatinine = 0", "file", "of `creatinine` must be positive"),
    ("creatinine = 48", "creatinine = nan", "file", "of `creatinine` must be positive"),
    ("creatinine = 48", "creatinine = true", "file", "of `creatinine` must be positive"),
    ("creatinine = 48", 'creatinine = "48"', "file", "of `creatinine` must be positive"),
    ("creatinine = 48", "creatinine = 2161", "file", "longer than the dictionary's 2160"),
    ('name = "death_30d"', 'name = "death_31d"', "outcome `death_31d`", "is not declared"),
    ('name = "death_30d"', 'name = "death_30d"\nx = 1', "outcome `death_30d`", "unknown key `x`"),
    (f"bands = {BANDS}", "", "outcome `death_30d`", "needs `bands`, `band_source` and"),
    ('band_source = "example"', "", "outcome `death_30d`", "needs `bands`, `band_source` and"),
    (BANDS, "[]", "outcome `death_30d`", "needs `bands`, `band_source` and"),
    (CAPACITY, "", "outcome `death_30d`", "`band_source` and `band_capacity`"),
    (CAPACITY, 'band_capacity = "much"', "outcome `death_30d`", "has the wrong type: str"),
    ('start = "elevated", ', "", f"{OWN}", "`start` is missing"),
    ('start = "elevated"', 'start = "low"', f"{OWN}", "`start` must be one of elevated, high"),
    ("patients_per_100 = 10", "patients_per_100 = 0", f"{OWN}", "above 0 and at most 100"),
    ("patients_per_100 = 10", "patients_per_100 = 101", f"{OWN}", "above 0 and at most 100"),
    ("patients_per_100 = 10", "patients_per_100 = nan", f"{OWN}", "above 0 and at most 100"),
    ("patients_per_100 = 10", "beds = 10", f"{OWN}", "unknown key `beds`"),
    (', source = "example" }', " }", f"{OWN}", "`source` is missing"),
    ('start = "elevated"', 'start = "high"', "action `talk`", "starts below `high`"),
    ('capacity = "1 hour per patient; example"', "", "action `talk`", "`capacity` is missing"),
    ("1 hour per patient; example", "", "action `talk`", "`capacity` is empty"),
    ("below = 0.3", "below = 0.1", "outcome `death_30d`", "ascend between 0 and 1"),
    ("below = 0.3", "below = 0.05", "outcome `death_30d`", "ascend between 0 and 1"),
    ("below = 0.3", "below = 1.0", "outcome `death_30d`", "ascend between 0 and 1"),
    ("below = 0.1", "below = 0.0", "outcome `death_30d`", "ascend between 0 and 1"),
    ("below = 0.1", "below = nan", "outcome `death_30d`", "`below` must be a number"),
    ("below = 0.1", 'below = "x"', "outcome `death_30d`", "`below` must be a number"),
    ("below = 0.1", "below = true", "outcome `death_30d`", "`below` must be a number"),
    ("below = 0.1", "belov = 0.1", "outcome `death_30d`", "a band has `name` and `below`"),
    ('{ name = "high" }', '"high"', "outcome `death_30d`", "a band has `name` and `below`"),
    ('{ name = "high" }', '{ name = "high", below = 0.9 }', "outcome `death_30d`", "but the last"),
    (', below = 0.3', "", "outcome `death_30d`", "every band but the last needs `below`"),
    ('name = "elevated"', 'name = "raised"', "outcome `death_30d`", "must be different ones of"),
    ('name = "elevated"', 'name = "low"', "outcome `death_30d`", "must be different ones of"),
    ('name = "elevated"', "name = 5", "outcome `death_30d`", "must be different ones of"),
    (
        '{ name = "low", below = 0.1 }, { name = "elevated", below = 0.3 }',
        '{ name = "elevated", below = 0.1 }, { name = "low", below = 0.3 }',
        "outcome `death_30d`",
        "from low to high",
    ),
    (STAY, STAY + f"bands = {BANDS}\n", "outcome `length_of_stay_days`", "has no bands"),
    (STAY, STAY + CAPACITY + "\n", "outcome `length_of_stay_days`", "no `band_capacity`"),
    (STAY, STAY + STAY, "outcome `length_of_stay_days`", "is declared twice"),
    ('id = "talk"', 'id = "talk"\nurgent = true', "action `talk`", "unknown key `urgent`"),
    ('label_sv = "Överväg samtal"', "", "action `talk`", "`label_sv` is missing"),
    ('outcome = "death_30d"', 'outcome = "sepsis"', "action `talk`", "must be a binary outcome"),
    (
        'outcome = "death_30d"',
        'outcome = "length_of_stay_days"',
        "action `talk`",
        "must be a binary outcome",
    ),
    ('bands = ["elevated", "high"]', "bands = []", "action `talk`", "`bands` must be of low"),
    ('bands = ["elevated", "high"]', 'bands = ["intermediate"]', "action `talk`", "must be of low"),
]  # fmt: skip


@pytest.fixture(scope="module")
def product():
    return load_vocabulary()


@pytest.fixture
def load(tmp_path, product):
    def load_text(text, name="pain-clinic"):
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return load_branch_points(tmp_path, product.features, product.outcomes)

    return load_text


@pytest.mark.parametrize(
    ("old", "new", "row", "rule"), REFUSED, ids=[f"{r[1][:30]} | {r[3][:40]}" for r in REFUSED]
)
def test_a_branch_point_that_breaks_a_rule_is_refused_in_one_line(load, old, new, row, rule):
    assert old in CLINIC
    with pytest.raises(ContentInvalid) as refused:
        load(CLINIC.replace(old, new, 1))
    message = str(refused.value)
    assert message.startswith(f"pain-clinic.toml: {row}: ")
    assert rule in message
    assert "\n" not in message


@pytest.mark.parametrize("table", ["outcome", "action"])
def test_an_outcome_or_action_that_is_not_a_table_is_refused(load, table):
    head = CLINIC.split("[maximum_age_hours]")[0]
    other = "action" if table == "outcome" else "outcome"
    with pytest.raises(ContentInvalid, match=f"pain-clinic.toml: {table} .*is not a table"):
        load(head + f"{table} = [1]\n{other} = []\n")


def test_an_action_declared_twice_is_refused(load):
    action = CLINIC[CLINIC.index("[[action]]") :]
    with pytest.raises(ContentInvalid, match="action `talk`: is declared twice"):
        load(CLINIC + action)


def test_a_branch_point_is_read_with_required_inputs_first(load):
    point = load(CLINIC)["pain-clinic"]
    assert point.features == ("age", "sex", "creatinine")
    assert point.maximum_age_hours == {"creatinine": 48.0}
    assert point.outcomes["death_30d"] == EXAMPLE
    assert point.outcomes["length_of_stay_days"] is None
    assert point.actions[0].bands == ("elevated", "high")
    assert point.actions[0].capacity == "1 hour per patient; example"


def test_branch_points_come_in_the_order_of_care(load):
    load(CLINIC.replace("pain-clinic", "b").replace("stage = 2", "stage = 1"), "b")
    load(CLINIC.replace("pain-clinic", "a").replace("stage = 2", "stage = 7"), "a")
    assert list(load(CLINIC)) == ["b", "pain-clinic", "a"]


def test_a_folder_without_files_holds_no_branch_points(tmp_path, product):
    assert load_branch_points(tmp_path, product.features, product.outcomes) == {}


def test_a_feature_that_cannot_be_known_yet_is_refused(load, product):
    late = load(CLINIC.replace('"creatinine"]', '"creatinine", "injury_iss"]'))
    with pytest.raises(
        ContentInvalid,
        match=r"pain-clinic.toml: feature `injury_iss`: cannot be known before `discharge` \(stage 5\)",
    ):
        refuse_early_features({**product.branch_points, **late}, product.features, "features.toml")


def test_a_feature_whose_first_branch_point_does_not_exist_is_refused(product):
    without = {k: v for k, v in product.branch_points.items() if k != "discharge"}
    with pytest.raises(
        ContentInvalid,
        match=r"features.toml: feature .*`earliest` is `discharge`, which is no branch",
    ):
        refuse_early_features(without, product.features, "features.toml")


@pytest.mark.parametrize(
    ("probability", "band"),
    [(0.0, "low"), (0.0999, "low"), (0.1, "elevated"), (0.3, "high"), (1.0, "high")],
)
def test_a_limit_belongs_to_the_band_above_it(probability, band):
    assert EXAMPLE.band(probability) == band
