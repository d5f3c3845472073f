"""Which rows a version is tagged with, and what becomes of one that cannot be served."""

import json
import uuid
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.models import infer_signature

from mlops_app.golden import TAG, record_golden
from mlops_app.row_schema import UnsupportedSignatureError
from tests.models import register_code

ECHO = """
import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

class Echo(PythonModel):
    def predict(self, context, model_input: pd.DataFrame, params=None):
        return [len(text) for text in model_input["text"]]

mlflow.models.set_model(Echo())
"""


@pytest.fixture
def name(services: object) -> str:
    del services
    return f"golden-{uuid.uuid4().hex}"


def register_echo(name: str, directory: Path, *, signature: bool = True) -> str:
    code = directory / "model.py"
    code.write_text(ECHO)
    example = pd.DataFrame({"text": ["a"]})
    given = infer_signature(example, [1]) if signature else None
    return register_code(name, code, given, example if signature else None)


def tag(name: str, version: str) -> Any:
    return json.loads(MlflowClient().get_model_version(name, version).tags[TAG])


def files(directory: Path) -> Path:
    path = directory / "files"
    path.mkdir()
    return path


def test_prefers_rows_with_different_answers(name: str, tmp_path: Path) -> None:
    version = register_echo(name, tmp_path)
    held_out = pd.DataFrame({"text": ["a", "b", "c", "long", "d", "longer"]})

    recorded = record_golden(MlflowClient(), name, version, held_out, files(tmp_path))

    assert recorded == tag(name, version)
    assert recorded == {
        "rows": [{"text": "a"}, {"text": "long"}, {"text": "longer"}],
        "predictions": [1, 4, 6],
    }


def test_fills_up_with_rows_of_equal_answers(name: str, tmp_path: Path) -> None:
    version = register_echo(name, tmp_path)
    held_out = pd.DataFrame({"text": ["a", "b", "long", "c"]})

    recorded = record_golden(MlflowClient(), name, version, held_out, files(tmp_path))

    assert [row["text"] for row in recorded["rows"]] == ["a", "b", "long"]


def test_records_as_many_rows_as_a_tag_has_room_for(name: str, tmp_path: Path) -> None:
    version = register_echo(name, tmp_path)
    held_out = pd.DataFrame({"text": ["x" * 60_000, "y" * 60_001]})

    record_golden(MlflowClient(), name, version, held_out, files(tmp_path))

    assert tag(name, version)["predictions"] == [60_000]


def test_a_version_that_cannot_be_served_gets_none(name: str, tmp_path: Path) -> None:
    version = register_echo(name, tmp_path, signature=False)

    with pytest.raises(UnsupportedSignatureError):
        record_golden(MlflowClient(), name, version, pd.DataFrame({"text": ["a"]}), files(tmp_path))

    assert TAG not in mlflow.MlflowClient().get_model_version(name, version).tags
