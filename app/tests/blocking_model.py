"""A model whose answer a test releases by creating a file: a request in flight for as long."""

import time
from pathlib import Path
from typing import Any

import mlflow.models
import pandas as pd
from mlflow.pyfunc.model import PythonModel

PAUSE_SECONDS = 0.01


class BlockingModel(PythonModel):
    """Answers with the column `answer` once the file named by `path` exists."""

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> list[str]:
        """Wait for every row's file; the answer `fail` is an exception."""
        if "fail" in set(model_input["answer"]):
            raise ValueError("asked to fail")
        for path in model_input["path"]:
            while not Path(path).exists():
                time.sleep(PAUSE_SECONDS)
        return list(model_input["answer"])


mlflow.models.set_model(BlockingModel())
