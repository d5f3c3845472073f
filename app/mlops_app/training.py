"""`train`: trains a model, evaluates it, registers it, and makes it champion if it is no worse.

Safe to stop at any moment and to run again: each run registers a version of its own, and the alias
is moved last, in one call.
"""

import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import mlflow.sklearn
from mlflow import MlflowClient
from mlflow.data.pandas_dataset import from_pandas
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_app import dataset
from mlops_app.dataset import Dataset, load_dataset
from mlops_app.dependency import describe
from mlops_app.errors import UserError
from mlops_app.golden import record_golden
from mlops_app.promotion import METRIC, Promotion, promote
from mlops_app.registry import configure_client
from mlops_app.settings import Settings
from mlops_app.steps import Report, Steps

# A training job can afford to wait for a server that is just restarting.
RETRIES = 3
TIMEOUT_SECONDS = 60

POSITIVE_LABEL = "malignant"


@dataclass(frozen=True)
class Parameters:
    """What can be chosen for a training.

    Attributes:
        inverse_regularization: C of the logistic regression; smaller is simpler.

    """

    inverse_regularization: float = 1.0


def train(settings: Settings, parameters: Parameters, report: Report) -> dict[str, Any]:
    """Run the whole job.

    Args:
        settings: where MLflow is, and the model's name and alias.
        parameters: of the model.
        report: called once per step that is done, with its name and its seconds.

    Returns:
        model, version, run id, metrics, data and code hashes, how many golden rows were recorded,
        and what became of the alias.

    Raises:
        UserError: MLflow cannot be reached or refuses, or the new version cannot be served.

    """
    configure_client(settings.mlflow_tracking_uri, retries=RETRIES, timeout_seconds=TIMEOUT_SECONDS)
    # Addresses of runs as the container sees them, on stdout, help nobody.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    # The image has no pip, so MLflow cannot note its version in a Conda file that nobody reads.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    step = Steps(settings, report)
    with step("connect to MLflow"):
        mlflow.set_experiment(settings.model_name)
    with step("load data"):
        data = load_dataset()
    with step("train"):
        pipeline = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=parameters.inverse_regularization, max_iter=1000),
        )
        pipeline.fit(data.train, data.train_labels)
    with step("evaluate"):
        metrics = evaluate(pipeline, data)
    code = _code_sha256()
    with mlflow.start_run(
        tags={"app_version": settings.app_version, "code_sha256": code, "data_sha256": data.sha256}
    ) as run:
        with step("log and register"):
            version = _register(settings, parameters, pipeline, data, metrics)
        with step("record golden predictions"):
            golden = _record_golden(settings, version, data)
        with step("compare with the champion"):
            promotion = promote(
                MlflowClient(), settings, version, data.test, data.test_labels, metrics[METRIC]
            )
            _log_promotion(promotion)
    return {
        "model": settings.model_name,
        "version": version,
        "run_id": run.info.run_id,
        "metrics": metrics,
        "data_sha256": data.sha256,
        "code_sha256": code,
        "golden_rows": len(golden["rows"]),
        "champion": promotion.summary(),
    }


def evaluate(pipeline: Pipeline, data: Dataset) -> dict[str, float]:
    """Return the metrics on the held-out rows; all but the log loss are better when greater."""
    predicted = pipeline.predict(data.test)
    probabilities = pipeline.predict_proba(data.test)
    positive = list(pipeline.classes_).index(POSITIVE_LABEL)
    return {
        "accuracy": float(accuracy_score(data.test_labels, predicted)),
        METRIC: float(balanced_accuracy_score(data.test_labels, predicted)),
        "log_loss": float(log_loss(data.test_labels, probabilities, labels=pipeline.classes_)),
        "roc_auc": float(
            roc_auc_score(data.test_labels == POSITIVE_LABEL, probabilities[:, positive])
        ),
    }


def _register(
    settings: Settings,
    parameters: Parameters,
    pipeline: Pipeline,
    data: Dataset,
    metrics: dict[str, float],
) -> str:
    """Log parameters, metrics, data and model to the active run; return the new version."""
    mlflow.log_params(
        {
            "algorithm": "logistic regression on standardised columns",
            "inverse_regularization": parameters.inverse_regularization,
            "split_seed": dataset.SPLIT_SEED,
            "train_rows": len(data.train),
            "test_rows": len(data.test),
        }
    )
    mlflow.log_metrics(metrics)
    for context, features, labels in (
        ("training", data.train, data.train_labels),
        ("test", data.test, data.test_labels),
    ):
        source = from_pandas(
            features.assign(**{dataset.TARGET: labels}), targets=dataset.TARGET, name=dataset.NAME
        )
        mlflow.log_input(source, context=context)
    example = data.train.head(1)
    logged = mlflow.sklearn.log_model(
        pipeline,
        name="model",
        registered_model_name=settings.model_name,
        signature=infer_signature(data.train, pipeline.predict(data.train)),
        input_example=example,
        # skops rather than pickle: loading it runs no code of the file's own.
        serialization_format="skops",
        # Given, since MLflow would else load the model in a process of its own to find out.
        pip_requirements=mlflow.sklearn.get_default_pip_requirements(include_skops=True),
    )
    return str(logged.registered_model_version)


def _record_golden(settings: Settings, version: str, data: Dataset) -> dict[str, Any]:
    """Prove that the version can be served, before it may become champion.

    Raises:
        MlflowException: the registry fails.
        UserError: the version cannot be served.

    """
    try:
        with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
            return record_golden(
                MlflowClient(), settings.model_name, version, data.test, Path(scratch)
            )
    except MlflowException:
        raise
    except Exception as error:
        raise UserError(
            f"version {version} of model '{settings.model_name}' is registered but cannot be "
            f"served: {describe(error)}. The alias was not moved. Correct the model's code or "
            "signature, and run the training again."
        ) from error


def _log_promotion(promotion: Promotion) -> None:
    if promotion.champion_score is not None:
        mlflow.log_metric(f"champion_{METRIC}", promotion.champion_score)
    mlflow.set_tag("promoted", str(promotion.promoted).lower())


def _code_sha256() -> str:
    """Return a hash of this package's source: the code version where there is no repository."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
