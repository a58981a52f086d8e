"""The exported risks are those of the generator's own mechanism: by hand, and by drawing again."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from training.pathway import Parameters
from training.pathway.course import (
    DEAD,
    MARKS,
    STATE,
    STATES,
    Arrow,
    Chain,
    build_chain,
    walk,
)
from training.pathway.history import History
from training.pathway.labels import Outcomes
from training.pathway.patients import Patients, draw_patients
from training.pathway.truth import BEFORE, truths
from training.pathway.visits import NOT_YET, Scene

STAY, LEAVE, DIE = 0.80, 0.15, 0.05
SEPSIS = MARKS.index("sepsis")


def one(value: float) -> np.ndarray:
    return np.array([value])


def marks(**chances: float) -> np.ndarray:
    column = np.zeros((len(MARKS), 1))
    for name, chance in chances.items():
        column[MARKS.index(name)] = chance
    return column


def tiny_chain(hit: float = 0.0, sepsis: float = 0.0) -> Chain:
    """A stay of one state: each day 0.15 go home for good, 0.05 die, `hit` have a complication."""
    arrows: list[tuple[Arrow, ...]] = [() for _ in STATES]
    early = STATE["early"]
    found = [
        Arrow(early, STATE["convalescent"], one(LEAVE), None),
        Arrow(early, DEAD, one(DIE), None),
    ]
    if hit:
        found.append(Arrow(early, early, one(hit), marks(sepsis=sepsis, any_complication=1.0)))
    arrows[early] = tuple(found)
    stay = [one(1.0) for _ in STATES]
    stay[early] = one(STAY - hit)
    # The other states of a stay are never reached; they may not be a trap for the solver.
    for name in ("late", "recovering", "complicated", "intensive"):
        arrows[STATE[name]] = (Arrow(STATE[name], DEAD, one(1.0), None),)
        stay[STATE[name]] = one(0.0)
    return Chain(tuple(arrows), tuple(stay), (Arrow(-1, early, one(1.0), None),), np.array([0.0]))


@pytest.fixture(scope="module")
def patient(parameters: Parameters) -> Patients:
    """An elective patient; only the chain matters for these tests."""
    drawn = draw_patients(parameters, 64, np.random.default_rng(1))
    place = int(np.flatnonzero(drawn.traits["path:elective"] > 0)[0])
    return several(drawn, place, 1)


def several(drawn: Patients, place: int, count: int) -> Patients:
    traits = {name: np.repeat(values[place], count) for name, values in drawn.traits.items()}
    return Patients(
        MappingProxyType(traits),
        *(np.repeat(column[place], count)
          for column in (drawn.hospital, drawn.procedure, drawn.month, drawn.earlier)),
    )  # fmt: skip


def test_a_stay_with_constant_chances_has_the_risks_of_a_hand_calculation(
    parameters: Parameters, patient: Patients
):
    table = truths(parameters, patient, tiny_chain())
    early = STATE["early"]
    # 0.05 of the 0.20 who leave the state each day die, all others go home and stay well.
    assert table["death_in_hospital"][early, 0] == pytest.approx(0.25)
    assert table["death_30d"][early, 0] == pytest.approx(0.25 * (1 - 0.8**30))
    assert table["death_180d"][early, 0] == pytest.approx(0.25 * (1 - 0.8**180))
    assert table["length_of_stay_days"][early, 0] == pytest.approx(1 / 0.20)
    assert table["prolonged_stay"][early, 0] == pytest.approx(0.8**14)
    # At home from the day on which one leaves: sum over d of 0.15 x 0.8^(d-1) x (31 - d).
    days = sum(0.15 * 0.8 ** (d - 1) * (31 - d) for d in range(1, 31))
    assert table["days_at_home_30d"][early, 0] == pytest.approx(days)
    assert table["length_of_stay_days"][BEFORE, 0] == pytest.approx(5.0)
    assert table["cost_sek"][early, 0] == pytest.approx(5.0 * parameters.cost["ward_day_sek"])


def test_a_complication_before_death_counts_and_after_it_cannot(
    parameters: Parameters, patient: Patients
):
    table = truths(parameters, patient, tiny_chain(hit=0.10, sepsis=0.5))
    early = STATE["early"]
    # Each day 0.05 sepsis, 0.20 end of the stay: sepsis is 0.05 of the 0.25 who leave this state.
    assert table["sepsis"][early, 0] == pytest.approx(0.2 * (1 - 0.75**30))
    # Any complication: 0.10 hit or 0.05 death of 0.30 a day; death counts as grade V.
    assert table["any_complication"][early, 0] == pytest.approx(0.5 * (1 - 0.7**30))
    assert table["delirium"][early, 0] == 0.0
    assert table["sepsis"][STATE["convalescent"], 0] == 0.0


def test_a_patient_who_may_give_no_answer_is_judged_given_an_answer(
    parameters: Parameters, patient: Patients
):
    table = truths(parameters, patient, tiny_chain())
    early = STATE["early"]
    dead = 0.25 * (1 - 0.8**90)
    silent = parameters.missing_label["no_answer_at_follow_up"]
    odds = (1 - silent) / silent * np.exp(patient.traits["hospital_response"][0])
    answers = odds / (1 + odds)
    row = parameters.terminals["poor_recovery_90d"]
    effects = sum(effect * patient.traits[name][0] for name, effect in row.effects.items())

    def poor(state: str) -> float:
        chance = row.by_state[state]
        return 1 / (1 + np.exp(-(np.log(chance / (1 - chance)) + effects)))

    still = 0.8**90
    alive_poor = (1 - dead - still) * poor("convalescent") + still * poor("early")
    expected = (dead + answers * alive_poor) / (dead + answers * (1 - dead))
    assert table["poor_recovery_90d"][early, 0] == pytest.approx(expected)


def test_the_chances_of_a_day_never_exceed_one(parameters: Parameters):
    chain = build_chain(parameters, draw_patients(parameters, 4096, np.random.default_rng(2)))
    for stay, arrows in zip(chain.stay, chain.arrows, strict=True):
        assert np.all(stay > 0)
        total = stay + sum(arrow.probability for arrow in arrows)
        assert total == pytest.approx(np.ones(4096))
    starts = sum(arrow.probability for arrow in chain.starts)
    assert starts == pytest.approx(np.ones(4096))


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("elective", ("death_30d", "any_complication", "major_complication", "pneumonia",
                      "readmission_30d", "days_at_home_30d", "length_of_stay_days")),
        ("emergency", ("death_30d", "death_180d", "acute_kidney_injury", "myocardial_injury",
                       "reoperation_30d", "not_discharged_home", "cost_sek", "prolonged_stay")),
        ("trauma", ("death_in_hospital", "unplanned_icu", "sepsis", "poor_recovery_90d",
                    "poor_recovery_365d", "severe_disability_60d", "stroke")),
    ],
)  # fmt: skip
def test_a_patient_drawn_again_and_again_meets_the_exported_risk(
    parameters: Parameters, path: str, names: tuple[str, ...]
):
    """The same patient 20,000 times: the mean label lies within 4.5 standard errors of the truth."""
    drawn = draw_patients(parameters, 512, np.random.default_rng(3))
    kept = (drawn.traits[f"path:{path}"] > 0) & (drawn.traits["operated"] > 0)
    sick = drawn.traits["frailty"] + drawn.traits["severity"] + drawn.traits["illness"]
    place = int(np.argmax(np.where(kept, sick, -np.inf)))
    count = 20_000
    patients = several(drawn, place, count)
    single = several(drawn, place, 1)
    table = truths(parameters, single, build_chain(parameters, single))
    chain = build_chain(parameters, patients)
    history = History.of(walk(replace(chain, death_before_start=np.zeros(count)),
                              np.random.default_rng(4)))  # fmt: skip
    outcomes = Outcomes(parameters, patients, chain, history, np.random.default_rng(5))
    zero = np.zeros(count, dtype=np.int64)
    scene = Scene(
        "surgery-decision", True, np.arange(count), zero, zero + NOT_YET, zero, zero + BEFORE,
        np.zeros(count), np.zeros(count),
    )  # fmt: skip
    labels, _ = outcomes.of(names, scene, history)
    for name in names:
        known = labels[name][~np.isnan(labels[name])]
        error = known.std() / np.sqrt(len(known))
        assert abs(known.mean() - table[name][BEFORE, 0]) < 4.5 * error + 1e-9, name
        assert known.std() > 0, name


@pytest.mark.parametrize("trait", ["age_z", "frailty", "comorbidity", "kidney", "malnutrition"])
def test_a_sicker_patient_never_runs_a_lower_risk_of_death_or_poor_recovery(
    parameters: Parameters, trait: str
):
    drawn = draw_patients(parameters, 1024, np.random.default_rng(6))
    sicker = replace(
        drawn, traits=MappingProxyType({**drawn.traits, trait: drawn.traits[trait] + 0.5})
    )
    usual, worse = (
        truths(parameters, patients, build_chain(parameters, patients))
        for patients in (drawn, sicker)
    )
    for name in ("death_30d", "death_180d", "death_in_hospital", "poor_recovery_90d"):
        assert np.all(worse[name] >= usual[name] - 1e-9), name
