"""The subgroup that a model serves worst, from an evaluation's own table of subgroups.

Small groups are noisy, and among many groups the worst looks bad by luck. So each group is given the
benefit of the doubt: what counts is the end of its 95% interval that is nearer to good. A group
fails when even that end is not good enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# With fewer events or non-events a percentile interval is too narrow to be taken at its word.
FEWEST_EVENTS = 20
# Of a number (days, kronor) the mean of a hundred has a standard error near a tenth.
FEWEST_PATIENTS = 100
NONE_LARGE = "no subgroup is large enough"


def worst_subgroup(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """How far off the worst subgroup is; None when the evaluation has no table of subgroups.

    Returns
    -------
    dict
        - `miscalibration`: `value` is the ratio by which the risks (numbers: the mean) are wrong at
          least, 1 for not at all; binary groups with 20 events and non-events, numeric ones with
          100 patients, each with a ratio that is shown.
        - `discrimination` (binary): `value` is the lowest upper end of an AUROC's interval; also of
          groups whose counts are withheld beside a small one.

        `where` names the group; with no group large enough `value` is 1.

    Examples
    --------
    Between 1.3 and 2 times as many events as predicted: 1.3 times at least.

    >>> group = {"suppressed": False, "n": 500, "events": 60, "auroc": {"upper": 0.8},
    ...          "observed_expected": {"value": 1.6, "lower": 1.3, "upper": 2.0}}
    >>> worst_subgroup({"kind": "binary", "subgroups": {"sex": {"female": group}}})
    {'miscalibration': {'value': 1.3, 'where': 'sex: female'},
     'discrimination': {'value': 0.8, 'where': 'sex: female'}}
    """
    if not isinstance(evaluation.get("subgroups"), Mapping):
        return None
    if evaluation.get("kind") == "numeric":
        ratios = {where: _mean_ratio(g) for where, g in _groups(evaluation) if _many(g)}
        return {"miscalibration": _extreme(ratios, max)}
    groups = list(_groups(evaluation))
    ratios = {where: _at_least(g["observed_expected"]) for where, g in groups if _known(g)}
    areas = {where: g["auroc"]["upper"] for where, g in groups if _known(g) or g["n"] is None}
    areas = {where: upper for where, upper in areas.items() if upper is not None}
    return {"miscalibration": _extreme(ratios, max), "discrimination": _extreme(areas, min)}


def _groups(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for grouping, values in evaluation["subgroups"].items():
        for label, group in values.items():
            if not group["suppressed"]:
                yield f"{grouping}: {label}", group


def _known(group: Mapping[str, Any]) -> bool:
    n, events = group["n"], group["events"]
    return n is not None and min(events, n - events) >= FEWEST_EVENTS


def _many(group: Mapping[str, Any]) -> bool:
    return group["n"] is not None and group["n"] >= FEWEST_PATIENTS


def _at_least(ratio: Mapping[str, float]) -> float:
    if ratio["lower"] > 1:
        return ratio["lower"]
    return 1 / ratio["upper"] if ratio["upper"] < 1 else 1.0


def _mean_ratio(group: Mapping[str, Any]) -> float:
    observed, predicted = group["mean_observed"], group["mean_predicted"]
    if min(observed, predicted) <= 0:
        return float("inf") if observed != predicted else 1.0
    return float(max(observed / predicted, predicted / observed))


def _extreme(found: Mapping[str, float], pick: Any) -> dict[str, Any]:
    if not found:
        return {"value": 1.0, "where": NONE_LARGE}
    where = pick(found, key=found.__getitem__)
    return {"value": found[where], "where": where}
