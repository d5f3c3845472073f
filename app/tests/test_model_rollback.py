"""The way back to an earlier model version, with apps that follow it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.models import infer_signature

from mlops_app.champion import move_alias
from mlops_app.errors import UserError
from mlops_app.model_list import list_versions
from mlops_app.model_rollback import roll_back
from mlops_app.settings import Settings
from tests.eventually import eventually
from tests.models import Trained, copy_version, register_code
from tests.rows import fresh
from tests.running_app import RunningApp, command, free_port
from tests.world import World, as_environment

BROKEN = """
import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

class Broken(PythonModel):
    def load_context(self, context):
        raise RuntimeError("broken on purpose")
    def predict(self, context, model_input: pd.DataFrame, params=None):
        return []

mlflow.models.set_model(Broken())
"""


def promote(world: World) -> str:
    """Register a version and make it champion as a training does."""
    client, name = MlflowClient(), world.settings.model_name
    aliases = client.get_registered_model(name).aliases
    version = copy_version(world.trained, name)
    previous = aliases.get("champion")
    move_alias(
        client,
        name,
        "champion",
        version=version,
        previous=None if previous is None else str(previous),
    )
    return version


@pytest.fixture
def app(world: World) -> RunningApp:
    """Start an app that serves version 1, and make versions 2 and 3 champion after it."""
    world.new_champion()
    app = world.start().until_ready()
    promote(world)
    promote(world)
    return app


def at(world: World, app: RunningApp) -> Settings:
    """Return the settings of a job that finds the app."""
    return world.settings.model_copy(update={"app_url": app.url})


def back(world: World, app: RunningApp, version: str | None = None) -> dict[str, Any]:
    return roll_back(at(world, app), version, lambda _: None)


def refusal(world: World, app: RunningApp, version: str | None = None) -> str:
    with pytest.raises(UserError) as caught:
        back(world, app, version)
    return str(caught.value)


def champion(world: World) -> str:
    found = MlflowClient().get_model_version_by_alias(world.settings.model_name, "champion")
    return str(found.version)


@contextmanager
def requests(app: RunningApp) -> Iterator[list[httpx.Response]]:
    """Ask for predictions all the time, for as long as the block runs."""
    answers: list[httpx.Response] = []
    end = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=app.url, timeout=30) as client:
            while not end.is_set():
                answers.append(client.post("/predict", json={"rows": fresh(1)}))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        end.set()
        thread.join()


def test_goes_back_to_the_version_before_without_a_failed_request(
    app: RunningApp, world: World
) -> None:
    with requests(app) as answers:
        run = command("model", "rollback", environment=as_environment(at(world, app)))
        swapped = len(answers) + 1  # one may have been under way
        eventually(lambda: len(answers) > swapped + 1, "there are answers after the swap")

    assert run.returncode == 0, run.stderr
    *progress, done = [json.loads(line) for line in run.stdout.splitlines()]
    assert done == {
        "event": "result",
        "model": world.settings.model_name,
        "alias": "champion",
        "version": "2",
        "previous_version": "3",
        "replicas": 1,
    }
    assert [line["step"] for line in progress if line["event"] == "done"] == [
        "find the version",
        "load version 2",
        "move the alias from version 3 to 2",
        "wait until every copy of the app serves version 2",
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["model"]["version"] for answer in answers[swapped:]} == {"2"}
    assert champion(world) == "2"


def test_going_back_again_steps_further_back_until_there_is_no_more(
    app: RunningApp, world: World
) -> None:
    assert [back(world, app)["version"] for _ in range(2)] == ["2", "1"]

    message = refusal(world, app)

    assert "no earlier version" in message
    assert "The newest versions are: 3, 2, 1" in message
    assert champion(world) == "1"


def test_a_named_version_is_served_and_the_way_back_is_kept(app: RunningApp, world: World) -> None:
    assert back(world, app, "1")["previous_version"] == "3"
    assert back(world, app, "3")["version"] == "3"
    # Where it came from last, not where it came from when it was trained.
    assert back(world, app)["version"] == "1"


def test_a_version_that_never_served_is_not_gone_back_to(app: RunningApp, world: World) -> None:
    copy_version(world.trained, world.settings.model_name)
    assert promote(world) == "5"

    assert back(world, app)["version"] == "3"


def test_the_version_that_is_served_is_no_failure(app: RunningApp, world: World) -> None:
    assert back(world, app, "3")["version"] == "3"
    assert back(world, app)["version"] == "2"


def test_an_unknown_version_is_refused(app: RunningApp, world: World) -> None:
    message = refusal(world, app, "9")

    assert "has no version 9" in message
    assert "3, 2, 1" in message
    assert champion(world) == "3"


def test_a_version_before_that_was_deleted_is_named(app: RunningApp, world: World) -> None:
    MlflowClient().delete_model_version(world.settings.model_name, "2")

    assert "no version 2 any more" in refusal(world, app)
    assert champion(world) == "3"


def test_without_a_champion_there_is_nothing_to_go_back_from(world: World) -> None:
    app = world.start().until_live()

    assert "Train a model first" in refusal(world, app)


def test_a_version_that_cannot_be_loaded_does_not_get_the_alias(
    app: RunningApp, world: World, tmp_path: Path
) -> None:
    code = tmp_path / "model.py"
    code.write_text(BROKEN)
    signature = infer_signature(pd.DataFrame({"x": [1.0]}), [1.0])
    broken = register_code(world.settings.model_name, code, signature, example=None)

    message = refusal(world, app, broken)

    assert "broken on purpose" in message
    assert "The alias was not moved" in message
    assert champion(world) == "3"


def test_a_version_that_the_app_refuses_loses_the_alias_again(
    app: RunningApp, world: World
) -> None:
    back(world, app, "3")
    # Never served, so that it is not on the app's disk yet.
    version = copy_version(world.trained, world.settings.model_name)
    directory = world.settings.models_dir / world.settings.model_name
    directory.chmod(0o500)
    try:
        with requests(app) as answers:
            message = refusal(world, app, version)
    finally:
        directory.chmod(0o700)

    assert "Permission denied" in message
    assert "is back at version 3" in message
    assert champion(world) == "3"
    assert app.health()["model"]["version"] == "3"
    assert app.health()["refused"] is None
    assert {answer.json()["model"]["version"] for answer in answers} == {"3"}


def test_waits_for_every_app_and_puts_the_alias_back_when_one_does_not_follow(
    app: RunningApp, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = world.stack.enter_context(
        RunningApp(
            as_environment(world.settings), tmp_path / "second", host="127.0.0.2", port=app.port
        )
    ).until_ready()
    lookup = socket.getaddrinfo

    def both(host: str, *arguments: Any, **options: Any) -> list[Any]:
        hosts = ["127.0.0.1", "127.0.0.2"] if host == "app.test" else [host]
        return [found for name in hosts for found in lookup(name, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    settings = world.settings.model_copy(update={"app_url": f"http://app.test:{app.port}"})

    assert roll_back(settings, None, lambda _: None)["replicas"] == 2
    assert {each.health()["model"]["version"] for each in (app, second)} == {"2"}

    second.process.send_signal(19)  # SIGSTOP: it neither answers nor ends
    try:
        with pytest.raises(UserError) as caught:
            roll_back(settings, None, lambda _: None, served_within_seconds=1)
    finally:
        second.process.send_signal(18)  # SIGCONT
    assert f"127.0.0.2:{app.port}" in str(caught.value)
    assert "is back at version 2" in str(caught.value)
    assert champion(world) == "2"


def listed(settings: Settings, *options: str) -> dict[str, Any]:
    run = command("model", "list", *options, environment=as_environment(settings))
    assert run.returncode == 0, run.stderr
    parsed: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return parsed


def test_lists_versions_with_aliases_and_what_is_served(app: RunningApp, world: World) -> None:
    back(world, app)

    found = listed(at(world, app), "--limit", "2")

    assert (found["model"], found["alias"]) == (world.settings.model_name, "champion")
    assert (found["metric"], found["replicas"]) == ("balanced_accuracy", 1)
    assert [
        (item["version"], item["aliases"], item["served_by"], item["previous"])
        for item in found["versions"]
    ] == [("3", [], 0, "2"), ("2", ["champion"], 1, "1")]
    assert all(item["created"].startswith("20") for item in found["versions"])


def test_a_listed_version_of_a_training_has_its_score(services: Settings, trained: Trained) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    found = listed(services.model_copy(update={"model_name": trained.name, "app_url": url}))

    (version,) = found["versions"]
    assert version["score"] == trained.result["metrics"]["balanced_accuracy"]
    assert version["served_by"] == 0


def test_lists_nothing_before_there_is_a_model(services: Settings) -> None:
    nobody = services.model_copy(update={"model_name": "none", "app_url": "http://nobody.test:1"})

    found = list_versions(nobody, 20, lambda _: None)

    assert (found["versions"], found["replicas"]) == ([], 0)
