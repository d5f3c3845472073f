"""Requests checked against signatures of every type."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from pydantic import ValidationError

from mlops_app.row_schema import RowSchema, UnsupportedSignatureError, canonical

COLUMNS: list[ColSpec | TensorSpec] = [
    ColSpec(DataType.double, "double"),
    ColSpec(DataType.float, "float"),
    ColSpec(DataType.long, "long"),
    ColSpec(DataType.integer, "integer"),
    ColSpec(DataType.boolean, "boolean"),
    ColSpec(DataType.string, "a string/with (odd) name"),
    ColSpec(DataType.double, "optional", required=False),
]
ROW: dict[str, Any] = {
    "double": 1.5,
    "float": 2,
    "long": 2**40,
    "integer": -7,
    "boolean": True,
    "a string/with (odd) name": "é",
    "optional": None,
}


@pytest.fixture
def schema() -> RowSchema:
    return RowSchema(ModelSignature(Schema(COLUMNS)), max_rows=3)


def body(*rows: Any) -> bytes:
    return json.dumps({"rows": rows}).encode()


def test_turns_rows_into_the_frame_of_the_signature(schema: RowSchema) -> None:
    frame = schema.frame(schema.parse(body(ROW, ROW)))

    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "double": "float64",
        "float": "float32",
        "long": "int64",
        "integer": "int32",
        "boolean": "bool",
        "a string/with (odd) name": "object",
    }
    assert frame.to_dict(orient="records")[1] == {
        name: value for name, value in ROW.items() if name != "optional"
    }


def test_an_optional_column_may_be_left_out_of_some_rows(schema: RowSchema) -> None:
    without = {name: value for name, value in ROW.items() if name != "optional"}

    frame = schema.frame(schema.parse(body(without, ROW | {"optional": 3.0})))

    assert frame["optional"].isna().tolist() == [True, False]
    assert frame["optional"].tolist()[1] == 3.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("double", "1"),
        ("double", None),
        ("double", False),
        ("float", float("nan")),
        ("float", 1e400),
        ("long", 1.5),
        ("long", 2**63),
        ("integer", 2**31),
        ("integer", True),
        ("boolean", 1),
        ("boolean", "true"),
        ("a string/with (odd) name", 1),
        ("optional", "1"),
    ],
)
def test_names_the_row_and_column_of_a_wrong_value(
    schema: RowSchema, name: str, value: Any
) -> None:
    with pytest.raises(ValidationError) as caught:
        schema.parse(body(ROW, ROW | {name: value}))

    (problem,) = caught.value.errors()
    assert problem["loc"] == ("rows", 1, name)


def test_reports_all_problems_of_all_rows(schema: RowSchema) -> None:
    with pytest.raises(ValidationError) as caught:
        schema.parse(body({}, ROW | {"unknown": 1}, ROW | {"double": "x"}))

    found = {problem["loc"] for problem in caught.value.errors()}
    required = {("rows", 0, name) for name in ROW if name != "optional"}
    assert found == required | {("rows", 1, "unknown"), ("rows", 2, "double")}


@pytest.mark.parametrize("count", [0, 4])
def test_bounds_the_number_of_rows(schema: RowSchema, count: int) -> None:
    with pytest.raises(ValidationError):
        schema.parse(body(*[ROW] * count))


def test_the_input_example_passes_through_the_same_checks(schema: RowSchema) -> None:
    frame = schema.frame(schema.parse(body(ROW)))

    assert schema.rows(frame) == schema.parse(body(ROW))


def test_equal_rows_have_one_canonical_form(schema: RowSchema) -> None:
    reordered = dict(reversed(ROW.items())) | {"float": 2.0}

    first, second, other = schema.parse(body(ROW, reordered, ROW | {"integer": 8}))

    assert canonical(first) == canonical(second)
    assert canonical(first) != canonical(other)


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (None, "no signature"),
        (ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 3))])), "not named columns"),
        (ModelSignature(Schema([ColSpec(DataType.double)])), "not named columns"),
        (ModelSignature(Schema([ColSpec(DataType.binary, "photo")])), "column 'photo'"),
    ],
)
def test_refuses_signatures_it_cannot_serve(signature: ModelSignature | None, message: str) -> None:
    with pytest.raises(UnsupportedSignatureError, match=message):
        RowSchema(signature, max_rows=1)


def test_the_description_has_the_model_s_columns(schema: RowSchema) -> None:
    description = schema.request_model.model_json_schema()

    assert set(description["$defs"]["Row"]["properties"]) == set(ROW)
    assert description["properties"]["rows"]["maxItems"] == 3


def test_pandas_writes_the_example_as_numbers(schema: RowSchema) -> None:
    frame = pd.DataFrame([ROW]).drop(columns="optional").astype({"integer": "int32"})

    assert schema.rows(frame)[0]["long"] == 2**40
