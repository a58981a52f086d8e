"""The whole report on a cohort whose truth is known."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from models.vocabulary import Vocabulary
from tests.lib.signal_cohort import (
    BINARY,
    IDLE,
    NAMES,
    NUMERIC,
    OFTEN_MISSING,
    SECOND,
    TWIN,
    WEIGHTS,
)
from training.errors import CohortTooSmall
from training.rows import Cohort
from training.signal import signal_page, signal_report, signal_tables, subsample

OUTCOMES = (BINARY, SECOND, NUMERIC)
Report = Mapping[str, Any]


@pytest.fixture(scope="module")
def report(cohort: Cohort, vocabulary: Vocabulary) -> Report:
    done: dict[str, float] = {}

    def progress(name: str, share: float) -> None:
        done[name] = done.get(name, 0.0) + share

    found = signal_report(cohort, OUTCOMES, vocabulary, seed=5, progress=progress)
    assert done == pytest.approx(dict.fromkeys(OUTCOMES, 1.0))
    return found


def outcome(report: Report, name: str) -> Report:
    [one] = [one for one in report["outcomes"] if one["outcome"] == name]
    return one


def test_what_weighs_in_the_truth_is_kept_and_nothing_else(report):
    kept = set(report["together"]["kept"])
    assert kept - {"creatinine", TWIN} == set(WEIGHTS) - {"creatinine"}
    assert set(IDLE) <= set(report["together"]["droppable"])
    assert set(outcome(report, SECOND)["kept"]) == {"age"}
    assert set(outcome(report, NUMERIC)["kept"]) == {"age", "diabetes"}


def test_of_two_that_say_the_same_one_goes_and_not_both(report):
    for part in (report["together"], outcome(report, BINARY)):
        assert len({"creatinine", TWIN} & set(part["kept"])) == 1
    # Alone, neither loses what they are worth together: the report of single losses would mislead.
    lost = {line["feature"]: line["lost"] for line in outcome(report, BINARY)["variables"]}
    curve = outcome(report, BINARY)["curve"]
    [before] = [s for s in curve if s["variables"] == len(outcome(report, BINARY)["kept"])]
    without = [s for s in curve if not {"creatinine", TWIN} & set(s["kept"])]
    together = without[0]["loss"][BINARY]["value"] - before["loss"][BINARY]["value"]
    assert together > 0.02
    assert lost["creatinine"]["log_loss"]["value"] + lost[TWIN]["log_loss"]["value"] < together


def test_the_sentence_counts_them(report):
    kept = len(report["together"]["kept"])
    words = report["sentence"]
    assert words.startswith(f"{kept} of {len(NAMES)} variables carry all that can be measured")
    assert f"{len(NAMES) - kept} could be dropped" in words


def test_a_smaller_set_is_as_good_on_held_out_patients(report):
    for one in report["outcomes"]:
        figure = "log_loss" if one["kind"] == "binary" else "r2"
        assert abs(one["held_out"]["together"]["change"][figure]["value"]) < 0.01
        assert one["model"] == {
            "version": None, "alias": None, "form": "additive model, smoothing 30",
            "inputs": len(NAMES),
        }  # fmt: skip


def test_shares_add_up_and_what_weighs_comes_first(report):
    for one in report["outcomes"]:
        assert sum(line["share"] for line in one["variables"]) == pytest.approx(1.0)
    assert sum(line["share"] for line in report["variables"]) == pytest.approx(1.0)
    first = [line["feature"] for line in outcome(report, NUMERIC)["variables"][:2]]
    assert first == ["age", "diabetes"]


def test_missing_is_counted_where_it_is_missing(report, cohort: Cohort):
    by_name = {line["feature"]: line for line in report["variables"]}
    column = cohort.X[:, NAMES.index(OFTEN_MISSING)]
    present = ~np.isnan(column)
    assert by_name[OFTEN_MISSING]["measured"] == round(present.mean(), 3)
    assert by_name["age"]["measured"] == 1.0
    for place in ("north", "south", "west"):
        own = present[cohort.hospitals == place].mean()
        assert by_name[OFTEN_MISSING]["measured_by_hospital"][place] == round(own, 3)
    y = cohort.labels[BINARY]
    [line] = [x for x in outcome(report, BINARY)["variables"] if x["feature"] == OFTEN_MISSING]
    assert line["missing"]["events"] == round(1 - present[y == 1].mean(), 3)
    complete = report["together"]["complete_rows"]
    assert complete == {"full": present.sum(), "kept": present.sum()}


def test_the_same_seed_gives_the_same_report(cohort: Cohort, vocabulary: Vocabulary):
    first, second = (
        signal_report(cohort, [SECOND], vocabulary, seed=9, champion=lambda _: None)
        for _ in range(2)
    )
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)


def test_an_outcome_that_cannot_be_judged_stops_no_other(cohort: Cohort, vocabulary: Vocabulary):
    rare = np.zeros(len(cohort.X))
    rare[:6] = 1
    made = replace(cohort, labels={**cohort.labels, BINARY: rare})
    found = signal_report(made, [BINARY, SECOND], vocabulary, seed=1)
    assert [one["outcome"] for one in found["outcomes"]] == [SECOND]
    assert "fewer than 20 events" in found["left_out"][BINARY]
    with pytest.raises(CohortTooSmall, match="fewer than 20 events"):
        signal_report(made, [BINARY], vocabulary, seed=1)


def test_fewer_rows_are_whole_patients(cohort: Cohort):
    some = subsample(cohort, 1001, seed=4)
    assert len(some.X) == 1000
    assert some.patients is not None
    assert (np.unique(some.patients, return_counts=True)[1] == 2).all()
    assert 0.2 < some.held_out.mean() < 0.3
    assert subsample(cohort, 10**6, seed=4).X is not None


def test_the_page_loads_nothing_and_the_tables_say_it_by_label(report, vocabulary: Vocabulary):
    page = signal_page(report)
    assert report["sentence"].split(";")[0] in page
    assert page.count("<svg") == 3
    for forbidden in ("<script", "src=", "href=", "@import", "url(http"):
        assert forbidden not in page
    said = io.StringIO()
    for table in signal_tables(report):
        Console(file=said, width=160).print(table)
    for name in NAMES:
        assert vocabulary.features[name].label_en in said.getvalue()
    assert "[/min]" in said.getvalue()  # a unit is no markup
