"""The log against a real Postgres: all arrives once, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from mlops_app.dependency import Dependency
from mlops_app.metrics import Metrics
from mlops_app.prediction_log import PredictionLog, PredictionRecord
from tests.eventually import eventually
from tests.world import World


class Writer:
    """A prediction log with its task."""

    def __init__(self, log: PredictionLog, metrics: Metrics) -> None:
        self.log = log
        self.metrics = metrics
        self.task = asyncio.create_task(log.queue.run())

    async def flush(self) -> None:
        """Write all, then stop."""
        await self.log.queue.close(self.task, timeout_seconds=60)

    async def until_down(self) -> None:
        """Wait until a write has failed."""
        await asyncio.to_thread(
            eventually, lambda: self.log.dependency.status == "down", "a write has failed"
        )

    def dropped(self, reason: str) -> float:
        counter = self.metrics.queue_dropped.labels(queue="prediction_log", reason=reason)
        return next(iter(counter.collect())).samples[0].value


@pytest.fixture
async def writer(world: World) -> AsyncIterator[Writer]:
    metrics = Metrics()
    dependency = Dependency("postgres", metrics.dependency_up)
    made = Writer(PredictionLog(world.settings, dependency, metrics), metrics)
    yield made
    made.task.cancel()
    await made.log.close()


def records(count: int, **changes: Any) -> list[PredictionRecord]:
    values: dict[str, Any] = {
        "created_at": "2026-01-02T03:04:05.678+00:00",
        "app_version": "v1",
        "model_name": "m",
        "model_version": "7",
        "input_hash": "00",
        "inputs": {"x": 1.5, "text": "é \" '"},
        "prediction": ["a", None, {"b": 2}],
        "cached": False,
        "latency_ms": 1.25,
        **changes,
    }
    return [PredictionRecord(request_id=f"request-{index}", **values) for index in range(count)]


async def test_writes_every_column(writer: Writer, world: World) -> None:
    (record,) = records(1)

    writer.log.record([record])
    await writer.flush()

    row = world.database.execute(
        "SELECT id::text, request_id, to_char(created_at AT TIME ZONE 'UTC',"
        " 'YYYY-MM-DD HH24:MI:SS.MS'), app_version, model_name, model_version, input_hash, inputs,"
        " prediction, cached, latency_ms FROM prediction_log"
    ).fetchone()
    assert row == (
        record.id,
        "request-0",
        "2026-01-02 03:04:05.678",
        "v1",
        "m",
        "7",
        "00",
        record.inputs,
        record.prediction,
        False,
        1.25,
    )


async def test_writes_more_than_one_batch(writer: Writer, world: World) -> None:
    writer.log.record(records(1001))
    await writer.flush()

    assert world.logged() == 1001


async def test_an_outage_delays_and_loses_nothing(writer: Writer, world: World) -> None:
    writer.log.record(records(10))
    await writer.log.probe()
    world.links.postgres.cut()

    writer.log.record(records(10))
    await writer.until_down()
    world.links.postgres.mend()
    await writer.flush()

    assert world.logged() == 20
    assert writer.dropped("full") == writer.dropped("shutdown") == 0


async def test_a_batch_sent_twice_is_stored_once(writer: Writer, world: World) -> None:
    batch = records(3)

    writer.log.record(batch)
    writer.log.record(batch)
    await writer.flush()

    assert world.logged() == 3


async def test_a_row_that_postgres_refuses_does_not_take_others_with_it(
    writer: Writer, world: World
) -> None:
    # A NUL is valid in JSON but not in jsonb.
    bad = records(1, inputs={"text": "\0"})

    writer.log.record([*records(2), *bad, *records(2)])
    await writer.flush()

    assert world.logged() == 4
    assert writer.dropped("rejected") == 1


async def test_waits_for_a_migration_still_to_come(writer: Writer, world: World) -> None:
    world.database.execute("ALTER TABLE prediction_log RENAME TO away")

    writer.log.record(records(1))
    await writer.until_down()
    with pytest.raises(psycopg.errors.UndefinedTable):
        await writer.log.probe()
    world.database.execute("ALTER TABLE away RENAME TO prediction_log")
    await writer.flush()

    assert world.logged() == 1


async def test_a_frozen_server_is_noticed(
    writer: Writer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_app.prediction_log.WRITE_SECONDS", 0.2)
    await writer.log.probe()
    world.links.postgres.freeze()

    writer.log.record(records(1))
    await writer.until_down()
    world.links.postgres.mend()
    await writer.flush()

    assert world.logged() == 1
