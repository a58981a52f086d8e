"""A stored answer as a FHIR R4 RiskAssessment: one resource, a prediction for each outcome.

Built from the answer as it was given, so that a later GET shows the same predictions. What the ledger
does not keep cannot come back: later the subject is the pseudonym, and `basis` is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.schemas.statuses import ABSTAINED, FALLBACK, SILENT
from models.tripwire import find_identifiers
from models.vocabulary import Vocabulary

SYSTEMS = "urn:x-complication-risk"
RISK_PROBABILITY = "http://terminology.hl7.org/CodeSystem/risk-probability"
UCUM = "http://unitsofmeasure.org"
EXPECTED_VALUE = f"{SYSTEMS}:expected-value"
"""Extension of a prediction: a RiskAssessment has no place for an expected number."""
# Bands are the branch point's own; which word of HL7's list each comes nearest is a product proposal.
QUALITATIVE = {
    "low": ("low", "Low likelihood"),
    "intermediate": ("moderate", "Moderate likelihood"),
    "elevated": ("high", "High likelihood"),
    "high": ("high", "High likelihood"),
}
STRONGEST = 5
_REFERENCE = re.compile(r"(?:[A-Z][A-Za-z]{2,30}/|urn:uuid:)([A-Za-z0-9\-.]{1,64})")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_AS_LONG_AS_A_BIRTH_DATE = re.compile(r"\d([-.]?\d){7}")


def risk_assessment(
    answer: Mapping[str, Any],
    vocabulary: Vocabulary,
    *,
    subject_id: str | None = None,
    patient: str | None = None,
    basis: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Shape an answer as a RiskAssessment.

    In R4 `probabilityDecimal` is a percentage.

    Parameters
    ----------
    answer : mapping
        An assessment answer.
    subject_id : str, optional
        The patient's pseudonym: the subject where `patient` is not at hand.
    patient : str, optional
        The patient as the caller named it. It is used only where its id is a UUID, or has digits
        but not as many in a row as a date of birth, and no identifier of a person is seen in it;
        so are the references of `basis`.
    """
    outcomes = answer["outcomes"]
    assessment_id = answer["assessment_id"]
    answered = [outcome for outcome in outcomes if outcome["status"] != ABSTAINED]
    resource: dict[str, Any] = {
        "resourceType": "RiskAssessment",
        "id": assessment_id,
        "identifier": [{"system": f"{SYSTEMS}:assessment", "value": assessment_id}],
        # Of a silent answer R4's `registered` holds to the letter: "the existence of the observation
        # is registered, but there is no result yet available"; `preliminary` would promise one.
        "status": "registered" if answer["status"] == SILENT else "final",
        "method": _method(answer, answered),
        "subject": _subject(patient, subject_id),
        "occurrenceDateTime": answer["index_time"],
    }
    if answer["episode_id"] is not None:
        episode = {"system": f"{SYSTEMS}:episode", "value": answer["episode_id"]}
        resource["encounter"] = {"identifier": episode}
    used = {item["feature"] for outcome in answered for item in outcome["attributions"]}
    references = dict.fromkeys(source for feature, source in basis if feature in used)
    if listed := [{"reference": one} for one in references if _may_be_repeated(one)]:
        resource["basis"] = listed
    if predictions := [_prediction(outcome, vocabulary) for outcome in answered]:
        resource["prediction"] = predictions
    if suggestions := [suggestion["label"] for suggestion in answer["suggestions"]]:
        resource["mitigation"] = "Suggested, never ordered: " + "; ".join(suggestions)
    resource["note"] = [{"text": "Decision support only: it predicts, it never decides."}]
    if answer["status"] == SILENT:
        resource["note"].append({"text": "Silent mode: recorded, and nothing of the risk is told."})
    for outcome in outcomes:
        if outcome["status"] == ABSTAINED:
            missing = ", ".join(outcome.get("features", ()))
            said = f"No answer for {_label(outcome, vocabulary)}: {outcome['reason']}"
            resource["note"].append({"text": f"{said} ({missing})" if missing else said})
    return resource


def _subject(patient: str | None, subject_id: str | None) -> dict[str, Any]:
    if patient is not None:
        reference = patient if "/" in patient or ":" in patient else f"Patient/{patient}"
        if _may_be_repeated(reference):
            return {"reference": reference, "type": "Patient"}
    if subject_id is not None:
        return {
            "type": "Patient",
            "identifier": {"system": f"{SYSTEMS}:subject", "value": subject_id},
        }
    return {"type": "Patient", "display": "not stored"}


