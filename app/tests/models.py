"""Models in the real registry for tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import ModelSignature, infer_signature

BLOCKING_MODEL = Path(__file__).parent / "blocking_model.py"


@dataclass(frozen=True)
class Trained:
    """A version that `train` registered.

    Attributes:
        name: registered model.
        version: its version.
        result: last line that `train` printed.
        progress: the lines before it.

    """

    name: str
    version: str
    result: dict[str, Any]
    progress: list[dict[str, Any]]


def point_alias(name: str, version: str, alias: str = "champion") -> None:
    """Give the alias to a version."""
    MlflowClient().set_registered_model_alias(name, alias, version)


def copy_version(source: Trained, name: str) -> str:
    """Register the files of a trained version once more under another name."""
    origin = MlflowClient().get_model_version(source.name, source.version)
    assert origin.source is not None
    return str(mlflow.register_model(origin.source, name).version)


def register_blocking(name: str) -> str:
    """Register the model that answers a row once the file that the row names exists."""
    example = pd.DataFrame({"path": ["/"], "answer": ["warm"]})
    return register_code(name, BLOCKING_MODEL, infer_signature(example, ["warm"]), example)


def register_code(
    name: str, code: Path, signature: ModelSignature | None, example: pd.DataFrame | None
) -> str:
    """Register a pyfunc model from a source file."""
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            registered_model_name=name,
            signature=signature,
            input_example=example,
            pip_requirements=["mlflow-skinny"],
        )
    return str(logged.registered_model_version)
