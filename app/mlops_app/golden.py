"""Golden predictions: real rows with the answers that a model version is known to give for them.

They are recorded when a version is registered. A release asks the new code for the same rows: code
that answers otherwise, whatever its health says, must not go live.
"""

import json
import math
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pandas as pd
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.utils.validation import MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH

from mlops_app.model import LoadedModel, Prediction
from mlops_app.registry import to_version
from mlops_app.row_schema import Row

# Tag of a model version: {"rows": [{column: value}], "predictions": [JSON value per row]}.
TAG: Final = "mlops.golden"

MAX_ROWS: Final = 3

# Other processors and libraries round the last digits otherwise.
TOLERANCE: Final = 1e-6


def record_golden(
    client: MlflowClient, name: str, version: str, held_out: pd.DataFrame, scratch: Path
) -> dict[str, Any]:
    """Load a registered version as the app does, and tag it with what it answers.

    Args:
        client: of the registry.
        name: registered model.
        version: its version.
        held_out: rows that it was not trained on.
        scratch: empty directory for the version's files.

    Returns:
        what was recorded: `rows`, at most MAX_ROWS, and `predictions`, as POST /predict has them.

    Raises:
        MlflowException: the registry or its files cannot be reached.
        Exception: whatever the model raises; the app would refuse such a version.

    """
    found = to_version(client.get_model_version(name, version))
    files = download_artifacts(artifact_uri=f"models:/{name}/{version}", dst_path=str(scratch))
    model = LoadedModel(found, Path(files), max_rows=len(held_out))
    rows = model.schema.rows(held_out)
    chosen = _representative(rows, model.predict(rows))
    # Asked alone, as a release will: a model may depend on what else is in the request.
    golden: dict[str, Any] = {"rows": chosen, "predictions": model.predict(chosen)}
    text = _as_tag(golden)
    client.set_model_version_tag(name, version, TAG, text)
    recorded: dict[str, Any] = json.loads(text)
    return recorded


def same_answers(a: Any, b: Any) -> bool:
    """Return whether two JSON values are equal, numbers up to rounding."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    match a, b:
        case int() | float(), int() | float():
            return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        case list(), list():
            return len(a) == len(b) and all(map(same_answers, a, b))
        case dict(), dict():
            return a.keys() == b.keys() and all(same_answers(a[key], b[key]) for key in a)
        case _:
            return bool(a == b)


def _representative(rows: list[Row], predictions: list[Prediction]) -> list[Row]:
    """Return the first row of each answer, then the first of the others: equal answers prove less.

    As many as MAX_ROWS, in the order in which they were given.
    """
    firsts: dict[str, int] = {}
    for index, prediction in enumerate(predictions):
        firsts.setdefault(json.dumps(prediction), index)
    order = dict.fromkeys([*firsts.values(), *range(len(rows))])
    return [rows[index] for index in sorted(islice(order, MAX_ROWS))]


def _as_tag(golden: dict[str, Any]) -> str:
    """Return the JSON text with as many rows as MLflow's longest tag has room for.

    Raises:
        ValueError: not even one row has.

    """
    for count in range(len(golden["rows"]), 0, -1):
        part = {name: values[:count] for name, values in golden.items()}
        text = json.dumps(part, separators=(",", ":"), ensure_ascii=False)
        if len(text) <= MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH:
            return text
    raise ValueError(
        "one row and its prediction take more than the "
        f"{MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH} characters of a tag"
    )
