"""The door for MLflow: `mlflow.pyfunc.load_model` and `mlflow models serve` load bundles here.

The same engine as the service, without abstention: a frame of dictionary features in, a frame of
`probability` (or `value`), `log_odds`, `base_value` and `contribution_<feature>` out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import read_bundle
from models.errors import InvalidValue, MeasurementRefused
from models.risk.calibration import probability
from models.risk.risk_model import RiskModel
from models.vocabulary import Measurement, Vocabulary, load_vocabulary, settle, take


class BundleModel:
    """A bundle behind MLflow's `predict`."""

    def __init__(self, model: RiskModel, vocabulary: Vocabulary) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._point = vocabulary.branch_points[model.branch_point]
        # A derived input may be given by what it follows from.
        rules = [vocabulary.features[name].derived_from for name in model.features]
        self._read = {*model.features, *(rule.feature for rule in rules if rule is not None)}

    def predict(self, frame: Any, params: dict[str, Any] | None = None) -> Any:
        """Predict for every row.

        Parameters
        ----------
        frame : pandas.DataFrame, shape (n_samples, any of the model's features)
            Numbers in the dictionary's unit, categories as strings, flags as booleans; a column
            that is absent, any null, and what lies outside the plausible range is missing.

        Returns
        -------
        pandas.DataFrame, shape (n_samples, 3 + n_features)

        Raises
        ------
        InvalidValue
            When a cell does not fit the dictionary; the cell is not repeated.
        """
        model = self._model
        known = [str(column) for column in frame.columns if str(column) in self._read]
        rows = zip(*(frame[column].tolist() for column in known), strict=True)
        X = np.full((len(frame), len(model.inputs)), np.nan)
        for i, cells in enumerate(rows):
            X[i] = model.vector(self._settled(dict(zip(known, cells, strict=True))))
        score, contributions = model.explain(X)
        output = {
            "probability": probability(score) if model.kind == "binary" else score,
            "log_odds": score,
            "base_value": np.full(len(X), model.base_value),
        }
        for j, name in enumerate(model.features):
            output[f"contribution_{name}"] = contributions[:, j]
        return type(frame)(output, index=frame.index)

    def _settled(self, row: Mapping[str, Any]) -> Mapping[str, float]:
        """A row as the service would use it: what is implausible is set aside, the rest derived from."""
        taken = [self._take(name, cell) for name, cell in row.items() if not _is_null(cell)]
        return settle(taken, self._point, self._vocabulary.features).values

    def _take(self, name: str, cell: Any) -> Measurement:
        feature = self._vocabulary.features[name]
        if feature.kind == "flag" and cell in (0, 1):
            cell = bool(cell)
        try:
            return Measurement(feature, take(feature, cell))
        except MeasurementRefused as error:
            raise InvalidValue(str(error)) from None


def _is_null(cell: Any) -> bool:
    return cell is None or cell != cell  # NaN and pandas' nulls differ from themselves


def _load_pyfunc(path: str) -> BundleModel:
    """MLflow calls this with the bundle's folder."""
    return BundleModel(read_bundle(Path(path)).model(), load_vocabulary())
