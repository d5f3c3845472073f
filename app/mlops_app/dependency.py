"""What is known about a service that the app uses: is it up, since when, and if not, why."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal

from prometheus_client import Gauge

from mlops_app.logs import logger

Status = Literal["unknown", "up", "down"]

log = logger(__name__)


class Dependency:
    """State of one service, written by whoever talks to it, read by health checks and metrics."""

    def __init__(self, name: str, gauge: Gauge) -> None:
        self.name = name
        self.status: Status = "unknown"
        self._detail: str | None = None
        self._since = datetime.now(UTC)
        self._gauge = gauge.labels(dependency=name)
        self._gauge.set(0)

    @property
    def is_up(self) -> bool:
        """Whether the last contact succeeded."""
        return self.status == "up"

    def up(self) -> None:
        """Record a contact that succeeded."""
        self._set("up", None)

    def down(self, error: BaseException | str) -> None:
        """Record a contact that failed, and why."""
        self._set("down", error if isinstance(error, str) else describe(error))

    def describe(self) -> dict[str, Any]:
        """Return the state as `/health` shows it."""
        return {
            "status": self.status,
            "since": self._since.isoformat(timespec="milliseconds"),
            "detail": self._detail,
        }

    def _set(self, status: Status, detail: str | None) -> None:
        self._detail = detail
        if status == self.status:
            return
        self.status = status
        self._since = datetime.now(UTC)
        self._gauge.set(status == "up")
        if status == "up":
            log.info("dependency is up", dependency=self.name)
        else:
            log.warning("dependency is down", dependency=self.name, detail=detail)


def describe(error: BaseException) -> str:
    """Return type and first line of an error: enough for health, short enough for a table.

    Where a client library wraps the operating system's error (connection refused, name not known,
    time-out) several times, that error is the cause a person can act on, and is what is returned.
    """
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.errno is not None:
            error = inner
        inner = inner.__cause__ or inner.__context__
    first_line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first_line}"[:300] if first_line else type(error).__name__


async def watch(
    dependency: Dependency, probe: Callable[[], Awaitable[None]], interval_seconds: float
) -> None:
    """Probe for ever, so that health is right without traffic and a return is noticed.

    Args:
        dependency: where the outcome goes.
        probe: raises when the service does not answer.
        interval_seconds: pause between two probes.

    """
    while True:
        try:
            await probe()
        except Exception as error:  # noqa: BLE001  (any failure of a probe means: down)
            dependency.down(error)
        else:
            dependency.up()
        await asyncio.sleep(interval_seconds)
