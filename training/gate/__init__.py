"""What the promotion gate looks at beside the evaluation: figures, each worked out in one place."""

from training.gate.figures import BESIDE, OpenCohort, Proven, gate_figures

__all__ = ["BESIDE", "OpenCohort", "Proven", "gate_figures"]
