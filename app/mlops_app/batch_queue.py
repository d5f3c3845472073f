"""A bounded queue that never makes its caller wait, emptied in batches by one task."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from mlops_app.logs import logger
from mlops_app.metrics import Metrics

log = logger(__name__)


class BatchQueue[Item]:
    """Takes items from requests and gives them in batches to a writer.

    What does not fit is dropped and counted: the newest, since the oldest are about to be written.
    """

    def __init__(
        self,
        name: str,
        *,
        capacity: int,
        batch_size: int,
        write: Callable[[Sequence[Item]], Awaitable[None]],
        metrics: Metrics,
    ) -> None:
        """Make an empty queue; `run` must be a task for it to be emptied.

        Args:
            name: label in the metrics.
            capacity: most items that wait.
            batch_size: most items of one write.
            write: returns when the batch is dealt with; retries are its own business. A batch
                for which it raises is lost and counted.
            metrics: where size, writes and drops are counted.

        """
        self._capacity = capacity
        self._batch_size = batch_size
        self._write = write
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._size = metrics.queue_size.labels(queue=name)
        self._size.set(0)
        self._dropped = metrics.queue_dropped
        self._name = name

    def offer(self, items: Sequence[Item]) -> None:
        """Queue the items that fit, drop and count the others; never waits."""
        room = max(0, self._capacity - len(self._items))
        self._items.extend(items[:room])
        self.count_dropped(len(items) - min(room, len(items)), "full")
        self._size.set(len(self._items))
        if self._items:
            self._idle.clear()
            self._wake.set()

    def count_dropped(self, count: int, reason: str) -> None:
        """Count items that are lost."""
        if count:
            self._dropped.labels(queue=self._name, reason=reason).inc(count)

    async def run(self) -> None:
        """Write batch after batch until cancelled; items leave the queue once they are written."""
        while True:
            await self._wake.wait()
            while self._items:
                batch = list(islice(self._items, self._batch_size))
                try:
                    await self._write(batch)
                except Exception:
                    # A writer that stops would fill the queue for good.
                    log.exception("batch lost", queue=self._name)
                    self.count_dropped(len(batch), "failed")
                for _ in batch:
                    self._items.popleft()
                self._size.set(len(self._items))
            self._wake.clear()
            self._idle.set()

    async def close(self, task: asyncio.Task[None], timeout_seconds: float) -> None:
        """Wait until all is written, then end the task that runs `run`.

        Args:
            task: runs `run`.
            timeout_seconds: what is left after it is lost and counted.

        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        if self._items:
            log.warning("items lost at shutdown", queue=self._name, count=len(self._items))
        self.count_dropped(len(self._items), "shutdown")
        self._items.clear()
        self._size.set(0)
