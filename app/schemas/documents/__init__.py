"""The documented shapes of requests and answers, a file per path: what OpenAPI publishes.

The request path does not validate through these (`assessment_request` does, strictly and with the
contract's codes); a contract test holds both, and every real answer, against each other.
"""

from app.schemas.documents.assessment_answer import AssessmentAnswer
from app.schemas.documents.assessment_request import (
    EXAMPLE_REQUEST,
    AssessmentRequestDocument,
    MeasuredValue,
    assessment_operation,
)
from app.schemas.documents.branch_points import BranchPointDocument
from app.schemas.documents.episodes import EpisodeDocument, EpisodeQuestion, episode_operation
from app.schemas.documents.features import FeatureDocument
from app.schemas.documents.inspection import InspectionDocument, inspection_operation
from app.schemas.documents.models import ModelDocument
from app.schemas.documents.operations import LivenessDocument, ReadinessDocument
from app.schemas.documents.outcomes import OutcomeAnswer, outcome_operation
from app.schemas.documents.problem import ProblemDocument

__all__ = [
    "EXAMPLE_REQUEST",
    "AssessmentAnswer",
    "AssessmentRequestDocument",
    "BranchPointDocument",
    "EpisodeDocument",
    "EpisodeQuestion",
    "FeatureDocument",
    "InspectionDocument",
    "LivenessDocument",
    "MeasuredValue",
    "ModelDocument",
    "OutcomeAnswer",
    "ProblemDocument",
    "ReadinessDocument",
    "assessment_operation",
    "episode_operation",
    "inspection_operation",
    "outcome_operation",
]
