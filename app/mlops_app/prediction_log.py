"""Every prediction given goes to Postgres, later and in batches; the answer never waits for it."""

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import psycopg
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from mlops_app.batch_queue import BatchQueue
from mlops_app.db import connect, run_or_abort
from mlops_app.dependency import Dependency
from mlops_app.errors import UserError
from mlops_app.logs import logger
from mlops_app.metrics import Metrics
from mlops_app.settings import Settings

log = logger(__name__)

NAME = "prediction_log"

# Bounds how long the event loop is busy with one batch: 200 rows of 30 columns take about 2 ms.
BATCH_SIZE = 200
MAX_BACKOFF_SECONDS = 5

# A server that is frozen rather than gone keeps its connections: only a time-out tells.
WRITE_SECONDS = 10
PROBE_SECONDS = 3

# A value that Postgres will refuse again however often it is sent.
REJECTED = (psycopg.DataError, psycopg.IntegrityError)

# Anything else can pass: no connection, a restart, a full disk, a migration still to come.
UNAVAILABLE = (psycopg.Error, OSError, UserError)

# One statement with one parameter per batch, many times cheaper than one statement per row. A batch
# that was committed although its confirmation got lost is sent again: it must add nothing.
INSERT = """
INSERT INTO prediction_log (
    id, request_id, created_at, app_version, model_name, model_version,
    input_hash, inputs, prediction, cached, latency_ms
)
SELECT
    id, request_id, created_at, app_version, model_name, model_version,
    input_hash, inputs, prediction, cached, latency_ms
FROM jsonb_to_recordset(%s::jsonb) AS record (
    id uuid, request_id text, created_at timestamptz, app_version text, model_name text,
    model_version text, input_hash text, inputs jsonb, prediction jsonb, cached boolean,
    latency_ms double precision
)
ON CONFLICT (id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One prediction as it was given.

    Attributes:
        request_id: the X-Request-ID of the answer.
        created_at: when, ISO 8601 with time zone.
        app_version: release that answered.
        model_name: registered model.
        model_version: its version.
        input_hash: keyed hash of the row.
        inputs: the row.
        prediction: what was answered.
        cached: whether it came from the cache.
        latency_ms: of the whole request, in milliseconds.
        id: made here, so that a repeated write adds no second row.

    """

    request_id: str
    created_at: str
    app_version: str
    model_name: str
    model_version: str
    input_hash: str
    inputs: dict[str, Any]
    prediction: Any
    cached: bool
    latency_ms: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class PredictionLog:
    """Writes records through one connection, which it opens again whenever it must."""

    def __init__(self, settings: Settings, dependency: Dependency, metrics: Metrics) -> None:
        self.dependency = dependency
        self._settings = settings
        self._written = metrics.queue_written.labels(queue=NAME)
        self._connection: psycopg.AsyncConnection | None = None
        # Why the write under way has failed so far: it is tried again until it succeeds.
        self._failure: BaseException | None = None
        # The probe and the writer share the connection.
        self._lock = asyncio.Lock()
        self.queue = BatchQueue[PredictionRecord](
            NAME,
            capacity=settings.log_queue_size,
            batch_size=BATCH_SIZE,
            write=self._write,
            metrics=metrics,
        )

    def record(self, records: Sequence[PredictionRecord]) -> None:
        """Queue records; never waits. What does not fit is dropped and counted."""
        self.queue.offer(records)

    async def probe(self) -> None:
        """Raise unless Postgres answers and has the table, and no write is failing."""
        if self._failure is not None:
            raise self._failure
        async with asyncio.timeout(PROBE_SECONDS), self._lock:
            try:
                connection = await self._connected()
                await run_or_abort(
                    connection, connection.execute("SELECT FROM prediction_log LIMIT 0")
                )
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _write(self, batch: Sequence[PredictionRecord]) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(UNAVAILABLE),
            wait=wait_random_exponential(multiplier=0.1, max=MAX_BACKOFF_SECONDS),
            before_sleep=self._report,
        ):
            with attempt:
                await self._insert(batch)
        self._failure = None

    async def _insert(self, batch: Sequence[PredictionRecord]) -> None:
        async with asyncio.timeout(WRITE_SECONDS), self._lock:
            try:
                connection = await self._connected()
                try:
                    await self._execute(connection, batch)
                except REJECTED:
                    # One bad row must not take the others with it.
                    for record in batch:
                        await self._insert_one(connection, record)
            except BaseException:
                await self.close()
                raise

    async def _execute(
        self, connection: psycopg.AsyncConnection, batch: Sequence[PredictionRecord]
    ) -> None:
        await run_or_abort(connection, connection.execute(INSERT, [_as_json(batch)]))
        self._written.inc(len(batch))

    async def _insert_one(
        self, connection: psycopg.AsyncConnection, record: PredictionRecord
    ) -> None:
        try:
            await self._execute(connection, [record])
        except REJECTED as error:
            self.queue.count_dropped(1, "rejected")
            log.warning(
                "prediction not logged", request_id=record.request_id, sqlstate=error.sqlstate
            )

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._settings, "prediction log")
        return self._connection

    def _report(self, attempt: RetryCallState) -> None:
        self._failure = attempt.outcome.exception() if attempt.outcome else None
        if self._failure is not None:
            self.dependency.down(self._failure)


def _as_json(batch: Sequence[PredictionRecord]) -> str:
    # Not dataclasses.asdict, which copies every input value.
    names = [item.name for item in fields(PredictionRecord)]
    return json.dumps([{name: getattr(record, name) for name in names} for record in batch])
