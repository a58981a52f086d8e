"""Published scores beside the models: for comparison, and in a model's place when it has no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.reference_scores import SCORES, NotCovered, ReferenceScore, Scored
from models.reference_scores.score import POINTS
from models.vocabulary import BranchPoint, Vocabulary


class References:
    """The scores that a branch point declares, for one patient; each is worked out once, when asked."""

    def __init__(
        self, point: BranchPoint, values: Mapping[str, float], vocabulary: Vocabulary
    ) -> None:
        self._values = values
        self._vocabulary = vocabulary
        self._scores = [SCORES[name] for name in point.reference_scores]
        self._known: dict[str, Scored | NotCovered] = {}

    def beside(self, outcome: str) -> dict[str, Any] | None:
        """What the published scores say of an outcome.

        The first declared score that is certain, else the first that gives a range; None where no
        score has a probability for the outcome.
        """
        found: dict[str, Any] | None = None
        for score in self._standing_for(outcome):
            scored = self._assess(score)
            if isinstance(scored, Scored):
                told = _told(score, scored, outcome)
                if scored.complete:
                    return told
                found = found or told
        return found

    def instead(self, outcome: str) -> dict[str, Any] | None:
        """The parts of an answer by the first declared score that is certain; None without one.

        Its points, in log-odds, are the attributions; they add up as a model's do.
        """
        for score in self._standing_for(outcome):
            scored = self._assess(score)
            if isinstance(scored, Scored) and scored.contributions is not None:
                return {
                    "probability": scored.probability,
                    "log_odds": scored.log_odds,
                    "link": "logit",
                    "base_value": scored.base_value,
                    "attributions": self._attributions(score, scored.contributions),
                    "reference": _told(score, scored, outcome),
                }
        return None

    def points(self) -> list[dict[str, Any]]:
        """Every declared score that counts points and has no probability, as far as it is known."""
        found = []
        for score in self._scores:
            if score.scale != POINTS:
                continue
            scored = self._assess(score)
            told: dict[str, Any] = {
                "score": score.id,
                "title": {"en": score.title_en, "sv": score.title_sv},
                "source": score.source,
            }
            if isinstance(scored, NotCovered):
                told |= {"reason": scored.reason, "missing": list(scored.features)}
            else:
                told |= {
                    "lowest": scored.lowest,
                    "highest": scored.highest,
                    "band": scored.band,
                    "missing": [*scored.missing, *scored.ambiguous],
                }
            found.append(told)
        return found

    def _standing_for(self, outcome: str) -> list[ReferenceScore]:
        return [score for score in self._scores if outcome in score.outcomes]

    def _assess(self, score: ReferenceScore) -> Scored | NotCovered:
        known = self._known.get(score.id)
        if known is None:
            known = self._known[score.id] = score.assess(self._values, self._vocabulary.features)
        return known

    def _attributions(
        self, score: ReferenceScore, contributions: Mapping[str, float]
    ) -> list[dict[str, Any]]:
        """Every feature that the score reads, largest magnitude first."""
        found = []
        for name in sorted(score.features, key=lambda name: -abs(contributions.get(name, 0.0))):
            feature, value = self._vocabulary.features[name], self._values.get(name)
            found.append(
                {
                    "feature": name,
                    "value": None if value is None else feature.show(value),
                    "unit": feature.unit,
                    "contribution": contributions.get(name, 0.0),
                    "present": value is not None,
                }
            )
        return found


def _told(score: ReferenceScore, scored: Scored, outcome: str) -> dict[str, Any]:
    """A probability, or its best and worst case when inputs are missing."""
    fit = score.outcomes[outcome]
    return {
        "score": score.id,
        "title": {"en": score.title_en, "sv": score.title_sv},
        "probability": scored.probability,
        "lowest": scored.probability_lowest,
        "highest": scored.probability_highest,
        "missing": [*scored.missing, *scored.ambiguous],
        "same_definition": fit.same_definition,
        "note": fit.note,
        "source": score.source,
    }
