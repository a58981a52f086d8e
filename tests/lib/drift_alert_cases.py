"""Cases of the alerts of drift."""

from __future__ import annotations

from tests.lib.alert_cases import Case, Fired, steady

OF = {"model": "icu-review.death_180d", "version": "7"}
OF_MODEL = 'model="icu-review.death_180d", version="7"'
OF_FEATURE = f'{OF_MODEL}, feature="albumin"'
NAME = "icu-review.death_180d version 7"


def _index(subject: str, window: str, index: float | None, bins: int, total: float) -> dict:
    who = OF_FEATURE if subject == "feature" else OF_MODEL
    series = {
        f"risk:{subject}_bins{{{who}}}": steady(bins),
        f"risk:{subject}_total:{window}{{{who}}}": steady(total),
    }
    if index is not None:
        series[f"risk:{subject}_psi:{window}{{{who}}}"] = steady(index)
    return series


def _feature(window: str, severity: str, beyond: str) -> Fired:
    return Fired(
        {**OF, "feature": "albumin", "severity": severity, "window": window},
        f"albumin of {NAME} is distributed otherwise than when fitted",
        f"Over {window}, the stability index of albumin is {beyond} above what chance gives; {NAME}.",
    )


def _prediction(window: str, severity: str, beyond: str) -> Fired:
    return Fired(
        {**OF, "severity": severity, "window": window},
        f"{NAME} predicts otherwise than when fitted",
        f"Over {window}, the stability index of the predictions of {NAME} is {beyond} above what chance "
        "gives.",
    )


def _surge(name: str, window: str, live: float, fitted: float, total: int) -> dict[str, str]:
    return {
        f"risk:feature_{name}_ratio:{window}{{{OF_FEATURE}}}": steady(live),
        f'risk:feature_reference_share{{{OF_FEATURE}, bin="{name}"}}': steady(fitted),
        f"risk:feature_total:{window}{{{OF_FEATURE}}}": steady(total),
    }


def _surged(what: str, window: str, beyond: str) -> Fired:
    return Fired(
        {**OF, "feature": "albumin", "severity": "warning", "window": window},
        f"albumin is {what} more often than when {NAME} was fitted",
        f"Over {window}, the share of {what} values of albumin is {beyond} above what fitting and chance "
        f"explain; {NAME}.",
    )


def _drift() -> list[Case]:
    found = []
    for alert, subject, fired in (
        ("RiskFeatureDrift", "feature", _feature),
        ("RiskPredictionDrift", "prediction", _prediction),
    ):
        # 0.6 - 12 / 400 = 0.57; 0.12 - 10 / 10,000 = 0.119
        day, month = _index(subject, "1d", 0.6, 13, 400), _index(subject, "30d", 0.12, 11, 10_000)
        # 0.28 - 40 / 400 = 0.18
        many_bins = _index(subject, "1d", 0.28, 41, 400)
        found += [
            Case(alert, "a large shift in a day", day, "70m", (fired("1d", "warning", "0.57"),)),
            Case(alert, "not yet an hour", day, "50m"),
            Case(alert, "a moderate shift in a month", month, "70m", (fired("30d", "info", "0.12"),)),
            Case(alert, "41 bins look like drift by chance", many_bins, "70m"),
            Case(alert, "too few for an index", _index(subject, "1d", None, 13, 120), "70m"),
        ]  # fmt: skip
    return found


def _surges() -> list[Case]:
    """Beyond chance: live - fitted - 3 sqrt(fitted (1 - fitted) / assessments)."""
    found = []
    for alert, name, what in (
        ("RiskMissingSurge", "missing", "missing"),
        ("RiskImplausibleSurge", "implausible", "implausible"),
        ("RiskUnseenSurge", "unseen", "unseen in fitting"),
    ):
        found += [
            # 0.5 - 0.1 - 3 sqrt(0.09 / 100) = 0.31
            Case(alert, "within an hour", _surge(name, "1h", 0.5, 0.1, 100), "20m",
                 (_surged(what, "1h", "31%"),)),
            # 0.25 - 0.1 - 3 sqrt(0.09 / 10,000) = 0.141
            Case(alert, "over a day", _surge(name, "1d", 0.25, 0.1, 10_000), "70m",
                 (_surged(what, "1d", "14.1%"),)),
            # 0.2 - 0.1 - 3 sqrt(0.09 / 50) = -0.03
            Case(alert, "ten of fifty can be chance", _surge(name, "1h", 0.2, 0.1, 50), "20m"),
            Case(alert, "as many as when fitted", _surge(name, "1d", 0.3, 0.3, 10_000), "70m"),
            Case(alert, "none at all: an empty bin", _surge(name, "1h", 0.0, 0.1, 1000), "20m"),
        ]  # fmt: skip
    return found


_MOVED = f"risk:explanation_drift:1d{{{OF_MODEL}}}"
DRIFT_CASES = [
    *_drift(),
    *_surges(),
    Case("RiskExplanationDrift", "a quarter has moved", {_MOVED: steady(0.25)}, "70m",
         (Fired({**OF, "severity": "warning"},
                f"{NAME} explains itself by other features than when it was fitted",
                f"Over 1d, 25% of the explanation of {NAME} has moved to other features."),)),
    Case("RiskExplanationDrift", "at the limit, not over it", {_MOVED: steady(0.2)}, "70m"),
    Case("RiskExplanationDrift", "too few answers", {}, "70m"),
]  # fmt: skip
