"""Pictures of drift: who is asked about, what is answered and why, then and now."""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.vocabulary import Feature
from monitoring.counting.profile import IMPLAUSIBLE, UNSEEN
from monitoring.report.disclosure import MARK
from monitoring.report.judged import Row, asked_of
from monitoring.report.plot import Pair, Picture, bars
from monitoring.report.said import number, or_withheld, percent

NUMBERED = re.compile(r"^\d\d: ")
DECIMAL = re.compile(r"-?\d+\.\d+")
LARGE = 1000
MOST_REASONS = 12
THEN_AND_NOW = "Outlined bars: when the model was fitted; filled bars: now."


def distribution(
    title: str, bins: Sequence[Row], counted: int | None, declared: Feature | None = None
) -> Picture:
    """Shares of the bins of an input or of the predictions.

    Parameters
    ----------
    counted : int or None
        What the counts are shares of.
    declared : Feature, optional
        The input, for the labels of its categories.
    """
    pairs, rows = [], []
    for one in bins:
        name, count = range_of(one["bin"], declared), one["count"]
        now = None if count is None or not counted else count / counted
        # Nobody was implausible or unseen in fitting: without anybody now there is nothing to see.
        if one["bin"] not in (IMPLAUSIBLE, UNSEEN) or count != 0:
            pairs.append(Pair(name, one["fitted_ratio"], now))
        mark = "*" if one[MARK] and count is not None else ""
        rows.append((name, percent(one["fitted_ratio"]), percent(now), or_withheld(count) + mark))
    words = f"Share of patients in each range or group. {THEN_AND_NOW}"
    headings = ("range or group", "when fitted", "now", "patients now")
    return Picture(title, words, bars(title, words, pairs), headings, tuple(rows))


def predictions(model: Row) -> Picture:
    """Shares of the bins of the predictions."""
    told = [one["count"] for one in model["predictions"] if one["count"] is not None]
    counted = model["answered"] if model["answered"] is not None else sum(told)
    return distribution("Predictions: then and now", model["predictions"], counted)


def feature(model: Row, of: Row, label: str, declared: Feature | None = None) -> Picture:
    """Shares of the bins of one input, which may no longer be declared."""
    return distribution(f"{label}: then and now", of["bins"], asked_of(model), declared)


def reasons(model: Row, labels: dict[str, str]) -> Picture | None:
    """How much of all explanations each input makes up; None where nothing is told of it."""
    now = {one["feature"]: one["mean_absolute_contribution"] or 0.0 for one in model["features"]}
    then = {
        one["feature"]: one["mean_absolute_contribution_fitted"] or 0.0
        for one in model["features"]
    }  # fmt: skip
    if not sum(now.values()):
        return None
    now_all, then_all = sum(now.values()), sum(then.values())
    pairs = [
        Pair(
            labels.get(name, name), then[name] / then_all if then_all else None, value / now_all
        )
        for name, value in now.items()
    ]  # fmt: skip
    pairs.sort(key=lambda pair: -max(pair.then or 0.0, pair.now or 0.0))
    title = "What drives the risk: then and now"
    words = (
        "Each input's share of the explanation, as the mean size of what it adds to or takes from "
        f"the score. {THEN_AND_NOW}"
    )
    rows = [
        (pair.name, percent(pair.then), percent(pair.now), _points(pair)) for pair in pairs
    ]  # fmt: skip
    headings = ("input", "when fitted", "now", "change, percentage points")
    return Picture(title, words, bars(title, words, pairs[:MOST_REASONS]), headings, tuple(rows))


def range_of(label: str, declared: Feature | None = None) -> str:
    """A bin as people read it: without its place, and with as many digits as matter.

    Examples
    --------
    >>> range_of("01: 21.7551 to 24.6958"), range_of("00: up to 1234.5"), range_of("surgery")
    ('21.76 to 24.7', 'up to 1234', 'surgery')
    >>> from models.vocabulary import load_vocabulary
    >>> range_of("chf", load_vocabulary().features["disease_group"])
    'congestive heart failure'
    """
    if not NUMBERED.match(label):
        if declared is None or label not in declared.categories:
            return label
        return declared.category_label(label, "en")
    return DECIMAL.sub(_short, NUMBERED.sub("", label))


def _short(found: re.Match[str]) -> str:
    value = float(found[0])
    return f"{value:.0f}" if abs(value) >= LARGE else f"{value:.4g}"


def _points(pair: Pair) -> str:
    if pair.then is None or pair.now is None:
        return "-"
    return number(100 * (pair.now - pair.then), 1)
