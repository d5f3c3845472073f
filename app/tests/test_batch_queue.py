"""The queue behind the prediction log and the cache's writes."""

import asyncio
from collections.abc import Sequence

import pytest

from mlops_app.batch_queue import BatchQueue
from mlops_app.metrics import Metrics


class Store:
    """Takes batches once it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = asyncio.Event()
        self.batches: list[list[int]] = []

    async def write(self, batch: Sequence[int]) -> None:
        self.entered.set()
        await self.open.wait()
        if -1 in batch:
            raise ValueError("asked to fail")
        self.batches.append(list(batch))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def store() -> Store:
    return Store()


@pytest.fixture
async def queue(store: Store, metrics: Metrics) -> BatchQueue[int]:
    return BatchQueue("test", capacity=5, batch_size=2, write=store.write, metrics=metrics)


def dropped(metrics: Metrics, reason: str) -> float:
    return sample(metrics, f'mlops_app_queue_dropped_total{{queue="test",reason="{reason}"}}')


def sample(metrics: Metrics, name: str) -> float:
    for line in metrics.render().decode().splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return 0


async def test_writes_all_in_order_and_in_batches(queue: BatchQueue[int], store: Store) -> None:
    queue.offer([1, 2, 3])
    queue.offer([4])
    store.open.set()
    task = asyncio.create_task(queue.run())

    await queue.close(task, timeout_seconds=10)

    assert store.batches == [[1, 2], [3, 4]]
    assert task.cancelled()


async def test_drops_and_counts_what_does_not_fit_without_waiting(
    queue: BatchQueue[int], store: Store, metrics: Metrics
) -> None:
    task = asyncio.create_task(queue.run())

    queue.offer([1, 2, 3, 4, 5, 6, 7])  # not awaited: it cannot wait
    queue.offer([8])

    assert dropped(metrics, "full") == 3
    assert sample(metrics, 'mlops_app_queue_size{queue="test"}') == 5
    store.open.set()
    await queue.close(task, timeout_seconds=10)
    assert store.batches == [[1, 2], [3, 4], [5]]


async def test_a_batch_under_way_counts_against_the_bound(
    queue: BatchQueue[int], store: Store, metrics: Metrics
) -> None:
    task = asyncio.create_task(queue.run())
    queue.offer([1, 2])
    await store.entered.wait()

    queue.offer([3, 4, 5, 6])

    assert dropped(metrics, "full") == 1
    store.open.set()
    await queue.close(task, timeout_seconds=10)
    assert store.batches == [[1, 2], [3, 4], [5]]


async def test_what_is_left_at_the_end_is_counted(
    queue: BatchQueue[int], store: Store, metrics: Metrics
) -> None:
    task = asyncio.create_task(queue.run())
    queue.offer([1, 2, 3])
    await store.entered.wait()

    await queue.close(task, timeout_seconds=0.01)

    assert store.batches == []
    assert dropped(metrics, "shutdown") == 3
    assert task.cancelled()


async def test_an_idle_queue_closes_at_once(queue: BatchQueue[int], store: Store) -> None:
    task = asyncio.create_task(queue.run())

    await queue.close(task, timeout_seconds=3600)

    assert store.batches == []


async def test_goes_on_after_a_batch_that_fails(
    queue: BatchQueue[int], store: Store, metrics: Metrics
) -> None:
    store.open.set()
    queue.offer([1, -1, 2])
    task = asyncio.create_task(queue.run())

    await queue.close(task, timeout_seconds=10)

    assert store.batches == [[2]]
    assert dropped(metrics, "failed") == 2
