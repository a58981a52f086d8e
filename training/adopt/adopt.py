"""The way of a foreign model: admitted, converted, proven, calibrated, evaluated, written as a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.registry import ForeignModel
from models.risk.risk_model import RiskModel
from models.vocabulary import Feature, Vocabulary
from training.adopt.calibrated import answerable, calibrate, required_of
from training.adopt.converted import Converted
from training.adopt.estimator import convert_sklearn
from training.adopt.lightgbm_model import convert_lightgbm
from training.adopt.signature import features_of, place_of
from training.card import Making
from training.cohort import Cohort
from training.errors import AdoptionRefused
from training.pipeline import Prepared, finish

Floats = NDArray[np.float64]

SYNTHETIC = "synthetic"
# Held-out rows do so much worse than fitting rows only where a model was fitted on the latter.
STANDARD_ERRORS = 4.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """A foreign model whose file was audited and read.

    Attributes
    ----------
    branch_point, outcome
        What it is for, by its tags or by who adopts it.
    digest : str
        `sha256:` of the file that was read.
    """

    foreign: ForeignModel
    branch_point: str
    outcome: str
    features: tuple[Feature, ...]
    converted: Converted
    digest: str


def admit(
    foreign: ForeignModel,
    vocabulary: Vocabulary,
    branch_point: str | None = None,
    outcome: str | None = None,
) -> Admitted:
    """Audit a model: what it is for, what it reads, and whether its file may be opened.

    Parameters
    ----------
    branch_point, outcome : str, optional
        Instead of the tags `branch_point` and `outcome`.

    Raises
    ------
    AdoptionRefused
        Naming what does not hold.
    """
    point, target = place_of(foreign, vocabulary, branch_point, outcome)
    features = features_of(foreign, point, vocabulary)
    path, convert = _reader(foreign)
    converted = convert(path, features)
    if converted.kind != target.kind:
        raise AdoptionRefused(
            f"predicts a {_KINDS[converted.kind]}, and `{target.name}` is a {_KINDS[target.kind]}"
        )
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    return Admitted(foreign, point.id, target.name, features, converted, digest)


_KINDS = {"binary": "probability", "numeric": "number"}


def prepare_adopted(
    admitted: Admitted, cohort: Cohort, vocabulary: Vocabulary, folder: Path, *, seed: int
) -> tuple[Prepared, tuple[str, ...]]:
    """Calibrate, evaluate and write an admitted model, on the rows of a cohort.

    Returns
    -------
    prepared : Prepared
    notes : tuple of str
        What the person who adopts should read; the card says it too.

    Raises
    ------
    AdoptionRefused
        When the cohort has not what the model reads, or the model does not fit it.
    CohortTooSmall
        When the cohort cannot carry the outcome.
    """
    converted, features = admitted.converted, admitted.features
    point = vocabulary.branch_points[admitted.branch_point]
    labels = cohort.labels[admitted.outcome]
    columns = _columns(cohort, features)
    required = required_of(converted, point)
    X = answerable(converted, cohort.X[:, columns], required)
    usable = ~np.isnan(labels) & ~np.isnan(X).all(axis=1)
    fitting = np.flatnonzero(usable & ~cohort.held_out)
    _refuse_other_units(converted, X[fitting], features)
    model, notes = calibrate(
        converted, X[fitting], labels[fitting], features, point=point,
        outcome=vocabulary.outcomes[admitted.outcome],
        training_data=_training_data(admitted.foreign.tags, cohort.source.training_data),
        plan=cohort.source.plan,
    )  # fmt: skip
    notes = (*converted.notes, *notes)
    held_out = np.flatnonzero(usable & cohort.held_out)
    if _seems_fitted_here(model, X, labels, fitting, held_out):
        notes += (
            "It does much better on the cohort's fitting rows than on held-out ones: it was probably "
            "fitted on them, and its calibration here is too good. Adopt it on patients that it has "
            "not seen.",
        )
    foreign = admitted.foreign
    origin = f"models:/{foreign.name}/{foreign.version}"
    making = Making(
        form=f"adopted from {origin}: {converted.form}",
        calibrated_on="the cohort's fitting rows; the model itself was fitted elsewhere",
        limits=(
            "Fitted by somebody else: whether its maker used held-out rows of this cohort, only its "
            f"maker knows ({origin}, {admitted.digest}).",
            *notes,
        ),
        tags={
            "adopted_from": origin,
            "adopted_model": foreign.name,
            "adopted_version": foreign.version,
            "adopted_digest": admitted.digest,
            "adopted_form": converted.form,
        },
    )
    prepared = finish(
        model, converted.trees_text, making, cohort, columns, vocabulary, folder, seed=seed
    )
    return prepared, notes


def _reader(
    foreign: ForeignModel,
) -> tuple[Path, Callable[[Path, Sequence[Feature]], Converted]]:
    """The file that holds the model, and who reads it; nothing is unpickled."""
    flavors = foreign.flavors
    if "lightgbm" in flavors:
        name, reader = str(flavors["lightgbm"].get("data", "")), convert_lightgbm
        if Path(name).suffix != ".lgb":
            raise AdoptionRefused(
                f"its file is `{name}`, a pickle or a wrapper, which is not opened; log the booster "
                "(`LGBMClassifier.booster_`), which MLflow writes as text"
            )
    elif "sklearn" in flavors:
        own = flavors["sklearn"]
        name, reader = str(own.get("pickled_model", "")), convert_sklearn
        if own.get("serialization_format") != "skops":
            raise AdoptionRefused(
                f"its file is a pickle ({own.get('serialization_format', 'no format is named')}), "
                "and unpickling runs what the file says; log it with serialization_format='skops'"
            )
    else:
        raise AdoptionRefused(
            f"is of the kind {', '.join(sorted(set(flavors) - {'python_function'})) or 'pyfunc'}; "
            "adopted are mlflow.lightgbm (text) and mlflow.sklearn in skops format"
        )
    path = foreign.folder / name
    if not name or path.is_symlink() or not path.is_file() or path.parent != foreign.folder:
        raise AdoptionRefused("the file that its description names is not there")
    return path, reader


def _columns(cohort: Cohort, features: Sequence[Feature]) -> list[int]:
    lacking = [
        f.name
        for f in features
        if f.name not in cohort.features
        or np.isnan(cohort.X[~cohort.held_out, cohort.features.index(f.name)]).all()
    ]
    if lacking:
        raise AdoptionRefused(
            f"reads {', '.join(lacking)}, which the cohort {cohort.source.name} does not have: it "
            "cannot be judged there"
        )
    return [cohort.features.index(feature.name) for feature in features]


def _refuse_other_units(converted: Converted, X: Floats, features: Sequence[Feature]) -> None:
    """Refuse a model whose own numbers for an input lie beside the cohort's.

    A signature names inputs and no units, so the dictionary's are taken for granted. The median of a
    model's thresholds and imputed values that lies outside of what any fitting patient had speaks
    of another unit.
    """
    for i, feature in enumerate(features):
        own = converted.landmarks.get(feature.name)
        if own is None or np.isnan(X[:, i]).all():
            continue
        middle = float(np.median(own))
        if not np.nanmin(X[:, i]) <= middle <= np.nanmax(X[:, i]):
            raise AdoptionRefused(
                f"reads `{feature.name}` around {middle:.3g}, where no patient of the cohort is; was "
                f"it fitted in another unit than the dictionary's {feature.unit}?"
            )


def _training_data(tags: Mapping[str, str], of_cohort: str) -> str:
    """Simulated as soon as either side is: what a model was fitted on shows in what it says."""
    return SYNTHETIC if SYNTHETIC in (tags.get("training_data"), of_cohort) else of_cohort


def _seems_fitted_here(
    model: RiskModel,
    X: Floats,
    labels: Floats,
    fitting: NDArray[np.intp],
    held_out: NDArray[np.intp],
) -> bool:
    if len(held_out) < 2:
        return False
    means, variances = [], []
    for rows in (fitting, held_out):
        score, _ = model.explain(X[rows])
        y = labels[rows]
        losses = (
            np.logaddexp(0.0, score) - y * score if model.kind == "binary" else np.abs(score - y)
        )
        means.append(losses.mean())
        variances.append(losses.var() / len(rows))
    return bool(means[1] - means[0] > STANDARD_ERRORS * np.sqrt(sum(variances)))
