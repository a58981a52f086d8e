"""Two hundred simulated patients on random ways through a service that is live at all nine stops."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.schemas.documents import AssessmentAnswer
from models.vocabulary import Vocabulary
from tests.lib.service import Service, running_service
from training.pathway import episode_visits, load_parameters

Document = dict[str, Any]
EPISODES = 200
# Other patients than those the models were fitted on.
SEED = 20261122
REASONS = {"missing_required", "out_of_distribution", "no_model"}
PARTS = ([], [], ["reference"], ["measure_next", "reference"])


@pytest.fixture(scope="module")
def live(pathway: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(pathway, tmp_path_factory.mktemp("pathway-service") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def client(live: Service) -> Iterator[httpx.Client]:
    with live.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def points(client: httpx.Client) -> dict[str, Document]:
    return {point["id"]: point for point in client.get("/v1/branch-points").json()}


def patients(vocabulary: Vocabulary) -> Iterator[list[Document]]:
    """The visits of one simulated patient after another, in order of time."""
    visits = episode_visits(load_parameters(), SEED, 0, EPISODES + 50, vocabulary)
    for _, own in groupby(visits, key=lambda visit: visit["episode"]):
        yield list(own)


def strange(chance: random.Random, vocabulary: Vocabulary, name: str) -> Any:
    """Something that the dictionary takes, but no simulated patient has; or that it sets aside."""
    feature = vocabulary.features[name]
    if feature.kind == "flag":
        return chance.random() < 0.5
    if feature.kind == "category":
        return chance.choice(feature.categories)
    low, high = feature.plausible or (0.0, 100.0)
    value = chance.uniform(low, high) if chance.random() < 0.5 else high + 1.0
    return round(value) if feature.integer else round(value, 2)


def request_at(
    chance: random.Random, visits: list[Document], vocabulary: Vocabulary
) -> tuple[str, Document]:
    """One stop: a visit of this patient, or a stop that is not on the way, with part of the data."""
    visit = chance.choice(visits)
    point, known = visit["branch_point"], dict(visit["request"]["measurements"])
    if chance.random() < 0.2:  # elsewhere than planned: with what is known of the patient by then
        point = chance.choice(list(vocabulary.branch_points))
        known = {
            name: value
            for other in visits
            for name, value in other["request"]["measurements"].items()
            if name in vocabulary.branch_points[point].features
        }
    share = chance.choice([0.1, 0.5, 0.9, 1.0])
    required = vocabulary.branch_points[point].required if chance.random() < 0.7 else ()
    measurements = {
        name: value for name, value in known.items() if name in required or chance.random() < share
    }
    for name in measurements:
        if chance.random() < 0.01:
            measurements[name] = strange(chance, vocabulary, name)
    sent = {**visit["request"], "measurements": measurements, "include": chance.choice(PARTS)}
    return point, sent


@pytest.fixture(scope="module")
def walked(client: httpx.Client, vocabulary: Vocabulary) -> list[tuple[str, list[Document]]]:
    """Episodes as they were answered: any stops, in any order, repeated, skipped."""
    chance = random.Random(SEED)  # noqa: S311 - a walk, not a secret
    episodes = []
    for visits, _ in zip(patients(vocabulary), range(EPISODES), strict=False):
        answers = []
        for _ in range(chance.randint(1, 7)):
            point, sent = request_at(chance, visits, vocabulary)
            reply = client.post(f"/v1/branch-points/{point}/assessments", json=sent)
            assert reply.status_code == 200, (reply.status_code, reply.text[:500])
            answers.append(reply.json())
        episodes.append((answers[0]["episode_id"], answers))
    assert len(episodes) == EPISODES
    return episodes


def score(outcome: Document) -> float:
    found: float = outcome["log_odds"] if "log_odds" in outcome else outcome["value"]
    return found


def test_all_nine_branch_points_are_live_and_no_model_claims_real_patients(points):
    assert len(points) == 9
    for point in points.values():
        champions = [o["champion"] for o in point["outcomes"] if o["champion"] is not None]
        assert champions, point["id"]
        assert {champion["training_data"] for champion in champions} == {"synthetic"}


def test_every_answer_is_an_answer_a_fallback_or_an_abstention_with_its_reason(walked, points):
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    answered = set()
    for _, answers in walked:
        for answer in answers:
            AssessmentAnswer.model_validate(answer)
            assert {o["outcome"] for o in answer["outcomes"]} == {
                o["outcome"] for o in points[answer["branch_point"]]["outcomes"]
            }
            for outcome in answer["outcomes"]:
                statuses[outcome["status"]] += 1
                if outcome["status"] == "answered":
                    answered.add((answer["branch_point"], outcome["kind"]))
                else:
                    assert outcome["reason"] in REASONS
                    reasons[outcome["reason"]] += 1
                if outcome["status"] == "abstained":
                    continue
                parts = sum(reason["contribution"] for reason in outcome["attributions"])
                assert outcome["base_value"] + parts == pytest.approx(score(outcome), abs=1e-6)
    assert statuses.keys() == {"answered", "fallback", "abstained"}
    assert reasons.keys() == REASONS
    assert {point for point, _ in answered} == set(points)
    assert {kind for _, kind in answered} == {"binary", "numeric"}


def test_the_path_is_told_in_time_order_and_every_change_adds_up(walked, client: httpx.Client):
    changes = between_points = 0
    for episode_id, answers in walked:
        found = client.get(f"/v1/episodes/{episode_id}").json()
        # Stops were asked in any order; of two at the same time the one asked first is first.
        assert found["assessments"] == sorted(answers, key=lambda answer: answer["index_time"])
        given = {answer["assessment_id"]: answer for answer in answers}
        for name, path in found["trajectory"].items():
            for point in path:
                if "change" not in point:
                    continue
                moved = point["change"]
                parts = moved["base_value"] + sum(f["change"] for f in moved["features"])
                assert parts == pytest.approx(moved["score"], abs=1e-6)
                after, before = (
                    next(o for o in given[number]["outcomes"] if o["outcome"] == name)
                    for number in (point["assessment_id"], moved["since"])
                )
                assert score(before) + parts == pytest.approx(score(after), abs=1e-6)
                changes += 1
                between_points += given[moved["since"]]["branch_point"] != point["branch_point"]
    assert changes > 200
    assert between_points > 30
