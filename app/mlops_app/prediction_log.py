"""Every prediction given goes to Postgres, later and in batches; the answer never waits for it."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from mlops_app.batch_queue import BatchQueue
from mlops_app.db import connect
from mlops_app.dependency import Dependency
from mlops_app.errors import UserError
from mlops_app.logs import logger
from mlops_app.metrics import Metrics
from mlops_app.settings import Settings

log = logger(__name__)

BATCH_SIZE = 500
MAX_BACKOFF_SECONDS = 5

# A value that Postgres will refuse again however often it is sent.
REJECTED = (psycopg.DataError, psycopg.IntegrityError)

# Anything else can pass: no connection, a restart, a full disk, a migration still to come.
UNAVAILABLE = (psycopg.Error, OSError, UserError)

COLUMNS = (
    "id",
    "request_id",
    "created_at",
    "app_version",
    "model_name",
    "model_version",
    "input_hash",
    "inputs",
    "prediction",
    "cached",
    "latency_ms",
)
# A batch that was committed although its confirmation got lost is sent again: it must add nothing.
INSERT = sql.SQL("INSERT INTO prediction_log ({}) VALUES ({}) ON CONFLICT (id) DO NOTHING").format(
    sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
    sql.SQL(", ").join(sql.Placeholder() * len(COLUMNS)),
)


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """One prediction as it was given. `latency_ms` is of the whole request, in milliseconds."""

    request_id: str
    created_at: datetime
    model_name: str
    model_version: str
    input_hash: str
    inputs: dict[str, Any]
    prediction: Any
    cached: bool
    latency_ms: float


class PredictionLog:
    """Writes records through one connection, which it opens again whenever it must."""

    def __init__(self, settings: Settings, dependency: Dependency, metrics: Metrics) -> None:
        self.dependency = dependency
        self._settings = settings
        self._metrics = metrics
        self._connection: psycopg.AsyncConnection | None = None
        # The probe and the writer share the connection.
        self._lock = asyncio.Lock()
        self.queue = BatchQueue[PredictionRecord](
            "prediction_log",
            capacity=settings.log_queue_size,
            batch_size=BATCH_SIZE,
            write=self._write,
            metrics=metrics,
        )

    def record(self, records: Sequence[PredictionRecord]) -> None:
        """Queue records; never waits. What does not fit is dropped and counted."""
        self.queue.offer(records)

    async def probe(self) -> None:
        """Raise unless Postgres answers; a write under way speaks for itself."""
        if self._lock.locked():
            return
        async with self._lock:
            try:
                await (await self._connected()).execute("SELECT 1")
            except BaseException:
                await self._disconnect()
                raise

    async def close(self) -> None:
        """Close the connection."""
        await self._disconnect()

    async def _write(self, batch: Sequence[PredictionRecord]) -> None:
        rows = [(uuid.uuid4(), *self._row(record)) for record in batch]
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(UNAVAILABLE),
            wait=wait_random_exponential(multiplier=0.1, max=MAX_BACKOFF_SECONDS),
            before_sleep=self._report,
        ):
            with attempt:
                await self._insert(rows)
        self.dependency.up()

    async def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        async with self._lock:
            try:
                connection = await self._connected()
                try:
                    await self._execute(connection, rows)
                except REJECTED:
                    # One bad row must not take the others with it.
                    for row in rows:
                        await self._insert_one(connection, row)
            except BaseException:
                await self._disconnect()
                raise

    async def _execute(
        self, connection: psycopg.AsyncConnection, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.executemany(INSERT, rows)
        self._metrics.queue_written.labels(queue="prediction_log").inc(len(rows))

    async def _insert_one(self, connection: psycopg.AsyncConnection, row: tuple[Any, ...]) -> None:
        try:
            await self._execute(connection, [row])
        except REJECTED as error:
            self.queue.count_dropped(1, "rejected")
            log.warning("prediction not logged", request_id=row[1], sqlstate=error.sqlstate)

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._settings, "prediction log")
        return self._connection

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    def _row(self, record: PredictionRecord) -> tuple[Any, ...]:
        return (
            record.request_id,
            record.created_at,
            self._settings.app_version,
            record.model_name,
            record.model_version,
            record.input_hash,
            Jsonb(record.inputs),
            Jsonb(record.prediction),
            record.cached,
            record.latency_ms,
        )

    def _report(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        self.dependency.down(error if error is not None else "no answer")
