"""Predictions remembered in Redis, at a price that a request can afford.

An entry's key holds the model version's identity and a keyed hash of the row, so a new version
never sees the answers of another, and Redis never sees the inputs.

Bound: one sorted set lists every entry by the time it expires. A script, hence atomically, writes a
batch, forgets what has expired and, above `CACHE_MAX_SIZE`, removes the entries closest to their
end. So the bound holds over all app containers and model versions, and reads write nothing.

A Redis that is away or slow costs the requests under way at that moment `cache_timeout_seconds`.
Then the cache is left out of the path until a probe, off the path, finds it fast again.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from mlops_app.batch_queue import BatchQueue
from mlops_app.dependency import Dependency
from mlops_app.metrics import Metrics
from mlops_app.model import Prediction
from mlops_app.secret_file import read_secret
from mlops_app.settings import Settings

PREFIX = "mlops:prediction"
INDEX = f"{PREFIX}:index"

# What the probe may take for a new connection; its second ping must keep to the request's budget.
CONNECT_SECONDS = 1.0

# All are opened by the probe, so that no request pays for a handshake. A look-up takes a fraction
# of a millisecond, so a few serve more requests than one process can answer.
CONNECTIONS = 4

# Writes wait for Redis for a moment at most; predictions that are not cached are computed again.
QUEUE_CAPACITY = 2000
BATCH_SIZE = 200

# KEYS: the index. ARGV: TTL in seconds, most entries, then key, value, key, value, …
WRITE_SCRIPT = """
local index, ttl, size = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])
for i = 3, #ARGV, 2 do
  redis.call('SET', ARGV[i], ARGV[i + 1], 'EX', ttl)
  redis.call('ZADD', index, now + ttl, ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
local excess = redis.call('ZCARD', index) - size
if excess > 0 then
  local removed = redis.call('ZPOPMIN', index, excess)
  for i = 1, #removed, 2 do
    redis.call('UNLINK', removed[i])
  end
end
if redis.call('TTL', index) < ttl then
  redis.call('EXPIRE', index, ttl)
end
"""


@dataclass(frozen=True)
class Entry:
    """A prediction to remember."""

    key: str
    prediction: Prediction


class _PasswordFile(CredentialProvider):
    """Reads the password at each connection, so that rotating it needs no restart."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_credentials(self) -> tuple[str]:
        return (read_secret(self._path, "REDIS_PASSWORD_FILE").get_secret_value(),)

    async def get_credentials_async(self) -> tuple[str]:
        return self.get_credentials()


class Cache:
    """Look-up and writing of predictions; failures show in `dependency`, never to the caller."""

    def __init__(self, settings: Settings, dependency: Dependency, metrics: Metrics) -> None:
        self.dependency = dependency
        self.enabled = settings.cache_ttl > 0 and settings.cache_max_size > 0
        self._settings = settings
        self._metrics = metrics
        # Retries are off: one failure opens the breaker, and the probe is what tries again.
        self._redis: Redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                settings.redis_url,
                credential_provider=_PasswordFile(settings.redis_password_file),
                max_connections=CONNECTIONS,
                # How long to wait for a connection; the callers' own time-outs are shorter.
                timeout=CONNECT_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=CONNECT_SECONDS,
                retry=Retry(NoBackoff(), 0),
                decode_responses=True,
            )
        )
        self._write_script = self._redis.register_script(WRITE_SCRIPT)
        self.queue = BatchQueue[Entry](
            "cache",
            capacity=QUEUE_CAPACITY,
            batch_size=BATCH_SIZE,
            write=self._write,
            metrics=metrics,
        )

    @staticmethod
    def key(model_identity: str, row_hash: str) -> str:
        """Return the Redis key of one row's prediction by one model version."""
        return f"{PREFIX}:{model_identity}:{row_hash}"

    async def find(self, keys: Sequence[str]) -> list[Prediction | None]:
        """Return what is remembered under each key, None where nothing is.

        Returns within `cache_timeout_seconds`, whatever Redis does.
        """
        nothing: list[Prediction | None] = [None] * len(keys)
        if not self.enabled:
            return nothing
        if not self.dependency.is_up:
            self._count("bypassed")
            return nothing
        try:
            async with asyncio.timeout(self._settings.cache_timeout_seconds):
                values = await self._redis.mget(keys)
        except (RedisError, OSError, TimeoutError) as error:
            self.dependency.down(error)
            self._count("error")
            return nothing
        hits = sum(value is not None for value in values)
        self._count("hit", hits)
        self._count("miss", len(values) - hits)
        return [None if value is None else json.loads(value) for value in values]

    def leave_out(self) -> None:
        """Count a request that does not want remembered answers."""
        if self.enabled:
            self._count("unwanted")

    def remember(self, entries: Sequence[Entry]) -> None:
        """Queue predictions for writing; never waits. While Redis is away they are forgotten."""
        if not self.enabled or not entries:
            return
        if self.dependency.is_up:
            self.queue.offer(entries)
        else:
            self.queue.count_dropped(len(entries), "unavailable")

    async def probe(self) -> None:
        """Raise unless Redis answers; to be used again, as fast as a request needs it."""
        try:
            if self.dependency.is_up:
                await self._ping(CONNECT_SECONDS)
            else:
                # As many at once as there are connections, so that each of them is used.
                await self._ping(CONNECT_SECONDS, times=CONNECTIONS)
                await self._ping(self._settings.cache_timeout_seconds, times=CONNECTIONS)
        except BaseException:
            # Connections from before an outage would each fail once more.
            await self._redis.connection_pool.disconnect(inuse_connections=False)
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def _ping(self, timeout_seconds: float, times: int = 1) -> None:
        async with asyncio.timeout(timeout_seconds):
            await asyncio.gather(*(self._redis.ping() for _ in range(times)))

    async def _write(self, batch: Sequence[Entry]) -> None:
        arguments: list[Any] = [self._settings.cache_ttl, self._settings.cache_max_size]
        for entry in batch:
            arguments += [entry.key, json.dumps(entry.prediction)]
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._write_script(keys=[INDEX], args=arguments)
        except (RedisError, OSError, TimeoutError) as error:
            self.dependency.down(error)
            self.queue.count_dropped(len(batch), "unavailable")
        else:
            self._metrics.queue_written.labels(queue="cache").inc(len(batch))

    def _count(self, result: str, amount: int = 1) -> None:
        if amount:
            self._metrics.cache_requests.labels(result=result).inc(amount)


class RowHasher:
    """Hashes rows with the app's secret key: few-valued inputs cannot be guessed from a hash."""

    def __init__(self, secret_key: str) -> None:
        # BLAKE2b takes keys of up to 64 bytes; a digest makes one of any secret.
        self._key = hashlib.sha512(secret_key.encode()).digest()

    def hash(self, row: bytes) -> str:
        """Return 32 hex digits (128 bits: no collision in the life of a cache)."""
        return hashlib.blake2b(row, key=self._key, digest_size=16).hexdigest()
