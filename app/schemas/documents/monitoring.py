"""What /v1/monitoring answers: figures of models, never of a patient."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.schemas.documents.shape import Document

Ratio = float | None


class BinDocument(Document):
    """A bin of a feature or of predictions."""

    bin: str
    count: int
    fitted_ratio: Ratio = Field(
        description="Share when the model was fitted, half an observation added to every bin."
    )


class FeatureDriftDocument(Document):
    """One input of a model in a window."""

    feature: str
    psi: Ratio = Field(description="Population stability index; null under 200 assessments.")
    js: Ratio = Field(description="Jensen-Shannon divergence in nats; null under 200 assessments.")
    missing_ratio: Ratio
    missing_over_time: list[Ratio] = Field(
        description="The same in the parts of `asked_over_time`; null under 20 assessments."
    )
    implausible_ratio: Ratio
    unseen_ratio: Ratio
    mean_absolute_contribution: Ratio
    mean_absolute_contribution_fitted: Ratio
    bins: list[BinDocument]


class ModelDriftDocument(Document):
    """One version of a model in a window."""

    model: str
    version: str
    answered: int
    abstained: int
    asked_over_time: list[int] = Field(
        description="Assessments in twelve equal parts of the window, oldest first."
    )
    mean_prediction: Ratio
    brier_score_expected: Ratio = Field(description="If the probabilities are right.")
    prediction_psi: Ratio
    explanation_drift: Ratio = Field(description="Share of the reasons that has changed hands.")
    predictions: list[BinDocument]
    features: list[FeatureDriftDocument]


class StrangerDocument(Document):
    """A model that answered and whose profile is not at hand."""

    model: str
    digest: str


class DriftDocument(Document):
    """Drift of the served models in a window."""

    window: Literal["1h", "1d", "7d", "30d"]
    since_us: int = Field(description="Microseconds since 1970.")
    until_us: int
    assessments: int
    models: list[ModelDriftDocument]
    without_profile: list[StrangerDocument]


class CurveBinDocument(Document):
    """A bin of the calibration curve."""

    bin: str
    n: int
    observed: int
    expected: float


class FiguresDocument(Document):
    """How predictions and what happened compare; `few` marks fewer than five patients."""

    n: int
    observed: int
    expected: float
    ratio: Ratio = Field(description="Observed over expected, with its exact 95 % interval.")
    lower: Ratio
    upper: Ratio
    brier: Ratio
    brier_expected: Ratio
    calibration_error: Ratio
    slope: Ratio
    auroc: Ratio
    few: bool
    curve: list[CurveBinDocument]


class ModelPerformanceDocument(Document):
    """One version of a model; `coverage` is counted over matured."""

    model: str
    version: str
    matured: int
    coverage: Ratio
    figures: FiguresDocument


class UnitPerformanceDocument(Document):
    """A care unit of the caller's tenant at a branch point."""

    branch_point: str
    outcome: str
    unit: str
    figures: FiguresDocument


class SubgroupPerformanceDocument(Document):
    """A declared subgroup at a branch point."""

    branch_point: str
    outcome: str
    subgroup: str
    figures: FiguresDocument


class DelayDocument(Document):
    """How long after the end of the horizon reports came."""

    branch_point: str
    outcome: str
    reports: int
    mean_s: float
    median_s: float


class PointDocument(Document):
    """The charts of a unit after one of its patients."""

    at: str
    worse: float
    better: float
    vlad: float
    signal: str | None


class ChartDocument(Document):
    """Risk-adjusted CUSUM and VLAD of a unit."""

    branch_point: str
    outcome: str
    unit: str
    patients: int
    vlad: float
    limits: dict[str, float]
    signals: dict[str, int]
    points: list[PointDocument]


class CardsDocument(Document):
    """What became of cards of which a client told."""

    branch_point: str
    accepted: int
    overridden: int
    override_ratio: float


class PerformanceDocument(Document):
    """What became of predictions, by when it became known."""

    window: Literal["1h", "1d", "7d", "30d", "365d"]
    ledger: str
    since: str
    until: str
    read: float | None = Field(description="When the ledger was last read to its end, since 1970.")
    models: list[ModelPerformanceDocument]
    units: list[UnitPerformanceDocument]
    subgroups: list[SubgroupPerformanceDocument]
    delays: list[DelayDocument]
    charts: list[ChartDocument] = Field(
        description="Points of the window's patients; counts and signals since the ledger began."
    )
    cards: list[CardsDocument]
