"""What the chain's own mechanism says about the future, exactly: no simulation.

For every state and outcome, the probability (or mean) given the traits and the state. Finite horizons
by the backward recursion

    V_0 = value at the end,   V_d(s) = sum over s' of P(s, s') V_{d-1}(s')

where a complication that happens ends the recursion with 1 and death ends it with 0 (or with 1 where
death counts); long horizons by powers of the daily matrix. Quantities of a whole stay by solving (I - Q) x = r over the states of the stay.

A table has a row per state and two more: `BEFORE`, planned or in the trauma bay, where the start is
still to come and takes no time; and `ALERT`, before the trauma bay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.pathway.course import (
    DEAD,
    HOME,
    HORIZON,
    INDEX_STAY,
    MARKS,
    STATE,
    STATES,
    Arrow,
    Chain,
)
from training.pathway.parameters import Parameters
from training.pathway.patients import Floats, Patients, linear, logistic

BEFORE, ALERT = len(STATES), len(STATES) + 1
ROWS = len(STATES) + 2
DEATH_COUNTS = ("any_complication", "major_complication")
CONVALESCENT, SEQUELAE = STATE["convalescent"], STATE["sequelae"]
READMITTED = STATE["readmitted"]


def truths(parameters: Parameters, patients: Patients, chain: Chain) -> dict[str, Floats]:
    """Compute every outcome's table, shape (ROWS, n) each.

    Binary outcomes are probabilities that the label is 1 *given that there is a label*: where
    somebody may stay without one for a reason that has to do with the outcome (no troponin, no
    answer, dead before discharge), the probability is conditional on having one.
    """
    n = patients.count
    tables = _complications(chain, n)
    dead, alive_but = _long_run(parameters, patients, chain)
    tables |= {f"death_{days}d": dead[days] for days in (30, 60, 180)}
    response = label_response(parameters, patients)
    for days, outcome in ((90, "poor_recovery_90d"), (365, "poor_recovery_365d")):
        alive = 1.0 - dead[days]
        answered = dead[days] + response * alive
        tables[outcome] = (dead[days] + response * alive_but[outcome]) / answered
    disabled = alive_but["severe_disability_60d"]
    tables["severe_disability_60d"] = disabled / np.maximum(1.0 - dead[60], 1e-12)
    seen = 1.0 - parameters.missing_label["troponin_never_taken"]
    injured = tables["myocardial_injury"]
    tables["myocardial_injury"] = injured / (injured + (1.0 - injured) * seen)
    tables |= _stay(parameters, patients, chain)
    return tables


def label_response(parameters: Parameters, patients: Patients) -> Floats:
    """Probability that a living patient answers at follow-up, shape (n,)."""
    silent = parameters.missing_label["no_answer_at_follow_up"]
    log_odds = np.log((1 - silent) / silent)
    return logistic(log_odds + patients.traits["hospital_response"])


def terminal(parameters: Parameters, patients: Patients, outcome: str) -> Floats:
    """Probability of a state of recovery in each state of the chain, shape (len(STATES), n)."""
    row = parameters.terminals[outcome]
    effects = linear(0.0, row.effects, patients.traits)
    table = np.zeros((len(STATES), patients.count))
    for state, probability in row.by_state.items():
        table[STATE[state]] = logistic(np.log(probability / (1.0 - probability)) + effects)
    return table


def _complications(chain: Chain, n: int) -> dict[str, Floats]:
    """Probability of each mark within its horizon, dropping those whose horizon is over."""
    value = np.zeros((len(STATES), len(MARKS), n))
    counts = np.array([1.0 if name in DEATH_COUNTS else 0.0 for name in MARKS])[:, None]
    survive: dict[int, Floats] = {}
    for arrow in _all(chain):
        if arrow.marks is not None and id(arrow.marks) not in survive:
            survive[id(arrow.marks)] = 1.0 - arrow.marks
    gain, through = [], []
    for arrows in chain.arrows:
        here = np.zeros((len(MARKS), n))
        onward = []
        for arrow in arrows:
            if arrow.target == DEAD:
                here += arrow.probability * counts
            elif arrow.marks is None:
                onward.append((arrow.target, arrow.probability[None, :]))
            else:
                here += arrow.probability * arrow.marks
                onward.append((arrow.target, arrow.probability * survive[id(arrow.marks)]))
        gain.append(here)
        through.append(onward)
    found: dict[str, Floats] = {}
    first = 0
    last_horizon = max(HORIZON.get(name, 30) for name in MARKS)
    for day in range(1, last_horizon + 1):
        new = np.empty_like(value)
        for state in range(len(STATES)):
            target = new[state, first:]
            np.multiply(value[state, first:], chain.stay[state], out=target)
            target += gain[state][first:]
            for onward_to, probability in through[state]:
                rows = probability if probability.shape[0] == 1 else probability[first:]
                target += rows * value[onward_to, first:]
        value = new
        while first < len(MARKS) and HORIZON.get(MARKS[first], 30) == day:
            found[MARKS[first]] = np.zeros((ROWS, n))
            found[MARKS[first]][: len(STATES)] = value[:, first]
            first += 1
    for position, name in enumerate(MARKS):
        table, dead_value = found[name], counts[position, 0]
        for arrow in chain.starts:
            after: Floats | float = dead_value if arrow.target == DEAD else table[arrow.target]
            if arrow.marks is not None:
                hit = arrow.marks[position]
                after = hit + (1.0 - hit) * after
            table[BEFORE] += arrow.probability * after
        table[ALERT] = _at_alert(chain, table[BEFORE], dead_value)
    return found


def _long_run(
    parameters: Parameters, patients: Patients, chain: Chain
) -> tuple[dict[int, Floats], dict[str, Floats]]:
    """Return death by 30 ... 365 days, and being alive but ill at an outcome's horizon."""
    ends = {
        "poor_recovery_90d": 90, "poor_recovery_365d": 365, "severe_disability_60d": 60,
    }  # fmt: skip
    within = _powers(_matrix(chain, patients.count))
    dead = {
        days: _with_start(chain, within[days][:, : len(STATES), DEAD].T, 1.0) for days in within
    }
    alive_but: dict[str, Floats] = {}
    for outcome, days in ends.items():
        value = terminal(parameters, patients, outcome).T[:, :, None]
        later = within[days][:, : len(STATES), : len(STATES)] @ value
        alive_but[outcome] = _with_start(chain, later[:, :, 0].T, 0.0)
    return dead, alive_but


