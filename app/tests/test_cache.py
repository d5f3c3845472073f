"""The cache against a real Redis: what it keeps, for how long, how much, and at what price."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import RedisError

from mlops_app.cache import CONNECTIONS, INDEX, Cache, Entry, RowHasher
from mlops_app.dependency import Dependency
from mlops_app.metrics import Metrics
from mlops_app.settings import Settings
from tests.world import World


@pytest.fixture
async def caches(world: World) -> AsyncIterator["Caches"]:
    made = Caches(world.settings)
    yield made
    for cache in made.all:
        await cache.close()


class Caches:
    """Makes caches as several app processes have them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.all: list[Cache] = []
        self.metrics = Metrics()

    async def connect(self, **changes: object) -> Cache:
        dependency = Dependency("redis", self.metrics.dependency_up)
        cache = Cache(self._settings.model_copy(update=changes), dependency, self.metrics)
        self.all.append(cache)
        await cache.probe()
        dependency.up()
        return cache

    def count(self, result: str) -> float:
        counter = self.metrics.cache_requests.labels(result=result)
        return next(iter(counter.collect())).samples[0].value


def entries(count: int, prefix: str = "m") -> list[Entry]:
    return [Entry(Cache.key(prefix, f"{index:04}"), {"label": index}) for index in range(count)]


async def write(cache: Cache, batch: list[Entry]) -> None:
    """Write through the queue, as requests do."""
    cache.remember(batch)
    await cache.queue.close(asyncio.create_task(cache.queue.run()), timeout_seconds=30)


async def test_finds_what_it_wrote(caches: Caches) -> None:
    cache = await caches.connect()
    written = entries(3)

    await write(cache, written)

    found = await cache.find([*(entry.key for entry in written), Cache.key("m", "never")])
    assert found == [{"label": 0}, {"label": 1}, {"label": 2}, None]
    assert (caches.count("hit"), caches.count("miss")) == (3, 1)


async def test_entries_expire(caches: Caches, world: World) -> None:
    cache = await caches.connect(cache_ttl=3600)

    await write(cache, entries(1))

    lifetime = world.cache.ttl(entries(1)[0].key)
    assert 3500 < lifetime <= 3600  # what Redis was told, not what a clock measured


async def test_keeps_no_more_than_the_bound(caches: Caches, world: World) -> None:
    cache = await caches.connect(cache_max_size=10)

    await write(cache, entries(25))

    assert world.cache.zcard(INDEX) == 10
    assert world.cache.dbsize() == 11  # the entries and their index


async def test_the_bound_holds_over_processes_and_model_versions(
    caches: Caches, world: World
) -> None:
    several = [await caches.connect(cache_max_size=10) for _ in range(4)]

    await asyncio.gather(
        *(write(cache, entries(200, f"version-{n}")) for n, cache in enumerate(several))
    )

    assert world.cache.zcard(INDEX) == 10
    assert world.cache.dbsize() == 11
    assert set(world.cache.keys("mlops:prediction:version-*")) == set(
        world.cache.zrange(INDEX, 0, -1)
    )


async def test_the_entries_closest_to_their_end_make_room(caches: Caches, world: World) -> None:
    short = await caches.connect(cache_max_size=3, cache_ttl=100)
    long = await caches.connect(cache_max_size=3, cache_ttl=1000)
    await write(short, entries(2, "short"))

    await write(long, entries(2, "long"))

    kept = set(world.cache.zrange(INDEX, 0, -1))
    assert {entry.key for entry in entries(2, "long")} <= kept
    assert len(kept) == 3


async def test_expired_entries_leave_the_index(caches: Caches, world: World) -> None:
    cache = await caches.connect()
    world.cache.zadd(INDEX, {"mlops:prediction:m:gone": 1})

    await write(cache, entries(1))

    assert world.cache.zrange(INDEX, 0, -1) == [entries(1)[0].key]


@pytest.mark.parametrize("off", [{"cache_ttl": 0}, {"cache_max_size": 0}])
async def test_zero_turns_it_off(caches: Caches, world: World, off: dict[str, int]) -> None:
    cache = await caches.connect(**off)

    await write(cache, entries(1))

    assert await cache.find([entries(1)[0].key]) == [None]
    assert world.cache.dbsize() == 0


async def test_a_frozen_redis_is_asked_once(caches: Caches, world: World) -> None:
    cache = await caches.connect()
    await write(cache, entries(1))
    world.links.redis.freeze()

    # Nothing comes back for as long as the link is frozen, so returning at all proves the limit.
    assert await cache.find([entries(1)[0].key]) == [None]
    assert not cache.dependency.is_up
    assert (caches.count("error"), caches.count("bypassed")) == (1, 0)
    for _ in range(5):
        assert await cache.find([entries(1)[0].key]) == [None]
    assert (caches.count("error"), caches.count("bypassed")) == (1, 5)


async def test_a_frozen_redis_does_not_pass_the_probe(caches: Caches, world: World) -> None:
    cache = await caches.connect()
    cache.dependency.down("slow")
    world.links.redis.freeze()

    with pytest.raises(TimeoutError):
        await cache.probe()

    world.links.redis.mend()
    await cache.probe()


async def test_returns_after_an_outage_without_a_failed_look_up(
    caches: Caches, world: World
) -> None:
    cache = await caches.connect()
    await write(cache, entries(1))
    await asyncio.gather(*(cache.find([entries(1)[0].key]) for _ in range(8)))
    world.links.redis.cut()
    with pytest.raises(RedisError):
        await cache.probe()
    cache.dependency.down("cut")

    world.links.redis.mend()
    await cache.probe()
    cache.dependency.up()

    # Connections from before the outage are gone: none of these meets a dead one.
    found = await asyncio.gather(*(cache.find([entries(1)[0].key]) for _ in range(8)))
    assert found == [[{"label": 0}]] * 8
    assert caches.count("error") == 0


async def test_writes_that_fail_are_counted(caches: Caches, world: World) -> None:
    cache = await caches.connect()
    world.links.redis.cut()

    await write(cache, entries(3))

    dropped = caches.metrics.queue_dropped.labels(queue="cache", reason="unavailable")
    assert next(iter(dropped.collect())).samples[0].value == 3
    assert not cache.dependency.is_up


def test_hashes_depend_on_row_and_secret() -> None:
    one, other = RowHasher("one"), RowHasher("other")

    assert one.hash(b"row") == RowHasher("one").hash(b"row")
    assert len({one.hash(b"row"), one.hash(b"rows"), other.hash(b"row")}) == 3


async def test_the_probe_opens_every_connection_before_the_first_request(
    caches: Caches, world: World
) -> None:
    def connections() -> int:
        return world.cache.info("clients")["connected_clients"]  # type: ignore[no-any-return]

    before = connections()
    cache = await caches.connect()
    opened = connections()

    await asyncio.gather(*(cache.find(["mlops:prediction:m:none"]) for _ in range(50)))

    assert opened == before + CONNECTIONS
    assert connections() == opened
