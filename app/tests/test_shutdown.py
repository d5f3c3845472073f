"""SIGTERM: no answer is lost, no prediction goes unlogged, and the exit code is 0."""

import shutil
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import mlops_app
from mlops_app.main import create_app
from mlops_app.server import KEEP_ALIVE_SECONDS
from tests.eventually import eventually
from tests.link import Link
from tests.models import register_blocking
from tests.rows import fresh
from tests.running_app import RunningApp
from tests.world import World, as_environment


def in_flight(
    app: RunningApp, pool: ThreadPoolExecutor, path: Path, count: int
) -> list[Future[httpx.Response]]:
    """Send requests that wait for a file, and wait until the model has them."""
    requests = [
        pool.submit(app.predict, {"path": str(path), "answer": str(number)})
        for number in range(count)
    ]
    eventually(lambda: app.metric("mlops_app_requests_in_flight") >= count + 1, "in flight")
    return requests


@pytest.fixture
def blocking_app(world: World) -> RunningApp:
    world.point_alias(register_blocking(world.settings.model_name))
    return world.start().until_all_up()


def test_requests_in_flight_are_answered_and_logged(
    blocking_app: RunningApp, world: World, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    with ThreadPoolExecutor(4) as pool:
        requests = in_flight(blocking_app, pool, release, 4)

        blocking_app.terminate()
        eventually(
            lambda: any(line["message"] == "draining" for line in blocking_app.log()), "draining"
        )
        assert blocking_app.process.poll() is None
        release.touch()
        answers = [request.result() for request in requests]

    assert [answer.json()["predictions"] for answer in answers] == [["0"], ["1"], ["2"], ["3"]]
    assert blocking_app.exit_code() == 0
    assert world.logged() == 4


async def test_readiness_goes_first(world: World) -> None:
    """Asked in process: uvicorn takes no new request once it has seen the signal."""
    app = create_app(world.settings)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        app.state.runtime.drain()
        ready = await client.get("/health/ready")
        live = await client.get("/health/live")

    assert (ready.status_code, ready.json()["missing"]) == (503, ["draining"])
    assert live.status_code == 200


def test_what_waits_for_postgres_is_written_before_the_end(world: World) -> None:
    world.new_champion()
    app = world.start().until_all_up()
    world.links.postgres.freeze()
    assert app.predict(*fresh(100)).status_code == 200
    assert world.logged() == 0

    app.terminate()
    eventually(lambda: any(line["message"] == "draining" for line in app.log()), "draining")
    world.links.postgres.mend()

    assert app.exit_code() == 0
    assert world.logged() == 100


@pytest.mark.parametrize("fault", [Link.cut, Link.freeze], ids=["cut", "frozen"])
def test_a_dead_postgres_does_not_hold_up_the_end(
    world: World, fault: Callable[[Link], None]
) -> None:
    world.new_champion()
    app = world.start().until_all_up()
    fault(world.links.postgres)
    assert app.predict(*fresh(3)).status_code == 200

    app.terminate()

    assert app.exit_code() == 0
    (lost,) = [line for line in app.log() if line["message"] == "items lost at shutdown"]
    assert (lost["queue"], lost["count"]) == ("prediction_log", 3)


def test_a_model_that_never_answers_does_not_hold_up_the_end(world: World, tmp_path: Path) -> None:
    world.point_alias(register_blocking(world.settings.model_name))
    app = world.start(shutdown_grace_seconds=1).until_all_up()
    with ThreadPoolExecutor(1) as pool:
        (request,) = in_flight(app, pool, tmp_path / "never", 1)

        app.terminate()

        assert app.exit_code() == 0
        answer = request.result()
        assert answer.status_code == 503
        assert answer.json()["detail"] == "the app is shutting down"


def test_ends_while_mlflow_hangs(world: World) -> None:
    world.links.mlflow.freeze()
    app = world.start().until_live()

    app.terminate()

    assert app.exit_code() == 0


@pytest.mark.parametrize("changes", [{"workers": 2}, {"reload": True}], ids=["workers", "reload"])
def test_other_ways_to_serve_end_as_well(world: World, changes: dict[str, object]) -> None:
    world.new_champion()
    app = world.start(**changes).until_ready()
    assert app.predict(*fresh(1)).status_code == 200

    app.terminate()

    assert app.exit_code() == 0
    assert world.logged() == 1


def test_a_change_of_the_source_restarts_the_development_server(world: World) -> None:
    source = world.directory / "source"
    shutil.copytree(Path(mlops_app.__file__).parent, source / "mlops_app")
    world.new_champion()
    environment = as_environment(world.settings, reload=True)
    with RunningApp(environment, world.directory / "reload.jsonl", source) as app:
        app.until_ready()
        health = source / "mlops_app" / "health.py"

        health.write_text(health.read_text().replace('"live": True', '"live": "changed"'))

        eventually(lambda: app.get("/health/live").json()["live"] == "changed", "restarted")


def test_an_idle_connection_outlives_nginx_s() -> None:
    """Asked of the code, since waiting a minute proves no more."""
    assert KEEP_ALIVE_SECONDS > 60


def test_sigterm_during_the_start_is_a_clean_end(world: World) -> None:
    app = world.start()
    eventually(lambda: app.process.pid and Path(f"/proc/{app.process.pid}").exists(), "started")

    app.process.send_signal(signal.SIGTERM)

    assert app.exit_code() in {0, -signal.SIGTERM}
