"""Two hundred random ways through the pathway: every stop answers, falls back or says why not."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.schemas.documents import AssessmentAnswer

Document = dict[str, Any]
EPISODES = 200
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
REASONS = {"missing_required", "out_of_distribution", "no_model"}


@pytest.fixture(scope="module")
def points(client: httpx.Client) -> list[Document]:
    return [
        client.get(f"/v1/branch-points/{point['id']}").json()
        for point in client.get("/v1/branch-points").json()
    ]


@pytest.fixture(scope="module")
def dictionary(client: httpx.Client) -> dict[str, Document]:
    return {feature["name"]: feature for feature in client.get("/v1/features").json()}


def drawn(chance: random.Random, feature: Document) -> Any:
    """Some value that the dictionary takes; now and then one that it must set aside."""
    kind = feature["kind"]
    if kind == "flag":
        return chance.random() < 0.5
    if kind == "category":
        return chance.choice(feature["categories"])
    if kind == "code":
        return None
    low, high = feature["plausible"] or (0.0, 100.0)
    value = chance.uniform(low, high) if chance.random() < 0.97 else high + 1.0
    return round(value) if feature["integer"] else round(value, 2)


@pytest.fixture(scope="module")
def walked(
    client: httpx.Client, points: list[Document], dictionary: dict[str, Document]
) -> list[tuple[str, list[Document]]]:
    """Episodes as they were answered: any stops, in any order, repeated, with any part of the data."""
    chance = random.Random(20261122)  # noqa: S311 - a walk, not a secret
    episodes = []
    for number in range(EPISODES):
        answers = []
        for stop in range(chance.randint(1, 6)):
            point = chance.choice(points)
            share = chance.choice([0.05, 0.3, 0.7, 1.0])
            names = [n for n in point["required"] + point["optional"] if chance.random() < share]
            if chance.random() < 0.7:
                names = list(dict.fromkeys(point["required"] + names))
            sent = {
                "subject": f"patient-{number}", "episode": f"walk-{number}",
                "index_time": (START + timedelta(days=number, hours=7 * stop)).isoformat(),
                "measurements": {name: drawn(chance, dictionary[name]) for name in names},
                "include": chance.choice([[], ["reference"], ["measure_next", "reference"]]),
            }  # fmt: skip
            reply = client.post(f"/v1/branch-points/{point['id']}/assessments", json=sent)
            assert reply.status_code == 200, (reply.status_code, reply.text[:500])
            answers.append(reply.json())
        episodes.append((answers[0]["episode_id"], answers))
    return episodes


def test_every_answer_is_an_answer_a_fallback_or_an_abstention_with_its_reason(walked):
    statuses = set()
    for _, answers in walked:
        for answer in answers:
            AssessmentAnswer.model_validate(answer)
            for outcome in answer["outcomes"]:
                statuses.add(outcome["status"])
                if outcome["status"] != "answered":
                    assert outcome["reason"] in REASONS
                if outcome["status"] == "abstained":
                    continue
                score = outcome["log_odds"] if "log_odds" in outcome else outcome["value"]
                parts = sum(reason["contribution"] for reason in outcome["attributions"])
                assert outcome["base_value"] + parts == pytest.approx(score, abs=1e-6)
    assert statuses == {"answered", "fallback", "abstained"}


def test_the_path_is_told_in_time_order_and_every_change_adds_up(walked, client: httpx.Client):
    changes = 0
    for episode_id, answers in walked:
        found = client.get(f"/v1/episodes/{episode_id}").json()
        assert found["assessments"] == answers
        for path in found["trajectory"].values():
            for point in path:
                if "change" in point:
                    changes += 1
                    moved = point["change"]
                    parts = moved["base_value"] + sum(f["change"] for f in moved["features"])
                    assert parts == pytest.approx(moved["score"], abs=1e-6)
    assert changes > 10
