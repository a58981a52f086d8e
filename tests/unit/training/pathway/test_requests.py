"""One episode as the service would be asked: every measurement passes the door."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from models.vocabulary import Measurement, Vocabulary, settle, take
from training.pathway import Parameters, episode_visits


@pytest.fixture(scope="module")
def lines(parameters: Parameters, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    return list(episode_visits(parameters, 3, 0, 120, vocabulary))


def test_visits_come_episode_by_episode_in_order_of_time(lines: list[dict[str, Any]]):
    order = [(line["episode"], line["visit"]) for line in lines]
    assert order == sorted(order)
    times: dict[int, float] = {}
    for line in lines:
        assert line["hours"] >= times.get(line["episode"], 0.0)
        times[line["episode"]] = line["hours"]
    assert len(times) == 120


def test_every_measurement_is_taken_and_nothing_late_is_among_them(
    lines: list[dict[str, Any]], vocabulary: Vocabulary
):
    for line in lines:
        point = vocabulary.branch_points[line["branch_point"]]
        request = line["request"]
        at = datetime.fromisoformat(request["index_time"])
        taken = []
        for name, sent in request["measurements"].items():
            assert name in point.features
            value = sent["value"] if isinstance(sent, dict) else sent
            age_s = None
            if isinstance(sent, dict):
                age_s = int((at - datetime.fromisoformat(sent["time"])).total_seconds())
            feature = vocabulary.features[name]
            taken.append(Measurement(feature, take(feature, value), age_s))
        set_aside = settle(taken, point, vocabulary.features).set_aside
        assert {reason for _, reason in set_aside} <= {"too_old"}


def test_index_times_of_an_episode_never_run_backwards(lines: list[dict[str, Any]]):
    last: dict[int, datetime] = {}
    for line in lines:
        at = datetime.fromisoformat(line["request"]["index_time"])
        assert at >= last.get(line["episode"], at)
        last[line["episode"]] = at


def test_labels_are_what_was_observed_and_truths_are_probabilities(
    lines: list[dict[str, Any]], vocabulary: Vocabulary
):
    for line in lines:
        assert set(line["labels"]) == set(line["truth"])
        for name, label in line["labels"].items():
            if vocabulary.outcomes[name].kind == "binary":
                assert label in (True, False, None)
                truth = line["truth"][name]
                assert truth is None or 0 <= truth <= 1


def test_the_same_episode_can_be_asked_for_alone(
    lines: list[dict[str, Any]], parameters: Parameters, vocabulary: Vocabulary
):
    alone = list(episode_visits(parameters, 3, 77, 1, vocabulary))
    assert alone == [line for line in lines if line["episode"] == 77]
