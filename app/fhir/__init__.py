"""FHIR R4: a patient's resources in the dictionary's terms, and answers as RiskAssessments."""

from app.fhir.assess_operation import Asked, read_assess_operation
from app.fhir.bundle import resources_of
from app.fhir.capability import capability_statement
from app.fhir.chart import Chart, read_chart
from app.fhir.coding import Coding, LocalCode, load_coding
from app.fhir.operation_outcome import FHIR_JSON, answer_outcome, problem_outcome
from app.fhir.request import assessment_request
from app.fhir.risk_assessment import answer_bundle, risk_assessment

__all__ = [
    "FHIR_JSON",
    "Asked",
    "Chart",
    "Coding",
    "LocalCode",
    "answer_bundle",
    "answer_outcome",
    "assessment_request",
    "capability_statement",
    "load_coding",
    "problem_outcome",
    "read_assess_operation",
    "read_chart",
    "resources_of",
    "risk_assessment",
]
