"""Every reference score that reads the dictionary, by the id that branch points name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from models.errors import ContentInvalid
from models.reference_scores.news2 import NEWS2
from models.reference_scores.possum import P_POSSUM, POSSUM, POSSUM_MORTALITY
from models.reference_scores.qsofa import QSOFA
from models.reference_scores.rcri import RCRI
from models.reference_scores.rts import RTS, RTS_ARRIVAL, T_RTS, T_RTS_ARRIVAL
from models.reference_scores.score import ReferenceScore
from models.reference_scores.shock_index import SHOCK_INDEX, SHOCK_INDEX_PREHOSPITAL
from models.reference_scores.sort import SORT
from models.reference_scores.sort_morbidity import SORT_MORBIDITY
from models.reference_scores.surgical_apgar import SURGICAL_APGAR
from models.reference_scores.triss import TRISS
from models.vocabulary import Vocabulary

SCORES: Mapping[str, ReferenceScore] = MappingProxyType(
    {
        score.id: score
        for score in (
            SORT,
            SORT_MORBIDITY,
            POSSUM,
            POSSUM_MORTALITY,
            P_POSSUM,
            RCRI,
            NEWS2,
            SURGICAL_APGAR,
            RTS,
            T_RTS,
            RTS_ARRIVAL,
            T_RTS_ARRIVAL,
            TRISS,
            SHOCK_INDEX,
            SHOCK_INDEX_PREHOSPITAL,
            QSOFA,
        )
    }
)


def refuse_unknown_scores(vocabulary: Vocabulary) -> None:
    """Refuse a branch point that declares a score which is not here, or cannot read its inputs.

    Raises
    ------
    ContentInvalid
        Naming the branch point and the rule that does not hold.
    """
    for point in vocabulary.branch_points.values():
        for name in point.reference_scores:
            if name not in SCORES:
                known = ", ".join(SCORES)
                raise ContentInvalid(
                    f"{point.id}.toml", "reference_scores", f"`{name}` is not one of: {known}"
                )
            lacking = [f for f in SCORES[name].features if f not in point.features]
            if lacking:
                raise ContentInvalid(
                    f"{point.id}.toml",
                    f"reference score `{name}`",
                    f"reads what is no input here: {', '.join(lacking)}",
                )
