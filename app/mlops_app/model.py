"""A model version in memory, ready to answer."""

import math
import time
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd

from mlops_app.registry import ModelVersion
from mlops_app.row_schema import Row, RowSchema

Prediction = Any  # a JSON value: a label, a number, or an object when the model has several outputs


class LoadedModel:
    """A pyfunc model with its signature's validator, warmed with the example it was logged with."""

    def __init__(self, version: ModelVersion, directory: Path, max_rows: int) -> None:
        """Load and warm; blocks for as long as that takes.

        Args:
            version: what is loaded.
            directory: the version's files.
            max_rows: most rows of one request.

        Raises:
            Exception: whatever the model raises; nothing is served from it then.

        """
        started = time.perf_counter()
        self.version = version
        self._model = mlflow.pyfunc.load_model(str(directory))
        metadata = self._model.metadata
        self.schema = RowSchema(metadata.signature, max_rows)
        self.example: list[Row] = []
        if metadata.saved_input_example_info:
            example = metadata.load_input_example(str(directory))
            if isinstance(example, pd.DataFrame) and not example.empty:
                self.example = self.schema.rows(example.head(1))
                # The first call pays for lazy imports and caches: no request shall.
                self.predict(self.example)
        self.load_seconds = time.perf_counter() - started

    def predict(self, rows: list[Row]) -> list[Prediction]:
        """Return one JSON value per row; blocks.

        Raises:
            Exception: whatever the model raises.
            ValueError: the model did not give one prediction per row.

        """
        predictions = _as_json(self._model.predict(self.schema.frame(rows)))
        if len(predictions) != len(rows):
            raise ValueError(f"{len(predictions)} predictions for {len(rows)} rows")
        return predictions


def _as_json(result: Any) -> list[Prediction]:
    """Turn what pyfunc models return into JSON values, NaN and infinity into null."""
    match result:
        case pd.DataFrame():
            values = result.to_dict(orient="records")
        case pd.Series() | np.ndarray():
            values = result.tolist()
        case _:
            values = list(result)
    return [_finite(value) for value in values]


def _finite(value: Any) -> Any:
    match value:
        case np.generic():
            return _finite(value.item())
        case float() if not math.isfinite(value):
            return None
        case list() | tuple():
            return [_finite(item) for item in value]
        case dict():
            return {str(key): _finite(item) for key, item in value.items()}
        case _:
            return value
