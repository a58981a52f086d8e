"""A site adds a branch point and a feature as TOML alone: trained, promoted, served, explained."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.lib.service import free_port, run_command, running_service

POINT = "falls-clinic"
FEATURES = """
[[feature]]
name = "grip_strength"
label_en = "Grip strength"
label_sv = "Greppstyrka"
group = "function"
kind = "number"
unit = "kg"
accepted_units = [{ unit = "[lb_av]", factor = 0.45359237 }]
plausible = [0.0, 120.0]
earliest = "falls-clinic"
direction = "decreases_risk"
source = "example of a site"
"""
BRANCH_POINT = """
id = "falls-clinic"
stage = 2
title_en = "Falls clinic"
title_sv = "Fallmottagning"
question_en = "Who needs early follow-up?"
question_sv = "Vem behöver tidig uppföljning?"
hook = "patient-view"
intended_purpose = "An example of a site's own branch point. It is decision support only."
who = "Geriatrician"
regulatory_note = "Proposal"
switchable = true
reference_scores = ["shock_index"]
required = ["age", "grip_strength"]
optional = ["sex", "heart_rate", "sbp"]

[[outcome]]
name = "readmission_30d"
bands = [{ name = "low", below = 0.1 }, { name = "high" }]
band_source = "example"
band_capacity = { start = "high", patients_per_100 = 10, source = "example" }

[[action]]
id = "early-phone-call"
label_en = "Plan an early phone call"
label_sv = "Planera ett tidigt telefonsamtal"
outcome = "readmission_30d"
bands = ["high"]
source = "example"
capacity = "1 phone call per patient; example"
"""
SOURCE = """
name = "falls"
title = "An example cohort"
citation = "drawn for this test"
licence = "none"
training_data = "synthetic"
branch_point = "falls-clinic"
row_id = "id"
divisible_by = 4
never = []

[[measurement]]
column = "age"
feature = "age"
[[measurement]]
column = "grip_lb"
feature = "grip_strength"
unit = "[lb_av]"
[[measurement]]
column = "sex"
feature = "sex"
values = { f = "female", m = "male" }

[[label]]
outcome = "readmission_30d"
flag = "back"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's folder of content, and beside it its cohort: the weaker the grip, the more return."""
    folder = tmp_path_factory.mktemp("site")
    content = folder / "content"
    (content / "branch_points").mkdir(parents=True)
    (content / "features.toml").write_text(FEATURES, encoding="utf-8")
    (content / "branch_points" / f"{POINT}.toml").write_text(BRANCH_POINT, encoding="utf-8")
    (folder / "falls.toml").write_text(SOURCE, encoding="utf-8")
    rng = np.random.default_rng(1)
    with (folder / "falls.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", "age", "grip_lb", "sex", "back"])
        for number in range(1, 1601):
            age, grip = int(rng.integers(60, 90)), float(np.clip(rng.normal(60, 18), 5, 120))
            risk = 1 / (1 + math.exp(2.2 + 0.06 * (grip - 60) - 0.03 * (age - 75)))
            back = int(rng.random() < risk)
            rows.writerow([number, age, f"{grip:.1f}", rng.choice(["f", "m"]), back])
    return folder


@pytest.fixture(scope="module")
def client(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The service with the site's content and the model trained on the site's cohort."""
    var = site / "var"
    settings = {"RISK_CONTENT": str(site / "content")}
    done = run_command(
        "risk-train", "run", POINT, "--source", str(site / "falls.toml"),
        "--from", str(site / "falls.csv"), "--promote", "--json", var=var, settings=settings,
    )  # fmt: skip
    (result,) = json.loads(done.stdout)
    assert result["name"] == f"{POINT}.readmission_30d"
    log = tmp_path_factory.mktemp("site-service") / "log"
    with running_service(var, log, settings) as service, service.client() as opened:
        yield opened


def test_a_threshold_that_does_not_say_what_it_assumes_is_refused_in_one_line(
    site: Path, tmp_path: Path
):
    """A site's file from before capacities were asked for; so is a suggestion without its own."""
    content = tmp_path / "content"
    shutil.copytree(site / "content", content)
    own = content / "branch_points" / f"{POINT}.toml"
    for key in ("band_capacity", "capacity"):
        lines = [line for line in BRANCH_POINT.splitlines() if not line.startswith(f"{key} =")]
        own.write_text("\n".join(lines), encoding="utf-8")
        done = run_command(
            "risk-serve", "run", "--port", str(free_port()), var=tmp_path / "var", check=False,
            settings={"RISK_CONTENT": str(content)},
        )  # fmt: skip
        assert done.returncode != 0
        (said,) = done.stderr.strip().splitlines()
        assert said.startswith(f"risk-serve: {POINT}.toml: ")
        assert f"`{key}`" in said


def ask(client: httpx.Client, measurements: dict[str, Any], **fields: Any) -> dict[str, Any]:
    sent = {"measurements": measurements, **fields}
    reply = client.post(f"/v1/branch-points/{POINT}/assessments", json=sent)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def test_the_sites_branch_point_and_feature_are_declared_like_the_products(client: httpx.Client):
    points = {point["id"] for point in client.get("/v1/branch-points").json()}
    assert {POINT, "icu-review"} <= points
    declared = client.get(f"/v1/branch-points/{POINT}").json()
    (outcome,) = declared["outcomes"]
    assert outcome["champion"]["name"] == f"{POINT}.readmission_30d"
    features = {feature["name"] for feature in client.get("/v1/features").json()}
    assert {"grip_strength", "albumin"} <= features


def test_it_answers_with_reasons_that_add_up_and_with_its_own_actions(client: httpx.Client):
    weak, strong = (
        ask(client, {"age": 75, "grip_strength": {"value": value, "unit": "[lb_av]"}})
        for value in (30, 95)
    )
    risks = []
    for answer in (weak, strong):
        (outcome,) = answer["outcomes"]
        assert outcome["status"] == "answered"
        assert outcome["model"]["training_data"] == "synthetic"
        total = outcome["base_value"] + sum(r["contribution"] for r in outcome["attributions"])
        assert total == pytest.approx(outcome["log_odds"], abs=1e-6)
        risks.append(outcome["probability"])
    assert risks[0] > 2 * risks[1]
    assert weak["outcomes"][0]["attributions"][0]["feature"] == "grip_strength"
    assert [suggestion["id"] for suggestion in weak["suggestions"]] == ["early-phone-call"]
    assert strong["suggestions"] == []


def test_the_sites_feature_is_refused_where_it_cannot_be_known_yet(client: httpx.Client):
    sent = {"measurements": {"age": 75, "grip_strength": 30}}
    reply = client.post("/v1/branch-points/surgery-decision/assessments", json=sent)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["code"] == "not_available_at_branch_point"


def test_it_can_rank_what_to_measure_and_show_its_published_score(client: httpx.Client):
    known = {"age": 75, "grip_strength": 30, "heart_rate": 110, "sbp": 100}
    answer = ask(client, known, include=["measure_next", "reference"])
    assert [item["feature"] for item in answer["measure_next"]] == ["sex"]
    (score,) = answer["reference_scores"]
    assert (score["score"], score["lowest"]) == ("shock_index", 1.1)
