"""POST /predict: rows of named columns in, one prediction per row out."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from mlops_app.cache import Cache, Entry
from mlops_app.health import summary, unavailable
from mlops_app.model import LoadedModel, Prediction
from mlops_app.prediction_log import PredictionRecord
from mlops_app.row_schema import Row, canonical
from mlops_app.runtime import Runtime, get_runtime

router = APIRouter(tags=["predict"])


@dataclass(slots=True)
class Answer:
    """One row on its way through the app; `prediction` is filled from the cache or the model."""

    row: Row
    hash: str
    key: str
    prediction: Prediction = None
    cached: bool = False


class ModelSummary(BaseModel):
    """The model version that answered."""

    name: str
    version: str
    alias: str


class PredictResponse(BaseModel):
    """Predictions in the order of the rows."""

    predictions: list[Any]
    model: ModelSummary
    cached: bool
    version: str
    request_id: str


CACHE_CONTROL = Header(
    description="`no-cache`: compute the predictions anew. `no-store`: do not remember them."
)

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": PredictResponse},
    413: {"description": "The request is too large."},
    422: {"description": "Rows that do not fit the model; `detail` has each field's position."},
    503: {"description": "No model yet, or no longer: see `missing` and `reason`."},
}


@router.post("/predict", responses=RESPONSES)
async def predict(
    request: Request,
    runtime: Annotated[Runtime, Depends(get_runtime)],
    cache_control: Annotated[list[str] | None, CACHE_CONTROL] = None,
) -> JSONResponse:
    """Predict each row with the model that the alias names.

    `cached` is true when every prediction was remembered from an earlier request. Rows that do not
    fit the model's signature are answered 422 with the position of each wrong field.

    Who checks the code that computes, such as a release's gate, sends `Cache-Control: no-cache,
    no-store`: a remembered answer would hide that it is broken, and an answer of broken code must
    not be remembered. Such requests are logged and counted like all others.
    """
    directives = _directives(cache_control)
    model = runtime.store.current
    if model is None:
        return unavailable(runtime)
    request.state.model_version = model.version.version
    try:
        rows = model.schema.parse(await _body(request, runtime.settings.max_body_bytes))
    except ValidationError as error:
        return _refusal(error, request.state.request_id)
    answers = [_unanswered(runtime, model, row) for row in rows]
    if "no-cache" in directives:
        runtime.cache.leave_out()
    else:
        await _from_cache(runtime, answers)
    computed = [answer for answer in answers if not answer.cached]
    await _from_model(runtime, model, computed)
    if "no-store" not in directives:
        runtime.cache.remember([Entry(answer.key, answer.prediction) for answer in computed])
    _count(runtime, model, answers)
    _log(runtime, request, model, answers)
    return JSONResponse(
        {
            "predictions": [answer.prediction for answer in answers],
            "model": summary(model, runtime.settings),
            "cached": all(answer.cached for answer in answers),
            "version": runtime.settings.app_version,
            "request_id": request.state.request_id,
        }
    )


def _directives(fields: Sequence[str] | None) -> frozenset[str]:
    """Return the names of the request's cache directives, in lower case.

    https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1; those that are not honoured do no harm.
    """
    parts = ",".join(fields or []).split(",")
    return frozenset(part.partition("=")[0].strip().lower() for part in parts)


async def _body(request: Request, limit: int) -> bytes:
    """Return the request's body, or answer 413 without holding more than the limit in memory."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"the request is larger than {limit} bytes: send fewer rows")
    return bytes(body)


def _refusal(error: ValidationError, request_id: str) -> JSONResponse:
    """Return 422 in FastAPI's own shape: each problem with its position in the body."""
    problems = [
        {"loc": ["body", *item["loc"]], "msg": item["msg"], "type": item["type"]}
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return JSONResponse({"detail": problems, "request_id": request_id}, status_code=422)


def _unanswered(runtime: Runtime, model: LoadedModel, row: Row) -> Answer:
    row_hash = runtime.hasher.hash(canonical(row))
    return Answer(row, row_hash, Cache.key(model.version.identity, row_hash))


async def _from_cache(runtime: Runtime, answers: Sequence[Answer]) -> None:
    """Fill in what the cache knows."""
    found = await runtime.cache.find([answer.key for answer in answers])
    for answer, prediction in zip(answers, found, strict=True):
        answer.prediction = prediction
        answer.cached = prediction is not None


async def _from_model(runtime: Runtime, model: LoadedModel, answers: Sequence[Answer]) -> None:
    """Fill in the rest, on the inference threads, so that the event loop goes on answering."""
    if not answers:
        return
    version = model.version.version
    rows = [answer.row for answer in answers]
    with runtime.metrics.inference_duration.labels(model_version=version).time():
        loop = asyncio.get_running_loop()
        predictions = await loop.run_in_executor(runtime.inference, model.predict, rows)
    for answer, prediction in zip(answers, predictions, strict=True):
        answer.prediction = prediction


def _count(runtime: Runtime, model: LoadedModel, answers: Sequence[Answer]) -> None:
    for answer in answers:
        runtime.metrics.predictions.labels(
            model_version=model.version.version, source="cache" if answer.cached else "model"
        ).inc()


def _log(runtime: Runtime, request: Request, model: LoadedModel, answers: Sequence[Answer]) -> None:
    latency_ms = (time.perf_counter() - request.state.started) * 1000
    now = datetime.now(UTC).isoformat()
    runtime.prediction_log.record(
        [
            PredictionRecord(
                request_id=request.state.request_id,
                created_at=now,
                app_version=runtime.settings.app_version,
                model_name=model.version.name,
                model_version=model.version.version,
                input_hash=answer.hash,
                inputs=answer.row,
                prediction=answer.prediction,
                cached=answer.cached,
                latency_ms=latency_ms,
            )
            for answer in answers
        ]
    )