def _may_be_repeated(reference: str) -> bool:
    """Whether an id is of the kind that systems count or draw, not one that tells who somebody is.

    Some systems make ids of personal numbers, and people mistype those; others of names.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return False
    if _UUID.fullmatch(match[1]):
        return True
    return (
        any(character.isdigit() for character in match[1])
        and not _AS_LONG_AS_A_BIRTH_DATE.search(match[1])
        and not find_identifiers(match[1])
    )


def _method(answer: Mapping[str, Any], answered: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Models and scores that answered, in the order of the predictions."""
    coding = []
    for outcome in answered:
        if (model := outcome.get("model")) is not None:
            coding.append(
                {
                    "system": f"{SYSTEMS}:model",
                    "version": str(model["version"]),
                    "code": model["name"],
                }
            )
        else:
            score = outcome["reference"]["score"]
            coding.append({"system": f"{SYSTEMS}:reference-score", "code": score})
    unique = list({tuple(code.items()): code for code in coding}.values())
    text = f"Complication-risk service, branch point {answer['branch_point']}"
    return {"coding": unique, "text": text} if unique else {"text": text}


def _label(outcome: Mapping[str, Any], vocabulary: Vocabulary) -> str:
    declared = vocabulary.outcomes.get(outcome["outcome"])
    return declared.label_en if declared is not None else str(outcome["outcome"])


def _prediction(outcome: Mapping[str, Any], vocabulary: Vocabulary) -> dict[str, Any]:
    label = _label(outcome, vocabulary)
    coding = {"system": f"{SYSTEMS}:outcome", "code": outcome["outcome"], "display": label}
    made: dict[str, Any] = {"outcome": {"coding": [coding], "text": label}}
    if outcome["kind"] == "binary":
        # To a thousand-millionth of a percent: what is left of the product is rounding.
        made["probabilityDecimal"] = round(outcome["probability"] * 100, 10)
        if (band := outcome.get("band")) in QUALITATIVE:
            code, display = QUALITATIVE[band]
            made["qualitativeRisk"] = {
                "coding": [{"system": RISK_PROBABILITY, "code": code, "display": display}],
                "text": band,
            }
    else:
        expected = {"value": outcome["value"], "unit": outcome["unit"]}
        made["extension"] = [{"url": EXPECTED_VALUE, "valueQuantity": expected}]
    if outcome["horizon_days"] is not None:
        made["whenRange"] = {"low": _days(0), "high": _days(outcome["horizon_days"])}
    made["rationale"] = _rationale(outcome)
    return made


def _days(count: int) -> dict[str, Any]:
    return {"value": count, "unit": "d", "system": UCUM, "code": "d"}


def _rationale(outcome: Mapping[str, Any]) -> str:
    """The interval, the cohort and the strongest reasons, in words."""
    percent = outcome["kind"] == "binary"
    said = []
    if (interval := outcome.get("interval")) is not None:
        low, high = (_number(interval[bound], outcome, percent) for bound in ("lower", "upper"))
        said.append(f"{interval['level']:.0%} interval {low} to {high}")
    cohort = outcome.get("cohort_probability", outcome.get("cohort_value"))
    if cohort is not None:
        said.append(f"cohort {_number(cohort, outcome, percent)}")
    if outcome["status"] == FALLBACK:
        score = outcome["reference"]["score"]
        said.append(f"published score {score}, because the model did not answer")
        said[-1] += f": {outcome['reason']}"
    reasons = [
        f"{item['feature']} {_value(item)} ({item['contribution']:+.2f})"
        for item in outcome["attributions"][:STRONGEST]
    ]
    scale = "log-odds" if outcome["link"] == "logit" else outcome["unit"]
    if reasons:
        said.append(f"strongest reasons ({scale}): " + ", ".join(reasons))
    return "; ".join(said)


def _number(value: float, outcome: Mapping[str, Any], percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else f"{value:.4g} {outcome['unit']}"


def _value(item: Mapping[str, Any]) -> str:
    if not item["present"]:
        return "missing"
    value = item["value"]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        value = f"{value:g}"
    unit = item["unit"]
    return f"{value}" if unit is None or unit == "1" or "{" in unit else f"{value} {unit}"


def answer_bundle(assessment: dict[str, Any], outcome: dict[str, Any] | None) -> dict[str, Any]:
    """The collection that `$assess` answers: the RiskAssessment, and what there is to warn of."""
    entries = [{"fullUrl": f"urn:uuid:{assessment['id']}", "resource": assessment}]
    if outcome is not None:
        entries.append({"fullUrl": f"{SYSTEMS}:warnings:{assessment['id']}", "resource": outcome})
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}
