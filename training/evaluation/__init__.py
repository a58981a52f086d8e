"""How good a model is on patients it has never seen: figures with intervals, tables and pictures."""

from training.evaluation.evaluate import evaluate_binary, evaluate_numeric
from training.evaluation.pictures import draw
from training.evaluation.summary import summary_table

__all__ = ["draw", "evaluate_binary", "evaluate_numeric", "summary_table"]