def _matrix(chain: Chain, n: int) -> Floats:
    """Daily transition matrix of every patient, death absorbing, shape (n, states, states)."""
    matrix = np.zeros((n, len(STATES) + 1, len(STATES) + 1))
    matrix[:, DEAD, DEAD] = 1.0
    for state, arrows in enumerate(chain.arrows):
        matrix[:, state, state] = chain.stay[state]
        for arrow in arrows:
            matrix[:, state, arrow.target] += arrow.probability
    return matrix


def _powers(daily: Floats) -> dict[int, Floats]:
    """Return the matrices of 30, 60, 90, 180 and 365 days, by repeated squaring."""
    two = daily @ daily
    four = two @ two
    eight = four @ four
    thirty = (eight @ eight) @ eight @ (four @ two)
    sixty = thirty @ thirty
    ninety = sixty @ thirty
    half = ninety @ ninety
    year = (half @ half) @ (four @ daily)
    return {30: thirty, 60: sixty, 90: ninety, 180: half, 365: year}


def _back(chain: Chain, value: Floats, dead_value: float) -> Floats:
    new = np.empty_like(value)
    for state, arrows in enumerate(chain.arrows):
        total = chain.stay[state] * value[state]
        for arrow in arrows:
            if arrow.target != DEAD:
                total += arrow.probability * value[arrow.target]
            elif dead_value:
                total += arrow.probability * dead_value
        new[state] = total
    return new


def _with_start(chain: Chain, value: Floats, dead_value: float) -> Floats:
    table = np.empty((ROWS, value.shape[1]))
    table[: len(STATES)] = value
    table[BEFORE] = _start(chain, lambda target: value[target], dead_value)
    table[ALERT] = _at_alert(chain, table[BEFORE], dead_value)
    return table


def _start(chain: Chain, after: Callable[[int], Floats], dead_value: float) -> Floats:
    total = np.zeros_like(chain.death_before_start)
    for arrow in chain.starts:
        total += arrow.probability * (dead_value if arrow.target == DEAD else after(arrow.target))
    return total


