"""One assessment: de-identified measurements in, the contract's answer out.

Pure: the same measurements and the same model digests give the same clinical content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.deid import POLICY_VERSION, Deidentified
from app.schemas.assessment_request import SET_ASIDE
from app.schemas.statuses import ABSTAINED, ANSWERED, FALLBACK, PARTIAL
from app.services.reference import References
from app.serving.slot import ServedModel, ServedPanel
from models.risk.assessment import NO_MODEL, Abstained, Answered
from models.risk.measure_next import Worth, worth_of_missing
from models.risk.reading import Reading
from models.vocabulary import IMPLAUSIBLE, BranchPoint, Intake, Vocabulary

Shown = tuple[str, float | str | bool | None, str | None]
NOBODY = Abstained(NO_MODEL)
SOCIAL = "social"
"""The group of inputs that tell how a patient lives."""
MEASURE_NEXT, REFERENCE = "measure_next", "reference"


def assess(
    request: Deidentified,
    intake: Intake,
    point: BranchPoint,
    vocabulary: Vocabulary,
    panel: ServedPanel,
    said: Sequence[Answered | Abstained],
    assessment_id: str,
) -> dict[str, Any]:
    """Answer one request, shaped as the contract has it.

    Parameters
    ----------
    intake : Intake
        What `models.vocabulary.settle` made of the request's measurements.
    panel : ServedPanel
        What answers the outcomes that are asked for, taken once for the whole request.
    said : sequence
        What `panel.assess` says of the intake's values.
    assessment_id : str
        Under which the answer will be recorded.
    """
    values = intake.values
    references = References(point, values, vocabulary)
    compare = REFERENCE in request.include
    answers = iter(said)
    given: list[tuple[ServedModel, Answered]] = []
    unseen = panel.never_seen(values)
    shown = _shown(panel.used, values, vocabulary)
    outcomes = []
    for name, served in panel.served:
        if served is None:
            outcomes.append(_without_model(name, NOBODY, references, point, vocabulary))
            continue
        answer = next(answers)
        if isinstance(answer, Abstained):
            outcomes.append(_without_model(name, answer, references, point, vocabulary))
            continue
        given.append((served, answer))
        mine = _as_read(served, values, shown) if unseen else shown
        body = _outcome(name, served, answer, mine, point, vocabulary)
        if compare and (reference := references.beside(name)) is not None:
            body["reference"] = reference
        outcomes.append(body)
    statuses = {outcome["status"] for outcome in outcomes}
    document = {
        "assessment_id": assessment_id,
        "episode_id": request.episode_id,
        "branch_point": point.id,
        "index_time": _rfc3339(request),
        "status": _overall(statuses),
        "decision_support_only": True,
        "outcomes": outcomes,
        "missing": [n for n in panel.used if shown[n][1] is None or n in unseen],
        "warnings": _warnings(request, intake, sorted(unseen), vocabulary),
        "suggestions": _suggestions(outcomes, point),
        "deidentification": {
            "policy_version": POLICY_VERSION,
            "kept": len(request.measurements) - len(intake.set_aside),
            "set_aside": len(intake.set_aside) + len(request.set_aside),
        },
    }
    if MEASURE_NEXT in request.include:
        document["measure_next"] = worth_measuring(given, Reading(values), vocabulary)
    if point.reference_scores and (compare or statuses != {ANSWERED}):
        document["reference_scores"] = references.points()
    return document


def _overall(statuses: set[str]) -> str:
    """All answered by models, none answered at all, or something between."""
    if statuses in ({ANSWERED}, {ABSTAINED}):
        return next(iter(statuses))
    return PARTIAL


def worth_measuring(
    given: Sequence[tuple[ServedModel, Answered]], patient: Reading, vocabulary: Vocabulary
) -> list[dict[str, Any]]:
    """Missing inputs that somebody can measure, by the most that any is expected to tell about an outcome."""
    most = {
        feature: max(could.items(), key=_bits)
        for feature, could in what_unknown_could_do(given, patient).items()
        if vocabulary.features[feature].group != SOCIAL
    }
    return [
        {"feature": feature, "outcome": outcome, "expected_information": worth.bits}
        for feature, (outcome, worth) in most.items()
    ]


def what_unknown_could_do(
    given: Sequence[tuple[ServedModel, Answered]], patient: Reading
) -> dict[str, dict[str, Worth]]:
    """Every missing input with what it could do to each outcome that it tells of.

    Inputs stand in the order of the most bits that they are expected to tell about any outcome. How a
    patient lives is among them: an income tells a model much, though it helps nobody at a bedside.
    """
    found: dict[str, dict[str, Worth]] = {}
    for served, answer in given:
        for feature, worth in worth_of_missing(served.model, patient, answer).items():
            found.setdefault(feature, {})[served.model.outcome] = worth
    return dict(
        sorted(found.items(), key=lambda item: (-max(map(_bits, item[1].items())), item[0]))
    )


def _bits(could: tuple[str, Worth]) -> float:
    return could[1].bits


def _rfc3339(request: Deidentified) -> str:
    return request.index_time.isoformat().replace("+00:00", "Z")


def _outcome(
    name: str,
    served: ServedModel,
    answer: Answered,
    shown: Mapping[str, Shown],
    point: BranchPoint,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    model, outcome = served.model, vocabulary.outcomes[name]
    body: dict[str, Any] = {
        "outcome": name,
        "kind": model.kind,
        "status": ANSWERED,
        "horizon_days": outcome.horizon_days,
    }
    if model.kind == "binary":
        bands = point.outcomes[name]
        body["probability"] = answer.prediction
        body["log_odds"] = answer.score
        body["band"] = None if bands is None else bands.band(answer.prediction)
        body["cohort_probability"] = model.cohort_value
        body["link"] = "logit"
    else:
        body["value"] = answer.prediction
        body["unit"] = outcome.unit
        body["cohort_value"] = model.cohort_value
        body["link"] = "identity"
    body["interval"] = {
        "lower": answer.lower,
        "upper": answer.upper,
        "level": model.interval.level,
        "method": model.interval_method,
    }
    body["base_value"] = answer.base_value
    body["attributions"] = _attributions(answer, model.features, shown)
    body["model"] = served.reference
    return body


def _attributions(
    answer: Answered, features: Sequence[str], shown: Mapping[str, Shown]
) -> list[dict[str, Any]]:
    """Every input of the model, largest magnitude first, missing ones included."""
    contributions = answer.contributions.tolist()
    return [
        {
            "feature": name,
            "value": value,
            "unit": unit,
            "contribution": contributions[i],
            "present": value is not None,
        }
        for i in (-np.abs(answer.contributions)).argsort(kind="stable").tolist()
        for name, value, unit in (shown[features[i]],)
    ]


def _shown(
    names: Sequence[str], values: Mapping[str, float], vocabulary: Vocabulary
) -> dict[str, Shown]:
    """Name, value and unit of inputs in the reader's terms; None for what is missing."""
    features, found = vocabulary.features, {}
    for name in names:
        feature, value = features[name], values.get(name)
        found[name] = name, None if value is None else feature.show(value), feature.unit
    return found


