"""Real Postgres, Redis and MLflow, found through the app's own environment variables."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_app.registry import configure_client
from mlops_app.settings import Settings
from tests.models import Trained
from tests.running_app import RunningApp, command
from tests.world import World, as_environment, make_world


@pytest.fixture(scope="session")
def services() -> Settings:
    """Find the services of this run."""
    settings = Settings.from_environment()
    use_mlflow(settings)
    return settings


@pytest.fixture(autouse=True)
def _own_client(services: Settings) -> None:
    """Take MLflow's client back from an app that ran in this process."""
    use_mlflow(services)


def use_mlflow(services: Settings) -> None:
    """Point the tests' own MLflow calls past any link."""
    configure_client(services.mlflow_tracking_uri, retries=5, timeout_seconds=60)


@pytest.fixture(scope="session")
def trained(services: Settings) -> Trained:
    """Return what one run of the training job registered."""
    name = f"trained-{uuid.uuid4().hex}"
    done = command("train", environment=as_environment(services, model_name=name))
    assert done.returncode == 0, done.stderr
    *progress, result = [json.loads(line) for line in done.stdout.splitlines()]
    return Trained(name, result["version"], result, progress)


@pytest.fixture
def world(services: Settings, trained: Trained, tmp_path: Path) -> Iterator[World]:
    """Give a test services that it may break."""
    with make_world(services, trained, tmp_path) as made:
        yield made


@pytest.fixture
def app(world: World) -> RunningApp:
    """Start an app of the test's own that serves a champion, with everything up."""
    world.new_champion()
    return world.start().until_all_up()


@pytest.fixture(scope="module")
def shared_world(
    services: Settings, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Give a module's tests one world that each leaves whole; a `world` beside it empties Redis."""
    with make_world(services, trained, tmp_path_factory.mktemp("world")) as made:
        made.new_champion()
        yield made


@pytest.fixture(scope="module")
def shared_app(shared_world: World) -> RunningApp:
    """Start one app for a module's tests that each leaves running."""
    return shared_world.start().until_all_up()
