"""The model registry: the only file that knows MLflow.

A registered version is an MLflow model whose `data/bundle` folder is a bundle of `models.bundle`;
around it stand only MLflow's own text files. Two aliases matter: `champion` is served, `challenger`
is scored beside it. The service never imports MLflow into the process that answers patients: see
`models.champions`.
"""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.bundle import read_bundle
from models.environment import environment_kept
from models.errors import BundleRefused, ModelNotFound, RegistryUnreachable
from models.importing import uncollected

ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST_TAG = "bundle_digest"
ANY = "any"
REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))")
ADOPT = "`risk-train adopt models:/NAME/VERSION` makes one of a plain model"
BUNDLE_FOLDER = "data/bundle"
LOADER = "models.pyfunc"
MLFLOW_FILES = {
    "MLmodel",
    "conda.yaml",
    "python_env.yaml",
    "requirements.txt",
    "registered_model_meta",
    "data",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a registered model."""

    name: str
    version: str
    digest: str | None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What is recorded beside a version: settings, figures, files and column types.

    A column's type is MLflow's name for it, or `any`.
    """

    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    pictures: Mapping[str, bytes]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A registered version that somebody else made, as its files and MLflow describe it.

    Attributes
    ----------
    name, version
        Of the registered model.
    folder : Path
        Its files; nothing of them was opened but MLflow's own description.
    flavors : mapping
        What MLflow can load it as, with the settings of each.
    columns : mapping or None
        Its inputs by name with their types, in order; None without a signature of named columns.
    tags : mapping
        Of the run, the registered model and the version; the later wins.
    """

    name: str
    version: str
    folder: Path
    flavors: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, str] | None
    tags: Mapping[str, str]


class Registry:
    """MLflow's tracking server and model registry behind a handful of verbs.

    Parameters
    ----------
    tracking_uri : str
        Where runs and versions are: `sqlite:///…` or a server's address.
    registry_uri : str, optional
        Where versions are, when not the same.
    artifact_root : Path, optional
        Folder for files when the store is a local database.

    Notes
    -----
    Every method raises `RegistryUnreachable` when MLflow does not answer.
    """

    def __init__(
        self, tracking_uri: str, registry_uri: str | None = None, artifact_root: Path | None = None
    ) -> None:
        mlflow = self._mlflow = load_mlflow()
        self._artifact_root = artifact_root
        if tracking_uri.startswith("sqlite:///"):
            Path(tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        # MLflow writes its address into the environment, where `location` would find it.
        with environment_kept(ADDRESSES):
            mlflow.set_tracking_uri(tracking_uri)
            mlflow.set_registry_uri(registry_uri or tracking_uri)
        with uncollected():  # the client imports the stores that it needs
            self._client = mlflow.MlflowClient(tracking_uri, registry_uri or tracking_uri)

    @classmethod
    def at(cls, var: Path) -> Registry:
        """The registry of a state folder, or the one that MLflow's environment variables name."""
        tracking, registry, artifacts = location(var)
        local = tracking.startswith("sqlite:///")
        return cls(tracking, registry, artifacts if local else None)

    def publish(self, name: str, bundle: Path, run: Run) -> Version:
        """Register a bundle folder as the next version of `name`."""
        digest = read_bundle(bundle).digest
        mlflow = self._mlflow
        from mlflow.models import ModelSignature
        from mlflow.types.schema import AnyType, ColSpec, Schema

        anything = AnyType()  # type: ignore[no-untyped-call]  # MLflow does not say
        inputs = [
            ColSpec(anything if kind == ANY else kind, column, required=False)
            for column, kind in run.columns.items()
        ]
        outputs = [ColSpec("double", c) for c in ("probability", "log_odds", "base_value")] + [
            ColSpec("double", f"contribution_{column}") for column in run.columns
        ]
        with (
            _Answering(),
            tempfile.TemporaryDirectory() as folder,
            warnings.catch_warnings(),
            redirect_stderr(io.StringIO()),  # MLflow tells of every version in two lines
        ):
            warnings.simplefilter("ignore")
            copy = Path(folder) / "bundle"
            shutil.copytree(bundle, copy)
            with mlflow.start_run(
                experiment_id=self._experiment(name.split(".", 1)[0]), run_name=name
            ):
                mlflow.log_params(dict(run.parameters))
                mlflow.log_metrics(dict(run.metrics))
                mlflow.set_tags(dict(run.tags))
                for file, content in run.pictures.items():
                    path = Path(folder) / file
                    path.write_bytes(content)
                    mlflow.log_artifact(str(path), "evaluation")
                info = mlflow.pyfunc.log_model(
                    name="model",
                    loader_module=LOADER,
                    data_path=str(copy),
                    signature=ModelSignature(inputs=Schema([*inputs]), outputs=Schema([*outputs])),
                    pip_requirements=["numpy", "pandas"],
                    registered_model_name=name,
                )
            version = str(info.registered_model_version)
            for key, value in {DIGEST_TAG: digest, **run.tags}.items():
                self._client.set_model_version_tag(name, version, key, value)
        return Version(name, version, digest, {DIGEST_TAG: digest, **run.tags})

    def version(self, name: str, version: str) -> Version:
        """Look one version up.

        Raises
        ------
        ModelNotFound
            When there is no such version.
        """
        with _Answering():
            found = self._client.get_model_version(name, version)
        return Version(name, str(found.version), found.tags.get(DIGEST_TAG), found.tags)

    def versions(self, name: str) -> list[Version]:
        """All versions, oldest first."""
        with _Answering():
            found = self._client.search_model_versions(f"name='{name}'")
        ordered = sorted(found, key=lambda v: int(v.version))
        return [Version(name, str(v.version), v.tags.get(DIGEST_TAG), v.tags) for v in ordered]

    def aliases(self, names: Sequence[str], alias: str = CHAMPION) -> dict[str, str]:
        """Which of the named models have the alias, and on which version."""
        return {v.name: v.version for v in self.aliased(names, alias)}

    def aliased(self, names: Sequence[str], alias: str = CHAMPION) -> list[Version]:
        """The versions that have the alias, among the named models and in their order.

        One question for all of them; one more for each whose newest version it is not.
        """
        return self.holders(names, alias)[0]

    def holders(
        self, names: Sequence[str], alias: str, other: str | None = None
    ) -> tuple[list[Version], list[str]]:
        """The versions that have an alias, and by the way which models have another one."""
        wanted, found, others = set(names), {}, []
        with _Answering():
            token = None
            while True:
                page = self._client.search_registered_models(max_results=200, page_token=token)
                for model in page:
                    if model.name in wanted and alias in model.aliases:
                        found[model.name] = self._known(model, str(model.aliases[alias]))
                    if model.name in wanted and other in model.aliases:
                        others.append(model.name)
                token = page.token
                if not token:
                    return [found[name] for name in names if name in found], sorted(others)

    def _known(self, model: Any, number: str) -> Version:
        """A version out of what the search told of its model, else by asking for it.

        MLflow searches for versions and for their tags one after the other: a version that was the
        newest at the first and no longer at the second comes without any, digest and gate record too.
        """
        for version in model.latest_versions or ():
            if str(version.version) == number and version.tags:
                return Version(model.name, number, version.tags.get(DIGEST_TAG), version.tags)
        return self.version(model.name, number)

    def about(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """Aliases with their versions, and the tags of a registered model as a whole.

        Raises
        ------
        ModelNotFound
            When no version of it is registered.
        """
        with _Answering():
            found = self._client.get_registered_model(name)
        return {alias: str(one) for alias, one in found.aliases.items()}, dict(found.tags)

    def set_alias(self, name: str, alias: str, version: str) -> None:
        with _Answering():
            self._client.set_registered_model_alias(name, alias, version)

    def remove_alias(self, name: str, alias: str) -> None:
        with _Answering():
            self._client.delete_registered_model_alias(name, alias)

    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        with _Answering():
            for key, value in tags.items():
                self._client.set_model_version_tag(name, version, key, value)

    def model_tags(self, name: str) -> dict[str, str]:
        """Tags of a registered model as a whole.

        Raises
        ------
        ModelNotFound
            When no version of it is registered.
        """
        with _Answering():
            return dict(self._client.get_registered_model(name).tags)

    def tag_model(self, name: str, key: str, value: str) -> None:
        with _Answering():
            self._client.set_registered_model_tag(name, key, value)

    def keep_document(
        self, name: str, version: str, file: str, document: Mapping[str, Any]
    ) -> None:
        """Write a JSON file beside a version, into the run that made it, if it has one."""
        with _Answering(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = self._client.get_model_version(name, version).run_id
            if run:
                self._client.log_dict(run, dict(document), file)

    def download(self, name: str, version: str, to: Path) -> None:
        """Copy a version's bundle into the folder `to`, which must not exist.

        Raises
        ------
        BundleRefused
            When the version is not one of our bundles, or holds files that are not part of it.
        """
        with _Answering(), tempfile.TemporaryDirectory(dir=to.parent) as folder:
            fetched = self._mlflow.artifacts.download_artifacts(
                artifact_uri=self._client.get_model_version_download_uri(name, version),
                dst_path=folder,
            )
            model = Path(fetched)
            _refuse_foreign(model)
            shutil.copytree(model / BUNDLE_FOLDER, to, symlinks=True)

    def foreign(self, reference: str, to: Path) -> ForeignModel:
        """Copy a version of any kind below the folder `to`, and read how MLflow describes it.

        Parameters
        ----------
        reference : str
            `models:/NAME/VERSION` or `models:/NAME@ALIAS`.

        Raises
        ------
        ModelNotFound
            When there is no such version, or the reference is of another form.
        """
        found = REFERENCE.fullmatch(reference)
        if found is None:
            raise ModelNotFound(f"`{reference}` is not models:/NAME/VERSION or models:/NAME@ALIAS")
        name, number, alias = found["name"], found["version"], found["alias"]
        from mlflow.models import Model

        with _Answering():
            if alias is not None:
                version = self._client.get_model_version_by_alias(name, alias)
            else:
                version = self._client.get_model_version(name, number)
            tags = dict(self._client.get_registered_model(name).tags)
            if version.run_id:
                tags = {**self._client.get_run(version.run_id).data.tags, **tags}
            folder = Path(
                self._mlflow.artifacts.download_artifacts(
                    artifact_uri=self._client.get_model_version_download_uri(name, version.version),
                    dst_path=str(to),
                )
            )
            described: Any = Model.load(str(folder))
        inputs: Any = getattr(described.signature, "inputs", None)
        named = inputs is not None and inputs.has_input_names() and not inputs.is_tensor_spec()
        columns = {c.name: c.type.name for c in inputs.inputs} if named else None
        flavors = dict(described.flavors)
        return ForeignModel(
            name, str(version.version), folder, flavors, columns, {**tags, **version.tags}
        )

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = None if self._artifact_root is None else str(self._artifact_root / name)
        return str(self._client.create_experiment(name, artifact_location=location))


def _refuse_foreign(model: Path) -> None:
    if not (model / BUNDLE_FOLDER).is_dir():
        raise BundleRefused(f"is not a bundle of this product (no data/bundle folder); {ADOPT}")
    strangers = {path.name for path in model.iterdir()} - MLFLOW_FILES
    strangers |= {f"data/{path.name}" for path in (model / "data").iterdir()} - {BUNDLE_FOLDER}
    if strangers:
        raise BundleRefused(
            f"{', '.join(sorted(strangers)[:3])} is not part of the format; nothing is unpickled"
        )


def location(var: Path) -> tuple[str, str, Path]:
    """Tracking address, registry address and artifact folder.

    MLflow's own `MLFLOW_TRACKING_URI` and `MLFLOW_REGISTRY_URI` win; otherwise a SQLite file under
    the product's state folder, no server process needed.
    """
    tracking = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{var.resolve()}/mlflow.db"
    registry = os.environ.get("MLFLOW_REGISTRY_URI") or tracking
    return tracking, registry, var.resolve() / "mlflow-artifacts"


class _Answering:
    """Turn MLflow's exceptions into ours; their text can hold addresses, so only the code is kept."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if isinstance(error, BundleRefused | ModelNotFound):
            return
        code = getattr(error, "error_code", None)
        if code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise ModelNotFound("no such registered model or version in MLflow") from error
        raise RegistryUnreachable(
            f"the model registry did not answer ({code or type(error).__name__})"
        ) from error


def load_mlflow() -> Any:
    """Import MLflow, silenced; it takes seconds."""
    _quiet()
    with warnings.catch_warnings(), uncollected():
        warnings.simplefilter("ignore")
        import mlflow
    return mlflow


def _quiet() -> None:
    """Keep MLflow's and Alembic's chatter out of a terminal that people read."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A server's address on standard output would stand in the middle of what scripts read.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