def _at_alert(chain: Chain, before: Floats, dead_value: float) -> Floats:
    early = chain.death_before_start
    result: Floats = early * dead_value + (1.0 - early) * before
    return result


def _stay(parameters: Parameters, patients: Patients, chain: Chain) -> dict[str, Floats]:
    """Outcomes of the index stay, of its end, and of the days at home."""
    n, size = patients.count, len(INDEX_STAY)
    system = np.zeros((n, size, size))
    system[:, range(size), range(size)] = 1.0
    rewards = np.zeros((n, size, 5))  # days, cost, death, discharge in each of the two states
    ward, intensive = parameters.cost["ward_day_sek"], parameters.cost["intensive_day_sek"]
    for state in INDEX_STAY:
        system[:, state, state] -= chain.stay[state]
        rewards[:, state, 0] = 1.0
        rewards[:, state, 1] = intensive if state == STATE["intensive"] else ward
        for arrow in chain.arrows[state]:
            if arrow.target in INDEX_STAY:
                system[:, state, arrow.target] -= arrow.probability
            else:
                column = {DEAD: 2, CONVALESCENT: 3, SEQUELAE: 4}[arrow.target]
                rewards[:, state, column] += arrow.probability
    solved = np.linalg.solve(system, rewards)
    days, cost, death, well, ill = (
        np.concatenate([solved[:, :, column].T, np.zeros((len(STATES) - size, n))])
        for column in range(5)
    )
    well[CONVALESCENT], ill[SEQUELAE] = 1.0, 1.0
    well, ill = _with_start(chain, well, 0.0), _with_start(chain, ill, 0.0)
    elsewhere = terminal(parameters, patients, "not_discharged_home")
    readmitted = _readmission(chain, n)
    discharged = np.maximum(well + ill, 1e-300)
    again = (well * readmitted[CONVALESCENT] + ill * readmitted[SEQUELAE]) / discharged
    again[STATE["settled"]] = readmitted[STATE["settled"]]
    still = np.zeros((len(STATES), n))
    still[list(INDEX_STAY)] = 1.0
    for _ in range(14):
        still = _back(chain, still, dead_value=0.0)
        still[INDEX_STAY.stop :] = 0.0
    away = well * elsewhere[CONVALESCENT] + ill * elsewhere[SEQUELAE]
    tables = {
        "death_in_hospital": _with_start(chain, death, 1.0),
        "length_of_stay_days": _with_start(chain, days, 0.0),
        "cost_sek": _with_start(chain, cost, 0.0),
        "not_discharged_home": away / discharged,
        "readmission_30d": again,
        "prolonged_stay": _with_start(chain, still, 0.0),
        "days_at_home_30d": _days_at_home(chain, n),
    }
    tables["cost_sek"][[BEFORE, ALERT]] += operation_cost(parameters, patients)
    return tables


def operation_cost(parameters: Parameters, patients: Patients) -> Floats:
    """What an operation costs, in kronor, shape (n,); 0 without one."""
    grade = patients.traits["severity_grade"]
    per_step = parameters.cost["operation_severity_sek"]
    cost: Floats = patients.traits["operated"] * (
        parameters.cost["operation_sek"] + per_step * grade
    )
    return cost


def _readmission(chain: Chain, n: int) -> Floats:
    """Probability of a readmission within 30 days in each state after the index stay."""
    value = np.zeros((len(STATES), n))
    for _ in range(30):
        new = np.zeros_like(value)
        for state in HOME:
            new[state] = chain.stay[state] * value[state]
            for arrow in chain.arrows[state]:
                if arrow.target == READMITTED:
                    new[state] += arrow.probability
                elif arrow.target != DEAD:
                    new[state] += arrow.probability * value[arrow.target]
        value = new
    return value


def _days_at_home(chain: Chain, n: int) -> Floats:
    """Mean days alive and out of hospital in 30 days, 0 for those who die within them."""
    alive = np.ones((len(STATES), n))
    days = np.zeros((len(STATES), n))
    at_home = np.zeros((len(STATES), 1))
    at_home[list(HOME)] = 1.0
    for _ in range(30):
        days = _back(chain, days + at_home * alive, dead_value=0.0)
        alive = _back(chain, alive, dead_value=0.0)
    return _with_start(chain, days, 0.0)


def _all(chain: Chain) -> list[Arrow]:
    return [arrow for arrows in chain.arrows for arrow in arrows]
