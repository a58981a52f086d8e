"""FHIR R4: a patient's resources in the dictionary's terms, and answers as RiskAssessments."""

from app.fhir.bundle import resources_of
from app.fhir.chart import Chart, read_chart
from app.fhir.coding import Coding, LocalCode, load_coding
from app.fhir.request import assessment_request, subject_of

__all__ = [
    "Chart",
    "Coding",
    "LocalCode",
    "assessment_request",
    "load_coding",
    "read_chart",
    "resources_of",
    "subject_of",
]
