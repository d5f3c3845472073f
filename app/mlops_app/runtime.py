"""The parts of a running app, started and stopped together."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import Request

from mlops_app.cache import Cache, RowHasher
from mlops_app.dependency import Dependency, watch
from mlops_app.logs import logger
from mlops_app.metrics import Metrics
from mlops_app.model_store import ModelStore
from mlops_app.prediction_log import PredictionLog
from mlops_app.registry import Registry
from mlops_app.secret_file import read_secret
from mlops_app.settings import Settings

log = logger(__name__)

# After the last request: time for what waits to be written, before the process ends. Whoever stops
# the container should give it SHUTDOWN_GRACE_SECONDS and 5 s more.
FLUSH_SECONDS = 3


class Runtime:
    """What routes need: settings, model, cache, log, metrics, and whether a shutdown has begun."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Build everything; nothing connects yet.

        Raises:
            UserError: the file of the secret key cannot be read.

        """
        self.settings = settings
        self.metrics = metrics
        self.draining = False
        self._drain_announced = False
        # Its own threads, as many as there are cores to run them: loading a model or a slow
        # registry must not take a request's place.
        self.inference = ThreadPoolExecutor(os.process_cpu_count(), thread_name_prefix="inference")
        gauge = metrics.dependency_up
        self.mlflow = Dependency("mlflow", gauge)
        self.redis = Dependency("redis", gauge)
        self.postgres = Dependency("postgres", gauge)
        secret_key = read_secret(settings.secret_key_file, "SECRET_KEY_FILE")
        self.hasher = RowHasher(secret_key.get_secret_value())
        self.store = ModelStore(settings, Registry(settings), self.mlflow, metrics)
        self.cache = Cache(settings, self.redis, metrics)
        self.prediction_log = PredictionLog(settings, self.postgres, metrics)
        metrics.info.labels(version=settings.app_version).set(1)

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """All services that the app uses."""
        return (self.mlflow, self.redis, self.postgres)

    @property
    def ready(self) -> bool:
        """Whether predictions are wanted: a model is there and no shutdown has begun."""
        return self.store.current is not None and not self.draining

    def drain(self) -> None:
        """Begin the shutdown: readiness goes, requests in flight go on."""
        self.draining = True
        if not self._drain_announced:
            self._drain_announced = True
            self.metrics.ready.set(0)
            log.info("draining", grace_seconds=self.settings.shutdown_grace_seconds)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background tasks; at the end write what waits and close all connections."""
        probe = self.settings.probe_seconds
        cache_writer = asyncio.create_task(self.cache.queue.run(), name="cache writer")
        log_writer = asyncio.create_task(self.prediction_log.queue.run(), name="log writer")
        watchers = [
            asyncio.create_task(self.store.follow(), name="model store"),
            asyncio.create_task(watch(self.redis, self.cache.probe, probe), name="redis probe"),
            asyncio.create_task(
                watch(self.postgres, self.prediction_log.probe, probe), name="postgres probe"
            ),
        ]
        try:
            yield
        finally:
            self.drain()
            await asyncio.gather(
                self.cache.queue.close(cache_writer, FLUSH_SECONDS),
                self.prediction_log.queue.close(log_writer, FLUSH_SECONDS),
            )
            for task in watchers:
                task.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await self.cache.close()
            await self.prediction_log.close()
            self.inference.shutdown(wait=False, cancel_futures=True)


def get_runtime(request: Request) -> Runtime:
    """Give a route the app's parts (a FastAPI dependency)."""
    runtime: Runtime = request.app.state.runtime
    return runtime
