"""The applied model card holds to the public schema, whatever the card says or leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from models.card import chai_card
from models.card.chai import NAMESPACE
from tests.lib.model_card import full_card, numeric_card
from tests.lib.xsd import Schema, SchemaViolated

SCHEMA = Path(__file__).parents[3] / "data" / "chai_model_card" / "schema.xsd"
MC = {"mc": NAMESPACE}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(SCHEMA)


def parsed(card: dict, **standing: str) -> ET.Element:
    return ET.fromstring(chai_card(card, standing))  # noqa: S314 - our own output


def said(root: ET.Element, path: str) -> str | None:
    return root.findtext("/".join(f"mc:{name}" for name in path.split("/")), namespaces=MC)


@pytest.mark.parametrize(
    "card",
    [full_card(), numeric_card(), {}, full_card() | {"evaluation": {}},
     full_card() | {"outcome": "\x00\x08<&>\ud800"}],
    ids=["binary", "numeric", "empty", "not evaluated", "not for XML"],
)  # fmt: skip
def test_every_card_holds_to_the_schema(schema: Schema, card: dict):
    schema.hold(chai_card(card))
    schema.hold(chai_card(card, {"version": "3", "digest": "sha256:0", "alias": "champion"}))


def test_the_card_says_what_ours_says():
    root = parsed(full_card(), version="3", digest="sha256:0", alias="champion")
    assert said(root, "BasicInfo/ModelName") == "icu-review.death_180d"
    assert said(root, "BasicInfo/ModelDeveloper") == "Not stated"
    assert said(root, "ReleaseInfo/ReleaseVersion") == "3 (sha256:0)"
    assert said(root, "ReleaseInfo/RegulatoryApproval") == "None is claimed. Proposal: class IIb."
    assert said(root, "UsesAndDirections/PrimaryIntendedUsers") == (
        "Intensivist and the responsible team"
    )
    assert "children" in str(said(root, "UsesAndDirections/CautionedOutOfScopeSettings"))
    path = "mc:KeyMetrics/mc:UsefulnessUsabilityEfficacy/mc:Results/mc:MetricResult"
    results = {
        result.findtext("mc:Label", namespaces=MC): json.loads(
            str(result.findtext("mc:ValueJson", namespaces=MC))
        )
        for result in root.findall(path, MC)
    }
    assert results["AUROC"] == {"value": 0.819, "lower_95": 0.801, "upper_95": 0.836}
    assert results["Calibration slope"] == {"value": 1.01}


def test_simulated_is_the_stage_of_its_release():
    root = parsed(full_card() | {"training_data": "synthetic"}, alias="champion")
    assert "proves nothing about real ones" in str(said(root, "ReleaseInfo/ReleaseStage"))


def _change(path: str, change: Callable[[ET.Element, ET.Element], None]) -> bytes:
    root = parsed(full_card())
    parent = root.find("/".join(f"mc:{name}" for name in path.split("/")[:-1]) or ".", MC)
    assert parent is not None
    child = parent.find(f"mc:{path.rpartition('/')[2]}", MC)
    assert child is not None
    change(parent, child)
    return ET.tostring(root)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda parent, child: parent.remove(child), "Warnings/ClinicalRiskLevel"),
        (lambda parent, child: parent.remove(child), "Bibliography"),
        (lambda parent, child: parent.append(child), "BasicInfo/ModelName"),
        (lambda parent, child: ET.SubElement(child, "more"), "BasicInfo/ModelName"),
        (
            lambda parent, child: ET.SubElement(parent, f"{{{NAMESPACE}}}More"),
            "BasicInfo/ModelName",
        ),
        (lambda parent, child: child.set("more", "x"), "BasicInfo/ModelName"),
        (lambda parent, child: setattr(child, "text", "x"), "BasicInfo"),
        (
            lambda parent, child: setattr(child, "tag", "{urn:other}ModelName"),
            "BasicInfo/ModelName",
        ),
        (lambda parent, child: child.clear(), "KeyMetrics/FairnessEquity/Results"),
        (lambda parent, child: parent.insert(0, child), "Resources/PatientConsentOrDisclosure"),
    ],
)
def test_the_check_itself_refuses_what_the_schema_does_not_allow(schema, change, path: str):
    with pytest.raises(SchemaViolated):
        schema.hold(_change(path, change))
