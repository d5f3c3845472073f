"""Follows the alias: loads what it names off the event loop, then swaps it in."""

import asyncio
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from mlops_app.dependency import Dependency, describe
from mlops_app.logs import logger
from mlops_app.metrics import Metrics
from mlops_app.model import LoadedModel
from mlops_app.registry import ModelVersion, Registry, RegistryError
from mlops_app.settings import Settings

log = logger(__name__)

# First pause after a failed look-up, in seconds; it doubles up to the poll interval.
FIRST_BACKOFF = 0.5


@dataclass(frozen=True)
class Refusal:
    """Why the version that the alias names is not served."""

    version: str
    reason: str


class ModelStore:
    """Holds the model that answers.

    Attributes:
        current: the model, None until the first is loaded and warmed.
        registry_empty: the registry answered that the alias names no version.
        refused: why the version that the alias names now cannot be served, else None.

    """

    def __init__(
        self, settings: Settings, registry: Registry, mlflow: Dependency, metrics: Metrics
    ) -> None:
        self.current: LoadedModel | None = None
        self.registry_empty = False
        self.refused: Refusal | None = None
        self._settings = settings
        self._registry = registry
        self._mlflow = mlflow
        self._metrics = metrics

    async def follow(self) -> None:
        """Look the alias up for ever; with MLflow away, keep the model and try again."""
        poll = self._settings.model_poll_seconds
        while True:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(RegistryError),
                wait=wait_random_exponential(multiplier=FIRST_BACKOFF, max=poll),
                before_sleep=self._report,
            ):
                with attempt:
                    await self.refresh()
            await asyncio.sleep(poll)

    async def refresh(self) -> None:
        """Look the alias up once and load what it names, unless that is loaded.

        Raises:
            RegistryError: MLflow does not answer.

        """
        found = await asyncio.to_thread(self._registry.find_aliased)
        self._mlflow.up()
        self.registry_empty = found is None
        if found is None:
            # Removing the alias is no order to stop answering.
            self.refused = None
        elif self.current is None or found != self.current.version:
            await self._load(found)
        else:
            self.refused = None

    async def _load(self, version: ModelVersion) -> None:
        try:
            model = await asyncio.to_thread(self._download_and_load, version)
        except RegistryError:
            raise
        except Exception as error:  # noqa: BLE001  (a model may raise anything)
            # The model that answers stays: a bad version must not take the service down.
            self._refuse(version, error)
            return
        self._swap(model)

    def _download_and_load(self, version: ModelVersion) -> LoadedModel:
        with self._metrics.model_load_duration.time():
            directory = self._registry.download(version)
            return LoadedModel(version, directory, self._settings.max_batch_rows)

    def _swap(self, model: LoadedModel) -> None:
        """Replace the model: requests that hold the old one finish with it."""
        self._metrics.expect_predictions(model.version.version)
        if self.current is not None:
            self._set_info(self.current.version, 0)
        self.current = model
        self.refused = None
        self._set_info(model.version, 1)
        self._metrics.ready.set(1)
        self._metrics.model_loads.labels(result="loaded").inc()
        log.info(
            "model loaded",
            model=model.version.name,
            version=model.version.version,
            seconds=round(model.load_seconds, 3),
        )

    def _refuse(self, version: ModelVersion, error: Exception) -> None:
        refused = Refusal(
            version.version, f"version {version.version} cannot be served: {describe(error)}"
        )
        self._metrics.model_loads.labels(result="refused").inc()
        # It is tried again at each poll, since the cause may be a full disk; told once.
        if refused != self.refused:
            log.error("model refused", reason=refused.reason, exc_info=error)
        self.refused = refused

    def _set_info(self, version: ModelVersion, value: int) -> None:
        self._metrics.model_info.labels(
            name=version.name, version=version.version, alias=self._settings.model_alias
        ).set(value)

    def _report(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        if error is not None:
            self._mlflow.down(str(error))
