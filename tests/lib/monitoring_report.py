"""A report's document by hand, as small as it can be and with every part."""

from __future__ import annotations

from typing import Any

SINCE_US, UNTIL_US = 1_792_708_000_000_000, 1_795_300_000_000_000  # 30 days to 2026-11-21
PLACE = {"branch_point": "icu-review", "outcome": "death_180d"}
NAME = "icu-review.death_180d"


def bins(*counts: int, fitted: tuple[float, ...] | None = None) -> list[dict[str, Any]]:
    """Missing, `up to 60`, `over 60` and so on; implausible and unseen last."""
    labels = ["missing", *(f"{i:02}: range {i}" for i in range(len(counts) - 3))]
    labels += ["implausible", "unseen"]
    shares = fitted or (1 / len(counts),) * len(counts)
    return [
        {"bin": label, "count": count, "fitted_ratio": share}
        for label, count, share in zip(labels, counts, shares, strict=True)
    ]


def feature(name: str, psi: float | None, *counts: int, **changed: Any) -> dict[str, Any]:
    total = sum(counts)
    return {
        "feature": name, "psi": psi, "js": None if psi is None else psi / 8,
        "missing_ratio": counts[0] / total, "missing_over_time": [counts[0] / total] * 12,
        "implausible_ratio": counts[-2] / total,
        "unseen_ratio": counts[-1] / total, "mean_absolute_contribution": 0.3,
        "mean_absolute_contribution_fitted": 0.3, "bins": bins(*counts), **changed,
    }  # fmt: skip


def asked(features: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """A version that answered 290 of 300 times."""
    return {
        "model": NAME, "version": "1", "answered": 290, "abstained": 10,
        "asked_over_time": [25] * 12, "mean_prediction": 0.25,
        "brier_score_expected": 0.15, "prediction_psi": 0.02, "explanation_drift": 0.05,
        "predictions": [
            {"bin": "00: up to 0.5", "count": 200, "fitted_ratio": 0.6},
            {"bin": "01: over 0.5", "count": 90, "fitted_ratio": 0.4},
        ],
        "features": features, **changed,
    }  # fmt: skip


def figures(n: int, observed: int, expected: float, **changed: Any) -> dict[str, Any]:
    return {
        "n": n, "observed": observed, "expected": expected, "ratio": observed / expected,
        "lower": 0.5 * observed / expected, "upper": 2 * observed / expected, "brier": 0.16,
        "brier_expected": 0.15, "calibration_error": 0.031, "slope": 0.7, "auroc": 0.81,
        "few": n < 5, "curve": [], **changed,
    }  # fmt: skip


def group(kind: str, name: str, n: int, observed: int, expected: float) -> dict[str, Any]:
    return {**PLACE, kind: name, "figures": figures(n, observed, expected)}


def chart(unit: str, *points: tuple[float, float, float, str | None]) -> dict[str, Any]:
    """Points: worse, better, VLAD, signal."""
    return {
        **PLACE, "unit": unit, "patients": len(points), "vlad": points[-1][2] if points else 0.0,
        "limits": {"worse": 2.0, "better": 1.0},
        "signals": {w: sum(p[3] == w for p in points) for w in ("worse", "better")},
        "points": [
            {"at": f"2026-11-01T{i:02}:00:00.000Z", "worse": worse, "better": better, "vlad": vlad,
             "signal": signal}
            for i, (worse, better, vlad, signal) in enumerate(points)
        ],
    }  # fmt: skip


def document(**performance: Any) -> dict[str, Any]:
    """Two inputs, of which age has moved; 100 outcomes in two units."""
    curve = [
        {"bin": "03: 0.05 to 0.1", "n": 60, "observed": 6, "expected": 4.5},
        {"bin": "07: 0.4 to 0.5", "n": 40, "observed": 20, "expected": 18.0},
    ]
    told = {
        "ledger": "0123456789ab", "since": "2026-10-22T22:26:40.000Z",
        "until": "2026-11-21T22:26:40.000Z",
        "models": [
            {"model": NAME, "version": "1", "matured": 125, "coverage": 0.8,
             "figures": figures(100, 26, 22.5, curve=curve)}
        ],
        "units": [group("unit", "ward-1", 60, 12, 12.0), group("unit", "ward-2", 40, 14, 10.5)],
        "subgroups": [group("subgroup", "sex: female", 52, 16, 12.5),
                      group("subgroup", "sex: male", 48, 10, 10.0)],
        "delays": [{**PLACE, "reports": 100, "mean_s": 172_800.0, "median_s": 86_400.0}],
        "charts": [chart("ward-1", (0.5, 0.0, -0.5, None), (2.5, 0.0, -1.5, "worse"),
                         (0.25, 0.125, -1.25, None))],
        "cards": [{"branch_point": "icu-review", "accepted": 30, "overridden": 10,
                   "override_ratio": 0.25}],
        **performance,
    }  # fmt: skip
    features = [
        feature("sbp", 0.02, 0, 150, 150, 0, 0),
        feature("age", 0.6, 0, 60, 240, 0, 0, mean_absolute_contribution=0.9),
    ]
    drift = {
        "since_us": SINCE_US, "until_us": UNTIL_US, "assessments": 300,
        "models": [asked(features)], "without_profile": [],
    }  # fmt: skip
    return {"window": "30d", "drift": drift, "performance": told}
