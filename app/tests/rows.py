"""Rows of the reference data set, as a client sends them."""

import uuid
from typing import Any

from mlops_app.dataset import load_dataset

type Row = dict[str, Any]


def held_out(count: int) -> list[Row]:
    """Return rows that the model was not trained on."""
    records = load_dataset().test.head(count).to_dict(orient="records")
    return [{str(name): value for name, value in record.items()} for record in records]


def fresh(count: int) -> list[Row]:
    """Return rows that no test has sent before, so that no cache knows them."""
    return [
        row | {"mean area": row["mean area"] + uuid.uuid4().int % 10**9 / 10**9}
        for row in held_out(count)
    ]
