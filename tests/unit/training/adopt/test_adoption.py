"""From a registered plain model to a version of ours: real MLflow, real skops files, a bundle at the end."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from models.bundle import prove, read_bundle
from models.champions import sync
from models.errors import BundleRefused, ModelNotFound
from models.model_cache import Cache
from models.registry import CHAMPION, Registry, location
from models.risk.assessment import MISSING_REQUIRED, Abstained, Answered
from models.risk.calibration import probability
from tests.lib import foreign_models as foreign
from tests.lib.risk_models import vocabulary
from training.adopt import admit, prepare_adopted
from training.cohort import Cohort
from training.errors import AdoptionRefused
from training.fit.plan import Plan
from training.sources.source import load_source

POINT, OUTCOME = "icu-review", "death_180d"
NAME = f"{POINT}.{OUTCOME}"
TAGS = {"branch_point": POINT, "outcome": OUTCOME}
N = 2400


@dataclass(frozen=True)
class Desk:
    """A registry of the test's own, and MLflow as a stranger uses it."""

    registry: Registry
    mlflow: Any
    var: Path

    def log(
        self,
        name: str,
        model: Any,
        *,
        tags: Mapping[str, str] = TAGS,
        columns: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> str:
        """Log and register a model; give its reference."""
        from mlflow.models import ModelSignature
        from mlflow.types.schema import ColSpec, Schema

        kinds = {"number": "double", "flag": "double", "category": "string"}
        named = {f.name: kinds[f.kind] for f in foreign.features()} if columns is None else columns
        signature = ModelSignature(inputs=Schema([ColSpec(k, n) for n, k in named.items()]))
        lightgbm = type(model).__module__.startswith("lightgbm")
        flavor = self.mlflow.lightgbm if lightgbm else self.mlflow.sklearn
        if not lightgbm and "serialization_format" not in how:
            how |= {"serialization_format": "skops", "skops_trusted_types": foreign.TOLD}
        with warnings.catch_warnings(), self.mlflow.start_run():
            warnings.simplefilter("ignore")
            info = flavor.log_model(
                model, name="model", signature=signature, registered_model_name=name,
                pip_requirements=["numpy"], **how,
            )  # fmt: skip
        version = str(info.registered_model_version)
        for key, value in tags.items():
            self.registry._client.set_model_version_tag(name, version, key, value)
        return f"models:/{name}/{version}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    before = {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
    var = tmp_path_factory.mktemp("var")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        registry = Registry.at(var)
        import mlflow
        import mlflow.lightgbm
        import mlflow.sklearn

        tracking, registry_uri, artifacts = location(var)
        mlflow.set_tracking_uri(tracking)
        mlflow.set_registry_uri(registry_uri)
        mlflow.create_experiment("others", artifact_location=str(artifacts / "others"))
        mlflow.set_experiment("others")
        yield Desk(registry, mlflow, var)
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Patients that no foreign model was fitted on, every fourth held out."""
    source = load_source("support2", vocabulary())
    return Cohort(
        source=replace(source, groups={}, plan=Plan(resamples=50)),
        features=tuple(foreign.NAMES),
        X=foreign.encoded_rows(11, N, gaps=0.0),
        labels={
            OUTCOME: foreign.labels(11, N, "binary").astype(float),
            "length_of_stay_days": foreign.labels(11, N, "numeric"),
        },
        comparators={},
        held_out=np.arange(N) % 4 == 0,
        set_aside={},
    )


@pytest.mark.parametrize("name", ["logistic", "forest", "boosted with gaps", "lightgbm"])
def test_an_adopted_model_is_a_bundle_that_keeps_the_law(
    desk: Desk, cohort: Cohort, tmp_path: Path, name: str
):
    model = foreign.boosted_text("binary") if name == "lightgbm" else foreign.fitted(name)
    reference = desk.log(f"halland-{name.replace(' ', '-')}", model)
    admitted = admit(desk.registry.foreign(reference, tmp_path), vocabulary())
    prepared, _ = prepare_adopted(admitted, cohort, vocabulary(), tmp_path / "bundles", seed=1)
    version = desk.registry.publish(prepared.name, prepared.bundle, prepared.run)
    assert version.name == NAME
    assert version.tags["adopted_from"] == reference
    assert version.tags["adopted_digest"].startswith("sha256:")
    desk.registry.download(NAME, version.version, tmp_path / "served")
    bundle = read_bundle(tmp_path / "served", version.digest)
    assert {Path(file).suffix for file in bundle.files} <= {".json", ".md", ".txt"}
    served = prove(bundle, NAME, vocabulary())
    assert reference in bundle.document("card.json")["model"]["form"]

    held_out = cohort.X[cohort.held_out][:100]
    answered = 0
    for row in held_out:
        values = {n: x for n, x in zip(foreign.NAMES, row, strict=True) if not np.isnan(x)}
        answer = served.assess(values)
        if isinstance(answer, Answered):
            answered += 1
            total = answer.base_value + float(answer.contributions.sum())
            assert total == pytest.approx(answer.score, abs=1e-6)
            assert answer.prediction == pytest.approx(float(probability(np.array(total))), abs=1e-9)
            assert answer.lower <= answer.prediction <= answer.upper
    # Where every split sends a gap to the larger side, it counts as never learnt: more abstentions.
    assert answered > (50 if name == "boosted with gaps" else 90)
    slope = prepared.evaluation["calibration"]["slope"]
    assert 0.8 < (slope["value"] if isinstance(slope, Mapping) else slope) < 1.25
    found = desk.mlflow.pyfunc.load_model(f"models:/{NAME}/{version.version}").predict(
        foreign.frame(held_out[:5])
    )
    np.testing.assert_allclose(found["log_odds"], served.explain(held_out[:5])[0], atol=1e-9)


def test_what_an_imputer_puts_in_its_place_still_shows_as_missing_and_widens_the_interval(
    desk: Desk, cohort: Cohort, tmp_path: Path
):
    reference = desk.log("imputing", foreign.fitted("logistic"))
    admitted = admit(desk.registry.foreign(reference, tmp_path), vocabulary())
    prepared, _ = prepare_adopted(admitted, cohort, vocabulary(), tmp_path / "bundles", seed=1)
    model = read_bundle(prepared.bundle).model()
    row = next(row for row in cohort.X if not np.isnan(row).any())
    known = dict(zip(foreign.NAMES, row.tolist(), strict=True))
    with_it, without = (
        model.assess(known), model.assess({n: v for n, v in known.items() if n != "albumin"}),
    )  # fmt: skip
    assert isinstance(with_it, Answered)
    assert isinstance(without, Answered)
    x = model.vector({n: v for n, v in known.items() if n != "albumin"})
    assert np.isnan(x[foreign.NAMES.index("albumin")])
    without_it, measured = model.additive.variance(np.stack([x, model.vector(known)]))
    assert without_it > measured


def test_without_what_a_booster_never_saw_missing_the_model_abstains(
    desk: Desk, cohort: Cohort, tmp_path: Path
):
    reference = desk.log("never-missing", foreign.boosted_text("binary"))
    admitted = admit(desk.registry.foreign(reference, tmp_path), vocabulary())
    prepared, _ = prepare_adopted(admitted, cohort, vocabulary(), tmp_path / "bundles", seed=1)
    model = read_bundle(prepared.bundle).model()
    assert "disease_class" in model.required
    row = dict(zip(foreign.NAMES, cohort.X[1].tolist(), strict=True))
    answer = model.assess({n: v for n, v in row.items() if n != "disease_class" and v == v})
    assert isinstance(answer, Abstained)
    assert (answer.reason, answer.features) == (MISSING_REQUIRED, ("disease_class",))


def small(estimator: Any = None) -> Any:
    X, y = foreign.encoded_rows(1, 300), foreign.labels(1, 300, "binary")
    model = make_pipeline(
        foreign.imputed(), LogisticRegression() if estimator is None else estimator
    )
    return model.fit(foreign.frame(X), y)


def own_function(X: Any) -> Any:
    return X


KINDS = {f.name: "string" if f.kind == "category" else "double" for f in foreign.features()}
STRANGE: dict[str, tuple[Callable[[Desk], str], str]] = {
    "a pickle": (
        lambda desk: desk.log("pickled", small(), serialization_format="cloudpickle"),
        "is a pickle .*serialization_format='skops'",
    ),
    "a wrapped booster": (
        lambda desk: desk.log("wrapped", _wrapped()), "a wrapper.*log the booster",
    ),
    "another estimator": (
        lambda desk: desk.log(
            "extra", small(ExtraTreesClassifier(3, max_depth=2)),
            serialization_format="skops", skops_trusted_types=[
                *foreign.TOLD, "sklearn.tree._classes.ExtraTreeClassifier",
            ],
        ),
        "ExtraTree.* is not on the list",
    ),
    "a function of its own": (
        lambda desk: desk.log(
            "function",
            make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(
                foreign.frame(foreign.encoded_rows(1, 300))[["age"]],
                foreign.labels(1, 300, "binary"),
            ),
            columns={"age": "double"},
        ),
        "log1p|function of its own",
    ),
    "no tags": (lambda desk: desk.log("untagged", small(), tags={}), "no tag `branch_point`"),
    "another branch point": (
        lambda desk: desk.log("elsewhere", small(), tags=TAGS | {"branch_point": "the-moon"}),
        "no branch point `the-moon`",
    ),
    "another outcome": (
        lambda desk: desk.log("happiness", small(), tags=TAGS | {"outcome": "happiness"}),
        "has no outcome `happiness`",
    ),
    "a column that is no feature": (
        lambda desk: desk.log("unknown", small(), columns=KINDS | {"shoe_size": "double"}),
        "reads `shoe_size`, which is no feature",
    ),
    "a feature that is not known yet": (
        lambda desk: desk.log("leak", small(), columns=KINDS | {"hospital_stay_days": "double"}),
        "reads `hospital_stay_days`, which is not known at `icu-review`",
    ),
    "a category as a number": (
        lambda desk: desk.log("coded", small(), columns=KINDS | {"disease_class": "long"}),
        "reads `disease_class` as long, and it is a category",
    ),
    "a number for a probability": (
        lambda desk: desk.log("kind", small(HistGradientBoostingRegressor(max_iter=2))),
        "predicts a number, and `death_180d` is a probability",
    ),
    "a forest without limits": (
        lambda desk: desk.log("large", small(RandomForestClassifier(400, random_state=0))),
        r"leaves in all, at most 10000 are served|MiB in every process, at most 64 MiB",
    ),
    "another loss": (
        lambda desk: desk.log(
            "loss", small(HistGradientBoostingRegressor(loss="quantile", quantile=0.5, max_iter=2))
        ),
        "not on the list|loss `quantile`",
    ),
}  # fmt: skip


def _wrapped() -> Any:
    import lightgbm

    X = foreign.encoded_rows(1, 300)[:, : len(foreign.NUMBERS)]
    return lightgbm.LGBMClassifier(n_estimators=2, verbosity=-1).fit(
        X, foreign.labels(1, 300, "binary")
    )


@pytest.mark.parametrize(("make", "reason"), STRANGE.values(), ids=STRANGE)
def test_what_cannot_be_taken_is_refused_with_the_reason(
    desk: Desk, tmp_path: Path, make: Callable[[Desk], str], reason: str
):
    with pytest.raises(AdoptionRefused, match=reason):
        admit(desk.registry.foreign(make(desk), tmp_path), vocabulary())


def test_a_file_that_would_run_code_is_refused_before_anything_is_built(desk: Desk, tmp_path: Path):
    """A pickle under the name of a skops file, as someone with access to the folder would leave it."""
    import pickle

    reference = desk.log("trapped", small())
    found = desk.registry.foreign(reference, tmp_path)
    marker = tmp_path / "marker"

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(marker),)

    (found.folder / "model.skops").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(AdoptionRefused, match="nothing is unpickled"):
        admit(found, vocabulary())
    assert not marker.exists()


def test_another_unit_is_seen_where_thresholds_lie_beside_every_patient(
    desk: Desk, cohort: Cohort, tmp_path: Path
):
    """Creatinine in mg/dL: 1.2 where the dictionary has about 110 umol/L."""
    X = foreign.encoded_rows(1, 900)
    X[:, foreign.NAMES.index("creatinine")] /= 88.4
    y = foreign.labels(1, 900, "binary")
    model = make_pipeline(foreign.imputed(), LogisticRegression()).fit(foreign.frame(X), y)
    positive = cohort.X.copy()
    at = foreign.NAMES.index("creatinine")
    positive[:, at] = np.fmax(positive[:, at], 20.0)
    admitted = admit(desk.registry.foreign(desk.log("mg-dl", model), tmp_path), vocabulary())
    with pytest.raises(AdoptionRefused, match=r"`creatinine` around 1\.\d+.*umol/L"):
        prepare_adopted(admitted, replace(cohort, X=positive), vocabulary(), tmp_path / "b", seed=1)


def test_a_cohort_without_an_input_cannot_judge(desk: Desk, cohort: Cohort, tmp_path: Path):
    admitted = admit(desk.registry.foreign(desk.log("wide", small()), tmp_path), vocabulary())
    blank = cohort.X.copy()
    blank[:, foreign.NAMES.index("albumin")] = np.nan
    with pytest.raises(AdoptionRefused, match="reads albumin, which the cohort support2"):
        prepare_adopted(admitted, replace(cohort, X=blank), vocabulary(), tmp_path / "b", seed=1)


def test_a_model_that_says_the_opposite_is_refused(desk: Desk, cohort: Cohort, tmp_path: Path):
    X, y = foreign.encoded_rows(1, 900), 1 - foreign.labels(1, 900, "binary")
    model = make_pipeline(foreign.imputed(), LogisticRegression()).fit(foreign.frame(X), y)
    admitted = admit(desk.registry.foreign(desk.log("upside-down", model), tmp_path), vocabulary())
    with pytest.raises(AdoptionRefused, match="the opposite of what happened"):
        prepare_adopted(admitted, cohort, vocabulary(), tmp_path / "b", seed=1)


def test_a_model_that_was_fitted_on_the_cohort_is_found_out(
    desk: Desk, cohort: Cohort, tmp_path: Path
):
    rows = np.flatnonzero(~cohort.held_out)
    estimator = RandomForestClassifier(40, max_depth=9, max_leaf_nodes=60, random_state=0)
    model = make_pipeline(foreign.imputed(), estimator).fit(
        foreign.frame(cohort.X[rows]), cohort.labels[OUTCOME][rows].astype(int)
    )
    admitted = admit(desk.registry.foreign(desk.log("own-rows", model), tmp_path), vocabulary())
    prepared, notes = prepare_adopted(admitted, cohort, vocabulary(), tmp_path / "b", seed=1)
    assert any("probably fitted on them" in note for note in notes)
    assert any("mean probability s is calibrated" in note for note in notes)
    card = read_bundle(prepared.bundle).document("card.json")
    assert set(notes) <= set(card["limits"])


def test_a_reference_of_another_form_or_to_nothing_is_not_found(desk: Desk, tmp_path: Path):
    for reference in ("halland", "models:/nobody/1", "models:/nobody@champion", "runs:/1/model"):
        with pytest.raises(ModelNotFound):
            desk.registry.foreign(reference, tmp_path)


def test_a_plain_model_under_the_alias_is_refused_with_the_way_to_adopt_it(
    desk: Desk, tmp_path: Path
):
    """Somebody registers a plain model under our name and moves `champion` to it."""
    name = "icu-review.death_60d"
    reference = desk.log(name, small())
    version = reference.rsplit("/", 1)[1]
    desk.registry.set_alias(name, CHAMPION, version)
    [cached] = sync(desk.registry, [name], Cache(tmp_path / "cache"))
    assert cached.path is None
    assert "risk-train adopt" in str(cached.refused)
    desk.registry.tag(name, version, {"bundle_digest": "sha256:" + "0" * 64})
    [cached] = sync(desk.registry, [name], Cache(tmp_path / "cache"))
    assert "not a bundle of this product" in str(cached.refused)
    assert "risk-train adopt" in str(cached.refused)
    with pytest.raises(BundleRefused, match="risk-train adopt"):
        desk.registry.download(name, version, tmp_path / "copy")
    shutil.rmtree(tmp_path / "cache")
