"""A scikit-learn model in skops format, audited before anything of it is built.

The file is a zip with a description (`schema.json`) and arrays. Every class that the description names
must stand on a closed list: what loads is what this product knows, whatever skops itself trusts.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.errors import AdoptionRefused

LARGEST_BYTES = 256 * 1024 * 1024
ALLOWED = {
    "builtins": {"bool", "dict", "float", "int", "list", "set", "slice", "str", "tuple", "type"},
    "numpy": {
        "bool", "bool_", "dtype", "float32", "float64", "int32", "int64", "int8", "intp", "ndarray",
        "object_", "str_", "uint32", "uint64", "uint8",
    },
    "numpy.random._generator": {"Generator"},
    "numpy.random.mtrand": {"RandomState"},
    "collections": {"OrderedDict", "defaultdict"},
    "sklearn._loss._loss": {"CyHalfBinomialLoss", "CyHalfSquaredError", "CyAbsoluteError"},
    "sklearn._loss.link": {"IdentityLink", "Interval", "LogitLink"},
    "sklearn._loss.loss": {"AbsoluteError", "HalfBinomialLoss", "HalfSquaredError"},
    "sklearn.compose._column_transformer": {"ColumnTransformer", "_RemainderColsList"},
    "sklearn.ensemble._forest": {"RandomForestClassifier", "RandomForestRegressor"},
    "sklearn.ensemble._hist_gradient_boosting.binning": {"_BinMapper"},
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": {
        "HistGradientBoostingClassifier", "HistGradientBoostingRegressor",
    },
    "sklearn.ensemble._hist_gradient_boosting.predictor": {"TreePredictor"},
    "sklearn.impute._base": {"MissingIndicator", "SimpleImputer"},
    "sklearn.linear_model._base": {"LinearRegression"},
    "sklearn.linear_model._logistic": {"LogisticRegression"},
    "sklearn.linear_model._ridge": {"Ridge"},
    "sklearn.pipeline": {"Pipeline"},
    "sklearn.preprocessing._data": {"StandardScaler"},
    "sklearn.preprocessing._encoders": {"OneHotEncoder", "OrdinalEncoder"},
    # What a column that is passed through is held by; one with a function of its own is refused below.
    "sklearn.preprocessing._function_transformer": {"FunctionTransformer"},
    "sklearn.preprocessing._label": {"LabelEncoder"},
    "sklearn.tree._classes": {"DecisionTreeClassifier", "DecisionTreeRegressor"},
    "sklearn.tree._tree": {"Tree"},
}  # fmt: skip
# What skops asks to be told of by name; nothing else of what it does not know by itself is built.
TOLD = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


def load_skops(path: Path) -> Any:
    """Audit a file and build what it describes.

    Raises
    ------
    AdoptionRefused
        Naming the classes that are not on the list, or saying why the file cannot be read.
    """
    strangers = sorted(set(_classes(_schema(path))) - _allowed())
    if strangers:
        shown = ", ".join(strangers[:5])
        raise AdoptionRefused(
            f"its file would build {shown}, which is not on the list of what may be built; served are "
            "logistic and linear regression, random forests and HistGradientBoosting, behind "
            "SimpleImputer, StandardScaler, OneHotEncoder, OrdinalEncoder and ColumnTransformer"
        )
    import skops.io

    try:
        with warnings.catch_warnings():
            # Of a model from another version of scikit-learn; the proof on the cohort's rows decides.
            warnings.simplefilter("ignore")
            asked = set(skops.io.get_untrusted_types(file=path)) - set(TOLD)
            if not asked:
                return skops.io.load(path, trusted=list(TOLD))
    except Exception as error:  # whatever a file of strangers makes of the reader
        raise AdoptionRefused(f"its file cannot be read ({type(error).__name__})") from error
    raise AdoptionRefused(f"its file would build {', '.join(sorted(asked)[:5])}")


def _allowed() -> set[str]:
    return {f"{module}.{name}" for module, names in ALLOWED.items() for name in names}


def _schema(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > LARGEST_BYTES:
                raise AdoptionRefused(f"its file unpacks to more than {LARGEST_BYTES} bytes")
            return json.loads(archive.read("schema.json"))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise AdoptionRefused(
            f"its file is not in skops format ({type(error).__name__}); nothing is unpickled"
        ) from error


def _classes(node: Any) -> Iterator[str]:
    """Every class that a description names, wherever it stands."""
    stack = [node]
    while stack:
        own = stack.pop()
        if isinstance(own, dict):
            if "__class__" in own or "__module__" in own:
                yield f"{own.get('__module__')}.{own.get('__class__')}"
            stack += own.values()
        elif isinstance(own, list):
            stack += own
