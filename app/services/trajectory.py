"""The path of an episode: each outcome's answers in time order, and what moved the risk between two.

Scores add up from a base value and one contribution per input. The difference of two scores is
therefore the difference of the base values plus that of every contribution, exactly; where the two
answers come from different models (another branch point, another version), the base value and inputs
that only one of them reads carry what the change of model did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = ("probability", "value", "band", "reason")
Answer = Mapping[str, Any]


def trajectory(answers: Sequence[Answer]) -> dict[str, list[dict[str, Any]]]:
    """Each outcome's answers over an episode.

    Parameters
    ----------
    answers : sequence of dict
        Assessment answers in the order of their index times.

    Returns
    -------
    dict
        Outcome to a list of points. A point with a score, after an earlier one, has `change`: what
        moved since then.
    """
    path: dict[str, list[dict[str, Any]]] = {}
    last: dict[str, tuple[str, Answer]] = {}
    for answer in answers:
        for outcome in answer["outcomes"]:
            name = outcome["outcome"]
            point = {
                "assessment_id": answer["assessment_id"],
                "branch_point": answer["branch_point"],
                "index_time": answer["index_time"],
                "status": outcome["status"],
                **{figure: outcome[figure] for figure in FIGURES if figure in outcome},
            }
            if "attributions" in outcome:
                if name in last:
                    since, before = last[name]
                    point["change"] = {"since": since, **change(before, outcome)}
                last[name] = answer["assessment_id"], outcome
            path.setdefault(name, []).append(point)
    return path


def change(before: Answer, after: Answer) -> dict[str, Any]:
    """What moved an outcome's score between two answers.

    Returns
    -------
    dict
        `score`: the difference, in log-odds or the outcome's unit; `base_value` and `features`: its
        parts, which add up to it, inputs that moved it most first; `probability` or `value`: the
        difference of what is shown; `same_model`: whether one model gave both.

    Examples
    --------
    Age counts 0.2 more, albumin was measured meanwhile and takes 0.5 off: 0.2 - 0.5 = -0.3.

    >>> def answer(score, *reasons):
    ...     named = [{"feature": n, "value": v, "contribution": c} for n, v, c in reasons]
    ...     return {"log_odds": score, "base_value": -1.0, "attributions": named, "model": {}}
    >>> moved = change(
    ...     answer(-0.5, ("age", 70, 0.5), ("albumin", None, 0.0)),
    ...     answer(-0.8, ("age", 71, 0.7), ("albumin", 38, -0.5)),
    ... )
    >>> round(moved["score"], 9), [f["feature"] for f in moved["features"]]
    (-0.3, ['albumin', 'age'])
    """
    reasons = [{r["feature"]: r for r in a["attributions"]} for a in (before, after)]
    features = [
        _moved(name, *(own.get(name) for own in reasons)) for name in reasons[0] | reasons[1]
    ]
    features.sort(key=lambda moved: (-abs(moved["change"]), moved["feature"]))
    shown = {
        figure: after[figure] - before[figure]
        for figure in ("probability", "value")
        if figure in before and figure in after
    }
    return {
        "same_model": _maker(before) == _maker(after),
        "score": _score(after) - _score(before),
        **shown,
        "base_value": after["base_value"] - before["base_value"],
        "features": [moved for moved in features if moved["change"] or moved["changed"]],
    }


def _score(outcome: Answer) -> float:
    score: float = outcome["log_odds"] if "log_odds" in outcome else outcome["value"]
    return score


def _maker(outcome: Answer) -> str | None:
    """What gave an answer: a model's digest or, in a fallback, a published score's name."""
    by: str | None = (
        outcome["model"].get("digest")
        if "model" in outcome
        else outcome.get("reference", {}).get("score")
    )
    return by


def _moved(name: str, before: Answer | None, after: Answer | None) -> dict[str, Any]:
    """One input's part; an input that a model does not read contributes nothing to it."""
    was, now = (reason and reason["value"] for reason in (before, after))
    contributions = [reason["contribution"] if reason else 0.0 for reason in (before, after)]
    return {
        "feature": name,
        "before": was,
        "after": now,
        "changed": was != now,
        "change": contributions[1] - contributions[0],
    }
