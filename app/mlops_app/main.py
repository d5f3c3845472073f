"""The ASGI application."""

import asyncio
import contextlib
import contextvars
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from types import FrameType

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from mlops_app import health, predict
from mlops_app.logs import configure_logging
from mlops_app.metrics import Metrics
from mlops_app.middleware import Observe
from mlops_app.openapi import describe_model
from mlops_app.runtime import Runtime
from mlops_app.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; its background tasks start and end with the server.

    Args:
        settings: read from the environment when None, as uvicorn's factory call does.

    Raises:
        UserError: the environment or a secret file is wrong.

    """
    settings = Settings.from_environment() if settings is None else settings
    configure_logging(settings.log_level)
    metrics = Metrics()
    runtime = Runtime(settings, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with _drain_on_sigterm(runtime, asyncio.get_running_loop()):
            async with runtime.running():
                yield

    app = FastAPIOffline(
        title="Reference model API",
        description="Serves the model version that an MLflow alias names.",
        version=settings.app_version,
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    app.include_router(health.router)
    app.include_router(predict.router)
    describe_model(app, runtime)

    @app.get("/metrics", tags=["metrics"], response_class=Response)
    async def metrics_page() -> Response:
        """Metrics in the Prometheus text format."""
        return Response(metrics.render(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    app.add_middleware(Observe, settings=settings, metrics=metrics)
    return app


@contextlib.contextmanager
def _drain_on_sigterm(runtime: Runtime, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Turn readiness off as soon as SIGTERM arrives, then let the server's own handler do its work.

    The server tells the app of a shutdown only after the last request has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # in tests; signals belong to the main thread
        return
    previous = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        runtime.draining = True
        # Logs and metrics take locks, which the interrupted code may hold.
        loop.call_soon_threadsafe(runtime.drain, context=contextvars.Context())
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
