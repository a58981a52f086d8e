"""`risk-train adopt` from outside: a stranger's model on real patients, and a refusal in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lib.service import environment, run_command

# What a stranger does in their own process: fit on patients with even numbers, log, register.
STRANGER = """
import sys, warnings
warnings.simplefilter("ignore")
import mlflow, mlflow.sklearn, pandas as pd
from mlflow.models import infer_signature
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
mlflow.set_tracking_uri(sys.argv[2])
mlflow.set_experiment(experiment_id=mlflow.create_experiment("other", artifact_location=sys.argv[3]))
rows = pd.read_csv(sys.argv[1]).query("sno % 4 == 2")
names = {"age": "age", "hrt": "heart_rate", "meanbp": "map", "resp": "resp_rate", "temp": "temperature",
         "sps": "support_physiology_score"}
X = rows[list(names)].rename(columns=names).astype(float)
y = ((rows["death"] == 1) & (rows["d.time"] <= 180)).astype(int)
model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(X, y)
for name, kept in (("good", "skops"), ("pickled", "cloudpickle")):
    with mlflow.start_run():
        mlflow.set_tags({"branch_point": "icu-review", "outcome": "death_180d"})
        mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(X, y), registered_model_name=name,
            serialization_format=kept, pip_requirements=["scikit-learn"],
            **({"skops_trusted_types": ["numpy.dtype"]} if kept == "skops" else {}),
        )
"""


@pytest.fixture(scope="module")
def var(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a stranger's models, and the cohort of the trained folder."""
    var = tmp_path_factory.mktemp("adopting")
    (var / "cohorts").symlink_to(trained / "cohorts")
    [cohort] = (trained / "cohorts").rglob("support2.csv")
    run_command("risk-train", "models", "--json", var=var)  # makes the registry's tables
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(cohort), f"sqlite:///{var}/mlflow.db",
         str(var / "mlflow-artifacts" / "other")],
        env=environment(var, MLFLOW_DISABLE_TELEMETRY="true"), cwd=var, capture_output=True,
        text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return var


def test_a_strangers_model_becomes_the_next_version_with_its_lineage(var: Path):
    done = run_command(
        "risk-train", "adopt", "models:/good/1", "--source", "support2", "--json", var=var
    )
    told = json.loads(done.stdout)
    assert (told["name"], told["version"]) == ("icu-review.death_180d", "1")
    assert told["adopted_from"] == "models:/good/1"
    assert told["evaluation"]["auroc"]["lower"] > 0.6
    assert told["promoted"] is None
    listed = json.loads(run_command("risk-train", "models", "--json", var=var).stdout)
    assert [(m["name"], m["champion"]) for m in listed] == [("icu-review.death_180d", None)]


def test_a_pickle_is_refused_in_one_line(var: Path):
    done = run_command(
        "risk-train", "adopt", "models:/pickled/1", "--source", "support2", var=var, check=False
    )
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("risk-train:")]
    assert len(told) == 1
    assert "is a pickle" in told[0]
    assert "Traceback" not in done.stderr
