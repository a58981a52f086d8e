"""The door for MLflow: `mlflow.pyfunc.load_model` and `mlflow models serve` load bundles here.

The same engine as the service, without abstention: a frame of dictionary features in, a frame of
`probability` (or `value`), `log_odds`, `base_value` and `contribution_<feature>` out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import read_bundle
from models.errors import InvalidValue, MeasurementRefused
from models.risk.calibration import probability
from models.risk.risk_model import RiskModel
from models.vocabulary import Vocabulary, load_vocabulary, take


class BundleModel:
    """A bundle behind MLflow's `predict`."""

    def __init__(self, model: RiskModel, vocabulary: Vocabulary) -> None:
        self._model = model
        self._vocabulary = vocabulary

    def predict(self, frame: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict for every row.

        Parameters
        ----------
        frame : pandas.DataFrame, shape (n_samples, any of the model's features)
            Numbers in the dictionary's unit, categories as strings, flags as booleans; a column
            that is absent, and any null, is missing.

        Returns
        -------
        pandas.DataFrame, shape (n_samples, 3 + n_features)

        Raises
        ------
        InvalidValue
            When a cell does not fit the dictionary; the cell is not repeated.
        """
        model = self._model
        columns = {str(column): frame[column].tolist() for column in frame.columns}
        X = np.full((len(frame), len(model.inputs)), np.nan)
        for j, name in enumerate(model.features):
            for i, cell in enumerate(columns.get(name, ())):
                if not _is_null(cell):
                    X[i, j] = self._encode(name, cell)
        for j, item in enumerate(model.inputs):
            if item.unseen:
                X[np.isin(X[:, j], list(item.unseen)), j] = np.nan
        score, contributions = model.explain(X)
        output = {
            "probability": probability(score) if model.kind == "binary" else score,
            "log_odds": score,
            "base_value": np.full(len(X), model.base_value),
        }
        for j, name in enumerate(model.features):
            output[f"contribution_{name}"] = contributions[:, j]
        return type(frame)(output, index=frame.index)

    def _encode(self, name: str, cell: Any) -> float:
        feature = self._vocabulary.features[name]
        if feature.kind == "flag" and cell in (0, 1):
            cell = bool(cell)
        try:
            return take(feature, cell)
        except MeasurementRefused as error:
            raise InvalidValue(str(error)) from None


def _is_null(cell: Any) -> bool:
    return cell is None or cell != cell  # NaN and pandas' nulls differ from themselves


def _load_pyfunc(path: str) -> BundleModel:
    """MLflow calls this with the bundle's folder."""
    return BundleModel(read_bundle(Path(path)).model(), load_vocabulary())
