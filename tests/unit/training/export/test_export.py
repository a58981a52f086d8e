"""From rows to what leaves."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from training.export import ExportRefused, ExportRow
from training.export.attacks import attack

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what its plotting imports warn of is not ours
    import pandas as pd
    from pycanon.anonymity import k_anonymity, l_diversity


def frame(made) -> pd.DataFrame:
    head, *body = made.lines()
    return pd.DataFrame(body, columns=head)


def alike(patient, n, **sent):
    """n patients who look alike, every second one with a complication."""
    return [patient(any_complication=float(i % 2), **sent) for i in range(n)]


ONE = {"age": 62.0, "sex": "male", "procedure_group": "spinal_fusion", "asa_band": "III"}


def test_a_row_has_no_place_for_an_identifier_or_a_date():
    assert {field.name for field in fields(ExportRow)} == {
        "measurements", "labels", "held_out", "protected",
    }  # fmt: skip


def test_k_and_l_hold_on_what_is_written(export, patients):
    made = export(patients)
    names = [ladder.feature.name for ladder in made.ladders]
    assert names == ["age", "sex", "bmi", "procedure_group"]
    written = frame(made)
    assert made.k == k_anonymity(written, names) >= 5
    assert dict(made.l) == {"any_complication": l_diversity(written, names, ["any_complication"])}
    assert made.l["any_complication"] >= 2
    assert 0 < sum(made.left_out.values()) <= 0.05 * len(patients)
    assert made.rows_in == len(patients)
    assert len(made.numbers) == made.rows_in - sum(made.left_out.values())


def test_a_rare_patient_is_left_out_and_counted(export, patient):
    rows = alike(patient, 100, **ONE) + alike(patient, 4, **(ONE | {"sex": "female"}))
    made = export(rows)
    assert made.left_out == {"protected_identity": 0, "small_class": 4, "outcome_follows": 0}
    assert {line[2] for line in made.lines()[1:]} == {"male"}


def test_five_alike_may_leave(export, patient):
    rows = alike(patient, 100, **ONE) + alike(patient, 5, **(ONE | {"sex": "female"}))
    made = export(rows)
    assert made.k == 5
    assert sum(made.left_out.values()) == 0


def test_a_group_that_all_escaped_a_sensitive_outcome_is_left_out(export, patient):
    spared = [patient(any_complication=0.0, **(ONE | {"sex": "female"})) for _ in range(5)]
    made = export(alike(patient, 100, **ONE) + spared)
    assert made.left_out["outcome_follows"] == 5


def test_a_group_that_all_had_a_rare_outcome_is_left_out(export, patient):
    dead = [
        patient(any_complication=float(i % 2), death_30d=1.0, **(ONE | {"sex": "female"}))
        for i in range(5)
    ]
    made = export(alike(patient, 100, **ONE) + dead)
    assert made.left_out["outcome_follows"] == 5


def test_a_required_input_is_told_even_where_leaving_it_out_would_lose_less(export, patient, rules):
    """Three operations, each at eight body mass indices: one of the two has to give way."""
    light = replace(rules.ladders["procedure_group"], weight=0.01)
    rows = [
        patient(age=62.0, procedure_group=name, bmi=16.0 + 5 * i, any_complication=float(j))
        for name in ("colorectal_resection", "arthroplasty_knee", "spinal_fusion")
        for i in range(8)
        for j in range(2)
    ]
    made = export(rows, rules=replace(rules, ladders={**rules.ladders, "procedure_group": light}))
    assert made.generalised()["procedure_group"] == "as it is"
    assert made.generalised()["bmi"] != "bands of 2.5 kg/m2, written as their middle"


def test_protected_patients_never_leave_and_are_counted(export, patient):
    rows = alike(patient, 100, **ONE)
    hidden = alike(patient, 7, protected=True, **(ONE | {"bmi": 33.3}))
    made = export(rows + hidden)
    assert made.left_out["protected_identity"] == 7
    assert made.rows_in == 107
    assert [line[1:] for line in made.lines()] == [line[1:] for line in export(rows).lines()]


def test_the_oldest_are_ninety(export, patient):
    rows = [*alike(patient, 60, **ONE), *alike(patient, 60, **(ONE | {"age": 104.0}))]
    made = export(rows)
    assert {line[1] for line in made.lines()[1:]} == {"62.5", "90"}
    assert made.hits["top_coded.age"] == 60


def test_what_the_service_would_set_aside_is_dropped_and_counted(export, patient):
    made = export([*alike(patient, 60, **ONE), *alike(patient, 6, **ONE, charlson_index=4000.0)])
    assert made.hits == {"set_aside.implausible_value.charlson_index": 6}
    assert np.isnan(made.values[:, made.features.index(made.features[5])]).all()


def test_codes_never_leave(export, patient):
    made = export(
        alike(patient, 60, **ONE, diagnosis="S72.0"), features=("age", "sex", "diagnosis")
    )
    assert "diagnosis" not in made.lines()[0]
    assert made.hits["dropped.diagnosis"] == 60


def test_held_out_rows_stay_held_out_and_no_others_do(export, patients):
    made = export(patients)
    index = {id(row): i for i, row in enumerate(patients)}
    assert len(index) == len(patients)
    for number, place in zip(made.numbers, made.arrival, strict=True):
        assert (number % 4 == 0) == patients[place].held_out
    assert made.held_out == sum(patients[i].held_out for i in made.arrival)
    assert len(set(made.numbers)) == len(made.numbers)


def test_held_out_rows_can_stay_at_home(export, patients):
    made = export(patients, with_held_out=False)
    assert made.held_out == 0
    assert made.rows_in == sum(not row.held_out for row in patients)


def test_the_order_of_arrival_leaves_no_trace(export, patients):
    assert export(patients).lines() == export(patients[::-1]).lines()


def test_labels_follow_their_patients(export, patients):
    made = export(patients)
    for line, place in zip(made.lines()[1:], made.arrival, strict=True):
        assert line[-2] == str(int(patients[place].labels["any_complication"]))


def test_an_unknown_label_is_an_empty_cell(export, patient):
    rows = alike(patient, 50, **ONE) + [patient(any_complication=None, **ONE) for _ in range(5)]
    assert Counter(line[-2] for line in export(rows).lines()[1:]) == {"0": 25, "1": 25, "": 5}


@pytest.mark.parametrize("n", [0, 4])
def test_too_few_rows_are_refused(export, patient, n):
    with pytest.raises(ExportRefused, match="fewer than 5 rows"):
        export(alike(patient, n, **ONE))


def test_rows_that_all_had_the_same_outcome_are_refused(export, patient):
    with pytest.raises(ExportRefused, match="too few or their outcomes too alike"):
        export([patient(**ONE) for _ in range(50)])


def test_outcomes_that_nobody_declared_sensitive_are_refused(export, patients):
    with pytest.raises(ExportRefused, match="death_30d is declared sensitive"):
        export(patients, outcomes=("death_30d",))


def test_an_export_does_not_show_its_rows(export, patients):
    assert "array" not in repr(export(patients))


# ---------------------------------------------------------------- attacks


def verdicts(made, rules):
    return {tried.name: tried.verdict for tried in attack(made, rules)}


def test_every_attack_but_knowing_the_record_is_blocked(export, patients, rules):
    found = verdicts(export(patients), rules)
    assert found.pop("knowing the record") == "ALLOWED"
    assert set(found.values()) == {"BLOCKED"}
    assert len(found) == 7


class Leaking:
    """An export whose sheet was changed after the rules had been applied."""

    def __init__(self, made, change):
        self._made, self._change = made, change

    def __getattr__(self, name):
        return getattr(self._made, name)

    def lines(self):
        return self._change([list(line) for line in self._made.lines()])


def _cell(column, text):
    def change(lines):
        lines[3][lines[0].index(column)] = text
        return lines

    return change


def _column(lines):
    return [[*line, "x"] for line in lines]


def _same_outcome(lines):
    for line in lines[1:]:
        line[-2] = "1"
    return lines


@pytest.mark.parametrize(
    ("attack_name", "change"),
    [
        ("identifiers", _cell("bmi", "195009072553")),
        ("identifiers", _cell("charlson_index", "19500907-2553")),
        ("columns", _column),
        ("oldest patients", _cell("age", "97")),
        ("singling out", _cell("age", "33.25")),
        ("linkage", _cell("age", "33.25")),
        ("what happened", _same_outcome),
    ],
)
def test_an_attack_finds_what_it_is_for(export, patients, rules, attack_name, change):
    assert verdicts(Leaking(export(patients), change), rules)[attack_name] == "ALLOWED"


def test_rows_in_the_order_of_the_source_are_found(export, patients, rules):
    made = export(patients)

    class Ordered(Leaking):
        arrival = np.sort(made.arrival)

    assert verdicts(Ordered(made, list), rules)["row order"] == "ALLOWED"
