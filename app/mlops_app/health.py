"""Health for orchestrators, proxies and people."""

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from mlops_app.model import LoadedModel
from mlops_app.runtime import Runtime, get_runtime
from mlops_app.settings import Settings

router = APIRouter(prefix="/health", tags=["health"])

RuntimeDependency = Annotated[Runtime, Depends(get_runtime)]
UNAVAILABLE: dict[int | str, dict[str, Any]] = {503: {"description": "Not now: see `reason`."}}


def missing(runtime: Runtime) -> tuple[list[str], str | None]:
    """Return what is missing for predictions, and why in one sentence.

    The names are `mlflow` (no answer from it yet), `model` (nothing to load, or it was refused) and
    `draining` (a shutdown has begun). An empty list means ready.
    """
    store, settings = runtime.store, runtime.settings
    if runtime.draining:
        return ["draining"], "the app is shutting down"
    if store.current is not None:
        return [], None
    if runtime.mlflow.status == "down":
        detail = runtime.mlflow.describe()["detail"]
        return ["mlflow"], f"MLflow at {settings.mlflow_tracking_uri} does not answer: {detail}"
    if store.refused is not None:
        return ["model"], store.refused.reason
    if store.registry_empty:
        return ["model"], (
            f"no version of model '{settings.model_name}' carries the alias "
            f"'{settings.model_alias}': run the training job"
        )
    return ["mlflow"], "the model is being looked up or loaded"


def unavailable(runtime: Runtime) -> JSONResponse:
    """Return the 503 that names what is missing."""
    names, reason = missing(runtime)
    return JSONResponse(
        {
            "status": "unavailable",
            "ready": False,
            "missing": names,
            "reason": reason,
            "version": runtime.settings.app_version,
        },
        status_code=503,
        headers={"Retry-After": "5"},
    )


@router.get("/live")
async def live(runtime: RuntimeDependency) -> dict[str, Any]:
    """Whether the process answers; a failure means: restart it."""
    return {"status": "ok", "live": True, "version": runtime.settings.app_version}


@router.get("/ready", responses=UNAVAILABLE)
async def ready(runtime: RuntimeDependency) -> JSONResponse:
    """Whether requests are wanted: a model is loaded and warmed, and no shutdown has begun."""
    if not runtime.ready:
        return unavailable(runtime)
    return JSONResponse(
        {
            "status": "ok",
            "ready": True,
            "version": runtime.settings.app_version,
            "model": _current(runtime),
        }
    )


@router.get("/startup", responses=UNAVAILABLE)
async def startup(runtime: RuntimeDependency) -> JSONResponse:
    """Whether the start is over: a model is warmed, or the registry has none to load yet.

    A shutdown does not undo it: this decides over a container's start, not over its traffic.
    """
    if runtime.store.current is None and not runtime.store.registry_empty:
        return unavailable(runtime)
    return JSONResponse(
        {
            "status": "ok",
            "started": True,
            "version": runtime.settings.app_version,
            "model": _current(runtime),
        }
    )


@router.get("", responses=UNAVAILABLE)
async def health(runtime: RuntimeDependency) -> JSONResponse:
    """Everything at once: liveness, readiness, version, model, and each dependency's state.

    `status` is `ok`, `degraded` (predicts, but a dependency is away or a newer version was refused)
    or `unavailable` (with status code 503).
    """
    names, reason = missing(runtime)
    refused = runtime.store.refused
    whole = all(item.is_up for item in runtime.dependencies) and refused is None
    status = "unavailable" if names else "ok" if whole else "degraded"
    return JSONResponse(
        {
            "status": status,
            "live": True,
            "ready": runtime.ready,
            "missing": names,
            "reason": refused.reason if reason is None and refused is not None else reason,
            "version": runtime.settings.app_version,
            "model": _current(runtime),
            "refused": None if refused is None else dataclasses.asdict(refused),
            "dependencies": {item.name: item.describe() for item in runtime.dependencies},
        },
        status_code=503 if names else 200,
    )


def summary(model: LoadedModel, settings: Settings) -> dict[str, str]:
    """Return name, version and alias of a model."""
    return {
        "name": model.version.name,
        "version": model.version.version,
        "alias": settings.model_alias,
    }


def _current(runtime: Runtime) -> dict[str, str] | None:
    model = runtime.store.current
    return None if model is None else summary(model, runtime.settings)
