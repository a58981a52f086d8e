"""Published scores, from their definitions: beside a model's answer, or in place of one.

Each score has a plain function with the clinic's own arguments, where a missing argument is None
and makes the answer None, and, where the dictionary has its inputs, a `ReferenceScore` in `SCORES`
that reads settled values and gives a range when some are missing. Neither ever takes a missing
finding for a normal one.

Left out, because no complete coefficients could be obtained: NORMIT 2 (only its structure is
public), the NTDB revision of TRISS (Schluter 2010, abstract only), and PQIP-CR (its worked examples
and intercept are at hand, its spline terms are not, and it reads the English deprivation index).
"""

from __future__ import annotations

from models.reference_scores.catalogue import SCORES, refuse_unknown_scores
from models.reference_scores.comprehensive_complication_index import (
    comprehensive_complication_index,
)
from models.reference_scores.days_at_home import days_alive_out_of_hospital, days_at_home
from models.reference_scores.kdigo import kdigo_creatinine_stage, kdigo_stage, kdigo_urine_stage
from models.reference_scores.news2 import News2, news2
from models.reference_scores.possum import (
    p_possum_mortality,
    possum_morbidity,
    possum_mortality,
    possum_operative_score,
    possum_physiological_score,
)
from models.reference_scores.qsofa import qsofa
from models.reference_scores.rcri import CardiacRisk, rcri, rcri_risks
from models.reference_scores.rts import revised_trauma_score, triage_revised_trauma_score
from models.reference_scores.score import Fit, NotCovered, ReferenceScore, Scored
from models.reference_scores.shock_index import shock_index
from models.reference_scores.sort import sort
from models.reference_scores.sort_clinical_judgement import sort_clinical_judgement
from models.reference_scores.sort_morbidity import SortMorbidity, sort_morbidity
from models.reference_scores.surgical_apgar import SurgicalApgar, surgical_apgar
from models.reference_scores.triss import triss

__all__ = [
    "SCORES",
    "CardiacRisk",
    "Fit",
    "News2",
    "NotCovered",
    "ReferenceScore",
    "Scored",
    "SortMorbidity",
    "SurgicalApgar",
    "comprehensive_complication_index",
    "days_alive_out_of_hospital",
    "days_at_home",
    "kdigo_creatinine_stage",
    "kdigo_stage",
    "kdigo_urine_stage",
    "news2",
    "p_possum_mortality",
    "possum_morbidity",
    "possum_mortality",
    "possum_operative_score",
    "possum_physiological_score",
    "qsofa",
    "rcri",
    "rcri_risks",
    "refuse_unknown_scores",
    "revised_trauma_score",
    "shock_index",
    "sort",
    "sort_clinical_judgement",
    "sort_morbidity",
    "surgical_apgar",
    "triage_revised_trauma_score",
    "triss",
]
