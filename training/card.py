"""The model card: what a model is for, what it was made from, how well it does, where it stops."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

from models.card import source_attributes
from models.card.said import HELD_OUT_ONLY, SIMULATED, one_cohort
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary
from training.cohort import Cohort
from training.lineage import LIBRARIES, code_digest

PRODUCT = "complication-risk"


@dataclass(frozen=True, slots=True)
class Making:
    """How a model came to be: words for its card, tags for its version.

    Attributes
    ----------
    form : str
        How it predicts.
    calibrated_on : str
        The predictions that its calibration was fitted on.
    limits : tuple of str
        What limits this model beside what limits every one of its cohort.
    tags : mapping
        Lineage, where it was not fitted here.
    """

    form: str
    calibrated_on: str = "out-of-fold predictions"
    limits: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def build_card(
    model: RiskModel,
    making: Making,
    cohort: Cohort,
    evaluation: Mapping[str, Any],
    fitted_rows: int,
    vocabulary: Vocabulary,
    *,
    seed: int | None = None,
    fingerprint: str = "",
) -> dict[str, Any]:
    """Gather the card's content; every figure comes from the evaluation or the model itself.

    Parameters
    ----------
    seed, fingerprint
        Of the fit (`training.lineage`): with the same ones it would only be made again. Left out
        where a model was not fitted here.
    """
    point = vocabulary.branch_points[model.branch_point]
    outcome = vocabulary.outcomes[model.outcome]
    source = cohort.source
    card = {
        "name": model.name,
        "outcome": outcome.label_en,
        "definition": outcome.definition,
        "competing_event": outcome.competing,
        "horizon_days": outcome.horizon_days,
        "branch_point": point.title_en,
        "question": point.question_en,
        "intended_purpose": point.intended_purpose,
        "intended_users": point.who,
        "regulatory_note": point.regulatory_note,
        "decision_support_only": True,
        "must_not_be_used_for": [
            "deciding or ordering anything by itself",
            "patients unlike the cohort below; the model abstains where it can tell",
            "proving that an action would change the outcome: it predicts, it does not explain causes",
        ],
        "training_data": model.training_data,
        "cohort": {
            "title": source.title,
            "citation": source.citation,
            "licence": source.licence,
            "rows_fitted": fitted_rows,
            "rows_held_out": evaluation["rows"],
            "held_out_rule": f"rows whose {'patient ' if source.patient_id else ''}number is "
            f"divisible by {source.divisible_by}",
            "cohort_value": model.cohort_value,
        },
        "model": {
            "form": making.form,
            "inputs": list(model.features),
            "required": list(model.required),
            "calibration": f"linear {'on the log-odds' if model.kind == 'binary' else 'in the unit'}"
            f", fitted on {making.calibrated_on}",
            "attributions": "exact Shapley values; base value plus contributions is the calibrated "
            + ("log-odds" if model.kind == "binary" else "value"),
        },
        "interval": {
            "method": model.interval_method,
            "level": model.interval.level,
            "coverage_held_out": evaluation["interval"]["coverage"],
        },
        "abstains": [
            "when a required input is missing or was set aside: " + ", ".join(model.required),
            "when a required number lies outside the fitted range, or the numbers together are "
            "farther from the fitting patients than all but one in a thousand of those were",
        ],
        "limits": [*_limits(cohort), *making.limits],
        "lineage": {
            "source": source.name,
            "seed": None if seed is None else str(seed),
            "fingerprint": fingerprint or None,
            "code": code_digest(),
            "made_with": {
                PRODUCT: version(PRODUCT),
                "python": platform.python_version(),
                **{name: version(name) for name in LIBRARIES},
            },
        },
        "evaluation": evaluation,
    }
    said = {"source_attributes": dict(source.stated)}
    answers = {one.id: one.answer for one in source_attributes(card | said)}
    return card | {"source_attributes": answers}


def _limits(cohort: Cohort) -> list[str]:
    limits = [
        HELD_OUT_ONLY,
        one_cohort(cohort.source.title),
    ]
    if cohort.source.training_data == "synthetic":
        limits.insert(0, SIMULATED)
    return limits


def card_markdown(card: Mapping[str, Any]) -> str:
    """The card as Markdown, for people."""
    evaluation, cohort = card["evaluation"], card["cohort"]
    lines = [
        f"# {card['outcome']}",
        "",
        f"`{card['name']}` · {card['branch_point']} · training data: **{card['training_data']}**",
        "",
        *([f"**{SIMULATED}**", ""] if card["training_data"] == "synthetic" else []),
        "**Decision support only.** It predicts; it never decides.",
        "",
        "## What it predicts",
        "",
        card["definition"],
        "",
    ]
    if card["competing_event"]:
        lines += [f"Competing event: {card['competing_event']}.", ""]
    lines += ["## Intended purpose", "", card["intended_purpose"], "", "Must not be used for:", ""]
    lines += [f"- {item}" for item in card["must_not_be_used_for"]]
    lines += [
        "",
        "## Data",
        "",
        f"{cohort['title']} ({cohort['citation']}) Licence: {cohort['licence']}.",
        "",
        f"Fitted on {cohort['rows_fitted']} rows, evaluated on {cohort['rows_held_out']} held-out "
        f"rows ({cohort['held_out_rule']}).",
        "",
        "## Model",
        "",
        f"- Form: {card['model']['form']}",
        f"- Calibration: {card['model']['calibration']}",
        f"- Reasons: {card['model']['attributions']}",
        f"- Inputs: {', '.join(card['model']['inputs'])}",
        "",
        "## Held-out figures",
        "",
        "| figure | value | 95 % interval |",
        "|---|---|---|",
    ]
    for name, value in evaluation.items():
        if isinstance(value, Mapping) and {"value", "lower", "upper"} <= set(value):
            lines.append(f"| {name} | {_number(value['value'])} | {_range(value)} |")
    calibration = evaluation.get("calibration", {})
    for name in ("slope", "in_the_large", "ici"):
        if calibration.get(name) is not None:
            lines.append(f"| calibration: {name} | {_number(calibration[name])} | |")
    lines += ["", "## How sure", ""]
    interval = card["interval"]
    lines += [
        f"Intervals ({interval['level']:.0%}): {interval['method']}. Coverage on held-out rows: "
        f"{_number(interval['coverage_held_out'])}.",
        "",
        "Abstains:",
        "",
    ]
    lines += [f"- {item}" for item in card["abstains"]]
    for name, found in evaluation.get("comparators", {}).items():
        difference = found["difference"]["auroc"]
        lines += [
            "",
            f"Against {name.replace('_', ' ')} on the same {found['rows']} rows: AUROC "
            f"{_number(found['model']['auroc'])} against {_number(found['comparator']['auroc'])}, "
            f"difference {_number(difference['value'])} ({_range(difference)}).",
        ]
    for site in card.get("sites", []):
        lines += ["", "## Recalibrated for another site", "", _site(site)]
    lines += ["", "## Limits", ""]
    lines += [f"- {item}" for item in card["limits"]]
    return "\n".join(lines) + "\n"


def _site(site: Mapping[str, Any]) -> str:
    tests = ", ".join(
        f"{one['method']} p = {one['p']:.4f}" for one in site["closed_test"]["comparisons"]
    )
    return (
        f"{site['title']}: {site['method']}, estimated on {site['rows_fitting']} rows and judged on "
        f"{site['rows_held_out']} held-out ones, from version {site['from']['version']} "
        f"({site['from']['digest']}). Closed test against the refit: {tests}. Who is a stranger is "
        f"judged by the patients {site['familiarity']}. The figures above are of that site."
    )


def _number(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("value")
    return "not available" if value is None else f"{value:.3f}"


def _range(value: Mapping[str, Any]) -> str:
    return f"{_number(value['lower'])} to {_number(value['upper'])}"
