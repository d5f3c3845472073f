"""The API's description, with the columns of the model that answers right now."""

import copy
from typing import Any

from fastapi import FastAPI

from mlops_app.runtime import Runtime

REFERENCE = "#/components/schemas/{model}"


def describe_model(app: FastAPI, runtime: Runtime) -> None:
    """Make /openapi.json, and with it /docs, show the request that the current model takes.

    Args:
        app: its `openapi` method is replaced.
        runtime: holds the model; without one the request is described in general terms.

    """
    describe_routes = app.openapi

    def openapi() -> dict[str, Any]:
        description = copy.deepcopy(describe_routes())
        content: dict[str, Any] = {
            "schema": {
                "type": "object",
                "required": ["rows"],
                "properties": {"rows": {"type": "array", "items": {"type": "object"}}},
            }
        }
        model = runtime.store.current
        if model is not None:
            schema = model.schema.request_model.model_json_schema(ref_template=REFERENCE)
            description["components"]["schemas"] |= schema.pop("$defs")
            content = {"schema": schema, "example": {"rows": model.example}}
        description["paths"]["/predict"]["post"]["requestBody"] = {
            "required": True,
            "content": {"application/json": content},
        }
        return description

    app.openapi = openapi  # type: ignore[method-assign]
