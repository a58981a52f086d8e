"""A card as an applied model card of the Coalition for Health AI, version 0.2.

Elements that the schema asks for and nobody has said anything about read "Not stated"; optional ones
are then left out. Text is plain: the schema would allow Markdown.

References
----------
Coalition for Health AI, Applied Model Card schema v0.2, https://mc.chai.org/v0.2/schema.xsd
(github.com/coalition-for-health-ai/mc-schema).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from models.card.figures import Figure, headline, subgroups
from models.card.said import NOT_STATED, SIMULATED, number, part, text, texts
from models.card.source_attributes import source_attributes

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
# What XML 1.0 cannot hold, in whatever spelling.
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Result = tuple[str, Any]


def chai_card(card: Mapping[str, Any], standing: Mapping[str, str] | None = None) -> bytes:
    """Write a card as XML that holds to the schema.

    Parameters
    ----------
    card : mapping
        `card.json`.
    standing : mapping, optional
        What the registry says of this version: `version`, `alias`, `digest`.
    """
    ET.register_namespace("", NAMESPACE)
    root = ET.Element(_tag("AppliedModelCard"))
    answers = {one.id: one.answer for one in source_attributes(card)}
    _basic(root, card, standing or {}, answers)
    _uses(root, card, answers)
    _trust(root, card, answers)
    _metrics(root, card)
    _resources(root, card)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


Answers = Mapping[str, str | None]


def _basic(
    root: ET.Element, card: Mapping[str, Any], standing: Mapping[str, str], answers: Answers
) -> None:
    basic = _add(root, "BasicInfo")
    _say(basic, "ModelName", text(card, "name"))
    _say(basic, "ModelDeveloper", answers["developer"])
    _say(basic, "DeveloperContact", answers["developer"])
    release = _add(root, "ReleaseInfo")
    stage = standing.get("alias")
    _say(release, "ReleaseStage", stage if text(card, "training_data") != "synthetic" else
         f"Demonstration. {SIMULATED}")  # fmt: skip
    _say(release, "ReleaseDate", None)
    version, digest = standing.get("version"), standing.get("digest")
    _say(release, "ReleaseVersion", f"{version} ({digest})" if version and digest else version)
    _say(release, "GlobalAvailability", None)
    if note := text(card, "regulatory_note"):
        _say(release, "RegulatoryApproval", f"None is claimed. {note}")
    summary = _add(root, "ModelSummary")
    _say(summary, "Summary", answers["output"])
    keywords = _add(summary, "Keywords")
    for keyword in (text(card, "outcome"), text(card, "branch_point"), text(card, "training_data")):
        if keyword is not None:
            _say(keywords, "Keyword", keyword)


def _uses(root: ET.Element, card: Mapping[str, Any], answers: Answers) -> None:
    uses = _add(root, "UsesAndDirections")
    _say(uses, "IntendedUseAndWorkflow", answers["intended_use"])
    _say(uses, "PrimaryIntendedUsers", answers["users"])
    _say(uses, "HowToUse", answers["role"])
    _say(uses, "TargetedPatientPopulation", answers["population"])
    _say(uses, "CautionedOutOfScopeSettings", answers["cautions"])
    warnings = _add(root, "Warnings")
    _say(warnings, "KnownRisksAndLimitations", answers["limits"])
    _say(warnings, "KnownBiasesOrEthicalConsiderations", answers["personal_inputs"])
    _say(warnings, "ClinicalRiskLevel", text(card, "regulatory_note"))


def _trust(root: ET.Element, card: Mapping[str, Any], answers: Answers) -> None:
    trust = _add(root, "TrustIngredients")
    facts = _add(trust, "AISystemFacts")
    inputs = texts(card, "model", "inputs")
    _say(facts, "OutcomesAndOutputs", answers["output"])
    _say(facts, "ModelType", text(card, "model", "form"))
    _say(facts, "InputDataSource", text(card, "cohort", "title"))
    _say(facts, "OutputAndInputDataTypes", _joined(
        [answers["output_type"], f"Inputs: {', '.join(inputs)}." if inputs else None]
    ))  # fmt: skip
    _say(facts, "DevelopmentDataCharacterization", _joined(
        [text(card, "cohort", "title"), text(card, "cohort", "citation"), _rows(card),
         answers["representativeness"]]
    ))  # fmt: skip
    _say(facts, "BiasMitigationApproaches", answers["bias_approach"])
    _say(facts, "OngoingMaintenance", _joined([answers["validity_monitoring"], answers["updates"]]))
    information = _add(trust, "TransparencyInformation")
    _say(information, "FundingSource", answers["funding"])
    _say(information, "StakeholdersConsulted", None)


def _metrics(root: ET.Element, card: Mapping[str, Any]) -> None:
    evaluation = part(card, "evaluation")
    metrics = _add(root, "KeyMetrics")
    _metric(
        metrics, card, "UsefulnessUsabilityEfficacy",
        "Discrimination or error, and calibration.",
        [_result(figure.label, figure) for figure in headline(evaluation)],
        "The interval, not the value, says how sure a figure is.",
    )  # fmt: skip
    _metric(
        metrics, card, "FairnessEquity",
        "The same figures for each group of patients that was looked at.",
        [
            _result(f"{group.name}, {figure.label}", figure)
            for group in subgroups(evaluation)
            for figure in (group.figure, group.observed_expected)
            if figure is not None
        ],
        "Groups under five are withheld; small groups have wide intervals.",
    )  # fmt: skip
    safety: list[Result] = []
    for label, path in (
        ("Share of observed values within the interval", ("interval", "coverage_held_out")),
        ("Declared level of the interval", ("interval", "level")),
        ("Share of held-out rows without a number", ("evaluation", "abstained", "share")),
    ):
        value = number(card, *path)
        if value is not None:
            safety.append((label, {"value": value}))
    _metric(
        metrics, card, "SafetyReliability", "Honest intervals, and no number where none is safe.",
        safety, " ".join(f"It abstains {when}." for when in texts(card, "abstains")) or None,
    )  # fmt: skip


def _metric(
    metrics: ET.Element,
    card: Mapping[str, Any],
    name: str,
    goal: str,
    results: Sequence[Result],
    interpretation: str | None,
) -> None:
    metric = _add(metrics, name)
    _say(metric, "MetricGoal", goal)
    told = _add(metric, "Results")
    for label, value in results or [(NOT_STATED, None)]:
        one = _add(told, "MetricResult")
        _say(one, "Label", label)
        _say(one, "ValueJson", json.dumps(value, sort_keys=True))
    _say(metric, "Interpretation", interpretation)
    rule = text(card, "cohort", "held_out_rule")
    _say(metric, "TestType", None if rule is None else "Internal: held-out rows of the same cohort")
    _say(metric, "TestingDataDescription", text(card, "cohort", "title"))
    _say(
        metric, "ValidationProcessAndJustification", None if rule is None else f"Held out: {rule}."
    )


def _resources(root: ET.Element, card: Mapping[str, Any]) -> None:
    resources = _add(root, "Resources")
    citation = text(card, "cohort", "citation")
    _say(resources, "PeerReviewedPublications",
         None if citation is None else f"None of this model. Of its training data: {citation}")  # fmt: skip
    _say(resources, "PatientConsentOrDisclosure", None)
    _say(root, "Bibliography", _bibtex(card))


def _bibtex(card: Mapping[str, Any]) -> str:
    """The cohort, as it is cited: nothing is taken apart that nobody took apart."""
    fields = [
        (name, said.translate({ord("{"): "(", ord("}"): ")", ord("\\"): "/"}))
        for name, said in (
            ("title", text(card, "cohort", "title")),
            ("note", text(card, "cohort", "citation")),
        )
        if said is not None
    ]
    lines = [f"  {name} = {{{said}}}" for name, said in fields]
    return "@misc{cohort,\n" + ",\n".join(lines) + "\n}" if lines else ""


def _rows(card: Mapping[str, Any]) -> str | None:
    fitted, held_out = (number(card, "cohort", f"rows_{part}") for part in ("fitted", "held_out"))
    if fitted is None or held_out is None:
        return None
    return f"Fitted on {int(fitted)} rows, evaluated on {int(held_out)} held-out rows."


def _result(label: str, figure: Figure) -> Result:
    value = {"value": figure.value}
    if figure.lower is not None and figure.upper is not None:
        value |= {"lower_95": figure.lower, "upper_95": figure.upper}
    return label, value


def _joined(said: Iterable[str | None]) -> str | None:
    return " ".join(one for one in said if one is not None) or None


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(parent, _tag(name))


def _say(parent: ET.Element, name: str, words: str | None) -> None:
    _add(parent, name).text = NO_XML.sub("\ufffd", NOT_STATED if words is None else words)