def _as_read(
    served: ServedModel, values: Mapping[str, float], shown: Mapping[str, Shown]
) -> Mapping[str, Shown]:
    """The same as one model reads it: a category that its patients never had is missing."""
    never = served.model.never_seen(values)
    return {**shown, **{name: (name, None, shown[name][2]) for name in never}}


def _without_model(
    name: str,
    answer: Abstained,
    references: References,
    point: BranchPoint,
    vocabulary: Vocabulary,
) -> dict[str, Any]:
    """A published score in the model's place, or an abstention with what is known of the score."""
    outcome = vocabulary.outcomes[name]
    body: dict[str, Any] = {
        "outcome": name,
        "kind": outcome.kind,
        "status": ABSTAINED,
        "reason": answer.reason,
    }
    if answer.features:
        body["features"] = list(answer.features)
    if (instead := references.instead(name)) is not None:
        bands = point.outcomes[name]
        band = None if bands is None else bands.band(instead["probability"])
        return body | instead | {
            "status": FALLBACK,
            "horizon_days": outcome.horizon_days,
            "band": band,
        }  # fmt: skip
    if (reference := references.beside(name)) is not None:
        body["reference"] = reference
    return body


def _warnings(
    request: Deidentified, intake: Intake, unseen: list[str], vocabulary: Vocabulary
) -> list[dict[str, str]]:
    found = []
    for name, reason in intake.set_aside:
        feature = vocabulary.features[name]
        detail = "set aside, not used"
        if reason == IMPLAUSIBLE and feature.plausible is not None:
            low, high = feature.plausible
            whole = "whole numbers " if feature.integer else ""
            detail = f"set aside: plausible are {whole}{low:g} to {high:g} {feature.unit}"
        elif reason == "later_than_index_time":
            detail = "set aside: measured after the index time"
        elif reason == "too_old":
            detail = "set aside: older than its declared maximum age"
        found.append({"code": reason, "feature": name, "detail": detail})
    for name, reason in request.set_aside:
        detail = f"set aside: {SET_ASIDE[reason]}"
        if name in intake.values:
            detail += "; another value is used"
        found.append({"code": reason, "feature": name, "detail": detail})
    found += [
        {
            "code": "unseen_category",
            "feature": name,
            "detail": "no fitting patient had this category: treated as missing",
        }
        for name in unseen
    ]
    if request.protected:
        detail = "protected identity: no pseudonym was made, the care unit is not kept"
        found.append({"code": "protected_identity", "detail": detail})
    if request.undeclared_unit:
        detail = "the care unit is not a declared one: not kept"
        found.append({"code": "undeclared_unit", "detail": detail})
    return found


def _suggestions(outcomes: list[dict[str, Any]], point: BranchPoint) -> list[dict[str, str]]:
    """Actions whose outcome lies in one of their bands; suggested, never ordered."""
    bands = {body["outcome"]: body.get("band") for body in outcomes}
    return [
        {"id": action.id, "label": action.label_en}
        for action in point.actions
        if bands.get(action.outcome) in action.bands
    ]
