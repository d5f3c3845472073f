"""Rows of a request, checked against the model's signature."""

import json
from typing import Any, Final

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import DataType
from pydantic import BaseModel, ConfigDict, Field, create_model

Row = dict[str, Any]

# Strict types: "1.0" is not a number and 1.5 is no integer; a JSON integer may stand for a float.
# NaN and infinity are refused: JSON has neither, and few models do what one expects with them.
FLOAT: Final = (float, {"strict": True, "allow_inf_nan": False})
TYPES: Final[dict[DataType, tuple[Any, dict[str, Any]]]] = {
    DataType.double: FLOAT,
    DataType.float: FLOAT,
    DataType.long: (int, {"strict": True, "ge": -(2**63), "le": 2**63 - 1}),
    DataType.integer: (int, {"strict": True, "ge": -(2**31), "le": 2**31 - 1}),
    DataType.boolean: (bool, {"strict": True}),
    DataType.string: (str, {"strict": True}),
}


class UnsupportedSignatureError(Exception):
    """The model's signature cannot be served as rows of named columns."""


class RowSchema:
    """Validates requests for one model version and turns rows into what the model takes."""

    def __init__(self, signature: ModelSignature | None, max_rows: int) -> None:
        """Build the validator.

        Args:
            signature: of the model; its inputs must be named columns of simple types.
            max_rows: most rows of one request.

        Raises:
            UnsupportedSignatureError: it is missing, has tensors, or a type that JSON lacks.

        """
        if signature is None or signature.inputs is None:
            raise UnsupportedSignatureError(
                "the model has no signature. Log it with signature=infer_signature(inputs, outputs)"
            )
        if signature.inputs.is_tensor_spec() or not signature.inputs.has_input_names():
            raise UnsupportedSignatureError(
                "the model's inputs are not named columns. Log it with a signature inferred from a "
                "DataFrame"
            )
        fields: dict[str, Any] = {}
        self._dtypes: dict[str, np.dtype[Any]] = {}
        for index, column in enumerate(signature.inputs.inputs):
            if column.type not in TYPES:
                raise UnsupportedSignatureError(
                    f"column '{column.name}' has type {column.type}, which is not one of "
                    f"{', '.join(kind.name for kind in TYPES)}"
                )
            kind, constraints = TYPES[column.type]
            # Column names need not be Python identifiers, so they are aliases of made-up names.
            fields[f"column_{index}"] = (
                (kind, Field(alias=column.name, **constraints))
                if column.required
                else (kind | None, Field(default=None, alias=column.name, **constraints))
            )
            self._dtypes[column.name] = np.dtype(column.type.to_pandas())
        row = create_model("Row", __config__=ConfigDict(extra="forbid"), **fields)
        self._request = create_model(
            "PredictRequest",
            __config__=ConfigDict(extra="forbid"),
            rows=(list[row], Field(min_length=1, max_length=max_rows)),  # type: ignore[valid-type]
        )

    @property
    def request_model(self) -> type[BaseModel]:
        """The request's pydantic model, for the API's description."""
        return self._request

    def parse(self, body: bytes) -> list[Row]:
        """Return the rows of a JSON request, columns in the signature's order.

        Raises:
            pydantic.ValidationError: with the position of every field that is wrong.

        """
        request = self._request.model_validate_json(body)
        return [row.model_dump(by_alias=True) for row in request.rows]  # type: ignore[attr-defined]

    def rows(self, frame: pd.DataFrame) -> list[Row]:
        """Return a DataFrame, such as the model's input example, as validated rows.

        Raises:
            pydantic.ValidationError: it does not fit the signature.

        """
        return self.parse(f'{{"rows":{frame.to_json(orient="records")}}}'.encode())

    def frame(self, rows: list[Row]) -> pd.DataFrame:
        """Return the rows as the DataFrame that the signature describes.

        An optional column that no row has is left out, as MLflow expects.
        """
        columns: dict[str, pd.Series[Any]] = {}
        for name, dtype in self._dtypes.items():
            values = [row[name] for row in rows]
            missing = sum(value is None for value in values)
            if missing == len(values):
                continue
            columns[name] = pd.Series(values, dtype=None if missing else dtype)
        return pd.DataFrame(columns)


def canonical(row: Row) -> bytes:
    """Return one byte string per row value: 1 and 1.0 in a float column are the same row."""
    return json.dumps(list(row.values()), separators=(",", ":"), ensure_ascii=False).encode()
