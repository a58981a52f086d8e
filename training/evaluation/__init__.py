"""How good a model is on patients it has never seen: figures with intervals, tables and pictures."""

from training.evaluation.decision_gain import decision_thresholds
from training.evaluation.evaluate import evaluate_binary, evaluate_numeric
from training.evaluation.pictures import draw
from training.evaluation.summary import summary_table

__all__ = ["decision_thresholds", "draw", "evaluate_binary", "evaluate_numeric", "summary_table"]
