"""Predictions go on without Redis and without Postgres, and health and metrics say so."""

from collections.abc import Callable

import pytest

from tests.eventually import eventually
from tests.link import Link
from tests.rows import fresh
from tests.running_app import RunningApp
from tests.world import World


@pytest.mark.parametrize("fault", [Link.cut, Link.freeze], ids=["cut", "frozen"])
@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_predicts_without_it_and_says_so(
    shared_app: RunningApp, shared_world: World, name: str, fault: Callable[[Link], None]
) -> None:
    app = shared_app
    link: Link = getattr(shared_world.links, name)
    fault(link)

    assert [app.predict(row).status_code for row in fresh(5)] == [200] * 5
    eventually(lambda: app.health()["dependencies"][name]["status"] == "down", f"{name} is down")
    health = app.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["dependencies"][name]["detail"]
    assert app.get("/health/ready").status_code == 200
    assert app.metric("mlops_app_dependency_up", dependency=name) == 0
    assert app.predict(*fresh(5)).status_code == 200

    link.mend()
    eventually(lambda: app.health()["status"] == "ok", "all is well again")
    assert app.metric("mlops_app_dependency_up", dependency=name) == 1
    row = fresh(1)[0]
    app.predict(row)
    eventually(lambda: app.predict(row).json()["cached"], "the cache works again")
    sent = app.metric("mlops_app_predictions_total", source="model")
    eventually(lambda: shared_world.logged() >= sent, "every prediction is logged")


def test_starts_without_redis_and_postgres(world: World) -> None:
    world.new_champion()
    world.links.redis.cut()
    world.links.postgres.cut()

    app = world.start().until_ready()

    assert app.predict(*fresh(1)).status_code == 200
    states = {name: item["status"] for name, item in app.health()["dependencies"].items()}
    assert states == {"mlflow": "up", "redis": "down", "postgres": "down"}


def test_a_frozen_redis_costs_one_look_up(app: RunningApp, world: World) -> None:
    world.links.redis.freeze()

    for row in fresh(20):
        assert app.predict(row).status_code == 200

    # The probe may notice first; else exactly one request did, and none after it.
    assert app.metric("mlops_app_cache_requests_total", result="error") <= 1
    assert app.metric("mlops_app_cache_requests_total", result="bypassed") >= 19


def test_a_full_queue_drops_counts_and_does_not_wait(world: World) -> None:
    world.new_champion()
    app = world.start(log_queue_size=10).until_all_up()
    world.links.postgres.cut()

    assert app.predict(*fresh(8)).status_code == 200
    assert app.predict(*fresh(8)).status_code == 200

    def dropped() -> float:
        return app.metric("mlops_app_queue_dropped_total", queue="prediction_log", reason="full")

    assert dropped() == 6
    assert app.metric("mlops_app_queue_size", queue="prediction_log") == 10
    world.links.postgres.mend()
    eventually(lambda: world.logged() == 10, "what fitted is logged")
    assert app.predict(*fresh(1)).status_code == 200
    eventually(lambda: world.logged() == 11, "and so is what comes after")
    assert dropped() == 6


def test_a_rotated_password_needs_no_restart(world: World) -> None:
    password = world.directory / "redis_password"
    password.write_text(world.settings.redis_password_file.read_text())
    world.new_champion()
    app = world.start(redis_password_file=password).until_all_up()
    world.cache.acl_setuser("default", enabled=True, passwords=["+rotated"])
    try:
        world.links.redis.cut()
        eventually(lambda: app.health()["dependencies"]["redis"]["status"] == "down", "down")
        password.write_text("rotated\n")
        world.links.redis.mend()

        eventually(lambda: app.health()["status"] == "ok", "connected with the new password")
        assert "rotated" not in app.output
    finally:
        world.cache.acl_setuser("default", enabled=True, passwords=["-rotated"])
