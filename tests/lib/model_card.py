"""A card that says everything a card can say, with numbers made up by hand."""

from __future__ import annotations

from typing import Any


def _figure(value: float, lower: float, upper: float) -> dict[str, float]:
    return {"value": value, "lower": lower, "upper": upper}


def full_card() -> dict[str, Any]:
    """The card of a model for yes or no; two groups, one of them withheld."""
    return {
        "name": "icu-review.death_180d",
        "outcome": "Death within 180 days",
        "definition": "Death from any cause.",
        "competing_event": None,
        "horizon_days": 180,
        "branch_point": "Intensive care review",
        "question": "Continue full treatment?",
        "intended_purpose": "Prognosis for a seriously ill adult in hospital.",
        "intended_users": "Intensivist and the responsible team",
        "regulatory_note": "Proposal: class IIb.",
        "decision_support_only": True,
        "must_not_be_used_for": ["deciding anything by itself", "children"],
        "training_data": "real",
        "cohort": {
            "title": "A cohort, five centres",
            "citation": "Somebody A et al. A journal 1995;1:1-2.",
            "licence": "MIT",
            "rows_fitted": 6829,
            "rows_held_out": 2272,
            "held_out_rule": "rows whose number is divisible by 4",
            "cohort_value": 0.35,
        },
        "model": {
            "form": "additive model",
            "inputs": ["age", "sex", "education_years", "creatinine"],
            "required": ["age"],
            "calibration": "linear on the log-odds",
            "attributions": "exact Shapley values",
        },
        "interval": {"method": "a method", "level": 0.9, "coverage_held_out": 0.95},
        "abstains": ["when a required input is missing: age"],
        "limits": ["No other hospital has been tested."],
        "lineage": {"source": "support2", "seed": "2026", "made_with": {"numpy": "2.4.6"}},
        "evaluation": {
            "kind": "binary",
            "rows": 2272,
            "prevalence": 0.25,
            "auroc": _figure(0.819, 0.801, 0.836),
            "brier": _figure(0.158, 0.15, 0.167),
            "calibration": {
                "slope": 1.01,
                "in_the_large": -0.04,
                "ici": 0.012,
                "observed_expected": _figure(0.98, 0.91, 1.05),
                "curve": [
                    {"predicted": 0.1, "observed": 0.12, "lower": 0.08, "upper": 0.17},
                    {"predicted": 0.9, "observed": 0.88, "lower": 0.8, "upper": 0.93},
                ],
                "deciles": [
                    {"mean_predicted": 0.2, "observed": 0.21, "lower": 0.1, "upper": 0.3, "n": 228}
                ],
            },
            "roc": {"false_positive_rate": [0.0, 0.3, 1.0], "sensitivity": [0.0, 0.8, 1.0]},
            "net_benefit": {
                "thresholds": [0.1, 0.5],
                "model": [0.28, 0.1],
                "treat_all": [0.27, -0.3],
                "treat_none": [0.0, 0.0],
                "comparators": {"physicians": {"model": [0.28, 0.1], "comparator": [0.26, 0.09]}},
            },
            "comparators": {
                "physicians": {
                    "rows": 1855,
                    "model": {"auroc": _figure(0.812, 0.79, 0.83)},
                    "comparator": {"auroc": _figure(0.809, 0.78, 0.82)},
                    "difference": {"auroc": _figure(0.003, -0.02, 0.026)},
                }
            },
            "subgroups": {
                "sex": {
                    "female": {
                        "suppressed": False,
                        "n": 981,
                        "auroc": _figure(0.811, 0.78, 0.84),
                        "observed_expected": _figure(0.98, 0.88, 1.09),
                    },
                    "male": {"suppressed": True, "n": None},
                }
            },
            "abstained": {"rows": 4, "share": 0.0018},
        },
    }


def numeric_card() -> dict[str, Any]:
    """The card of a model for a number."""
    card = full_card()
    return card | {
        "name": "icu-review.length_of_stay_days",
        "outcome": "Length of stay",
        "evaluation": {
            "kind": "numeric",
            "rows": 2272,
            "mae": _figure(11.6, 10.9, 12.3),
            "deciles": [
                {"mean_predicted": 8.0, "mean_observed": 7.7, "lower": 7.0, "upper": 8.5},
                {"mean_predicted": 30.0, "mean_observed": 31.0, "lower": 27.0, "upper": 35.0},
            ],
            "subgroups": {"sex": {"female": {"n": 981, "mae": _figure(12.3, 11.0, 13.6)}}},
        },
    }
