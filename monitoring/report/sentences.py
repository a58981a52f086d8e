"""What each part of a report means, in a sentence for whoever treats patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from monitoring.report.judged import (
    CLEARLY,
    INSIDE,
    SOMEWHAT,
    Row,
    Standing,
    feature_shift,
    limits,
    prediction_shift,
    signalled,
    standing,
)

MOST_NAMED = 6
SLOPE_ROOM = 0.2
"""A slope this far from 1 is called one; product proposal."""
WAYS: Mapping[Standing, str] = {
    "far above": "more events than predicted, beyond the 99.8 % limits",
    "above": "more events than predicted, beyond the 95 % limits",
    "below": "fewer events than predicted, beyond the 95 % limits",
    "far below": "fewer events than predicted, beyond the 99.8 % limits",
}
NOT_TOLD = "Too few patients, or withheld: nothing is said here."


def of_features(model: Row) -> str:
    """How many inputs differ from those of fitting."""
    shifts = [feature_shift(model, one) for one in model["features"]]
    told = [one for one in shifts if one is not None]
    if not told:
        return (
            "Nothing can be said of the inputs yet: an index needs 200 assessments and a model whose "
            "bundle says what it was fitted on."
        )
    far, some = told.count(CLEARLY), told.count(SOMEWHAT)
    if not far and not some:
        return f"In all {len(told)} inputs patients are like those the model was fitted on."
    more = f", and in {some} somewhat" if some else ""
    return (
        f"In {far} of {len(told)} inputs patients differ clearly from those the model was fitted "
        f"on{more}."
    )


def of_predictions(model: Row) -> str:
    """Whether the predictions are distributed as when fitted."""
    found = prediction_shift(model)
    if found is None:
        return "Nothing can be said of the predictions yet: an index needs 200 answers."
    how = {CLEARLY: "clearly otherwise than", SOMEWHAT: "somewhat otherwise than"}
    mean = model["mean_prediction"]
    average = (
        f" The average prediction is {share(mean)}."
        if mean is not None and model["brier_score_expected"] is not None
        else ""
    )
    return f"Predictions are distributed {how.get(found, 'about as')} when the model was fitted.{average}"


def of_reasons(model: Row, labels: Mapping[str, str] | None = None) -> str:
    """Whether the same inputs drive the risk; `labels` say what they are called."""
    moved = model["explanation_drift"]
    if moved is None:
        return "Nothing can be said of the reasons: no answers, or the bundle does not hold them."
    now = max(model["features"], key=lambda one: one["mean_absolute_contribution"] or 0.0)
    then = max(model["features"], key=lambda one: one["mean_absolute_contribution_fitted"] or 0.0)
    much = "much" if moved > limits()["explanation_drift"] else "little"
    called = labels or {}
    first, before = (called.get(one["feature"], one["feature"]) for one in (now, then))
    rest = "as it did when" if now is then else f"{before} did when"
    return (
        f"What drives the risk has changed {much}: {share(moved)} of the explanation has moved to "
        f"other inputs. {first} weighs most; {rest} the model was fitted."
    )


def of_outcomes(figures: Row) -> str:
    """Events against expected ones."""
    if figures["ratio"] is None or not figures["n"]:
        return NOT_TOLD if figures["n"] is None else "No outcome has become known in the window."
    lower, upper = figures["lower"], figures["upper"]
    if lower > 1:
        verdict = "more than chance explains: the model says too little"
    elif upper < 1:
        verdict = "fewer than chance explains: the model says too much"
    else:
        verdict = "chance can explain the difference"
    return (
        f"Of {figures['n']} assessments with a known outcome the event followed {figures['observed']}; "
        f"{figures['expected']:.1f} were expected, a ratio of {figures['ratio']:.2f} (95 % interval "
        f"{lower:.2f} to {upper:.2f}): {verdict}."
    )


def of_calibration(figures: Row) -> str:
    """How far predicted from observed risks are, and whether they are too extreme."""
    error, slope = figures["calibration_error"], figures["slope"]
    if error is None:
        return NOT_TOLD
    said = f"Predicted and observed risks are {100 * error:.1f} percentage points apart on average."
    if slope is None:
        return f"{said} There are too few events, or patients without, to say more."
    if slope < 1 - SLOPE_ROOM:
        return f"{said} High risks are told too high and low ones too low (slope {slope:.2f})."
    if slope > 1 + SLOPE_ROOM:
        return f"{said} Risks are told too near to the average (slope {slope:.2f})."
    return f"{said} High and low risks are told apart as far as they should (slope {slope:.2f})."


def of_units(units: Sequence[Row], what: str = "unit") -> str:
    """Which units, or which subgroups, lie outside the funnel."""
    found = [(one[what], standing(one["figures"])) for one in units]
    known = [(name, where) for name, where in found if where is not None]
    if not known:
        return f"Of no {what} is an outcome known, or all are withheld."
    outside = [f"{name} ({WAYS[where]})" for name, where in known if where != INSIDE]
    if not outside:
        return (
            f"In none of {len(known)} {what}s is the number of events outside of what chance gives."
        )
    chance = (
        f" Of twenty {what}s one is outside the 95 % limits by chance." if len(known) > 1 else ""
    )
    return (
        f"Outside of what chance gives: {len(outside)} of {len(known)} {what}s, "
        f"{enumerated(outside)}.{chance}"
    )


def of_charts(charts: Sequence[Row]) -> str:
    """Which units' charts have signalled."""
    if not charts:
        return "No unit has a chart yet."
    ways = {"worse": "more events than predicted", "better": "fewer events than predicted"}
    found = [
        f"{chart['unit']} ({' and '.join(ways[way] for way in signalled(chart))})"
        for chart in charts
        if signalled(chart)
    ]
    if not found:
        return "No unit's chart has signalled since the ledger began."
    return f"Signals since the ledger began: {enumerated(found)}."


def enumerated(names: Iterable[str]) -> str:
    """Some names, and how many more.

    Examples
    --------
    >>> enumerated("abcdefgh")
    'a, b, c, d, e, f and 2 more'
    """
    every = list(names)
    more = len(every) - MOST_NAMED
    return ", ".join(every[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def share(value: float) -> str:
    """A share in per cent.

    Examples
    --------
    >>> share(0.1234), share(0.004), share(0.0004), share(0.0)
    ('12 %', '0.4 %', 'under 0.1 %', '0 %')
    """
    if 0 < value < 0.001:
        return "under 0.1 %"
    return f"{100 * value:.1f} %" if 0 < value < 0.01 else f"{100 * value:.0f} %"
