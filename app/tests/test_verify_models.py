"""Registries whose versions open and answer as recorded, and such whose versions do not."""

import json
from subprocess import CompletedProcess
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from mlops_app.golden import TAG, same_answers
from mlops_app.settings import Settings
from tests.models import Trained, copy_version, register_blocking
from tests.running_app import command, free_port
from tests.world import World, as_environment


def verify(settings: Settings, *names: str) -> CompletedProcess[str]:
    return command("verify-models", *names, environment=as_environment(settings))


def record(name: str, version: str, golden: dict[str, Any]) -> None:
    MlflowClient().set_model_version_tag(name, version, TAG, json.dumps(golden))


def recorded(trained: Trained) -> dict[str, Any]:
    tags = MlflowClient().get_model_version(trained.name, trained.version).tags
    golden: dict[str, Any] = json.loads(tags[TAG])
    return golden


def refusal(settings: Settings, *names: str) -> str:
    run = verify(settings, *names)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    return run.stderr.splitlines()[-1]


def test_every_version_opens_and_answers_as_recorded(world: World) -> None:
    name = world.settings.model_name
    world.new_champion()
    record(name, "1", recorded(world.trained))
    copy_version(world.trained, name)  # opened, though nothing was recorded
    elsewhere = register_blocking(f"{name}-other")

    run = verify(world.settings, name, f"{name}-other")

    assert run.returncode == 0, run.stderr
    *progress, result = [json.loads(line) for line in run.stdout.splitlines()]
    rows = len(recorded(world.trained)["rows"])
    assert rows > 0
    assert result == {
        "event": "result",
        "models": [
            {"name": name, "version": "1", "aliases": ["champion"], "rows": rows},
            {"name": name, "version": "2", "aliases": [], "rows": 0},
            {"name": f"{name}-other", "version": elsewhere, "aliases": [], "rows": 0},
        ],
    }
    assert [line["step"] for line in progress if line["event"] == "done"] == [
        "read the registry",
        f"ask model {name} version 1",
        f"ask model {name} version 2",
        f"ask model {name}-other version {elsewhere}",
    ]


def test_a_version_that_answers_otherwise_is_named(world: World) -> None:
    name = world.settings.model_name
    copy_version(world.trained, name)
    copy_version(world.trained, name)
    golden = recorded(world.trained)
    record(name, "1", golden)
    record(name, "2", {**golden, "predictions": ["another answer"] * len(golden["rows"])})

    message = refusal(world.settings, name)

    assert "1 of 2 registered model versions" in message
    assert f"model {name} version 2: answers" in message
    assert "another answer" in message
    assert "version 1:" not in message


def test_versions_that_do_not_open_are_all_named(world: World) -> None:
    name = world.settings.model_name
    with mlflow.start_run() as run:
        mlflow.log_text("not a model", "lost/note.txt")
    source = f"runs:/{run.info.run_id}/lost"
    client = MlflowClient()
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, source, run.info.run_id)
    copy_version(world.trained, name)

    message = refusal(world.settings, name)

    assert "2 of 3 registered model versions" in message
    for version in ("1", "2"):
        assert f"model {name} version {version}: cannot be opened" in message


def test_no_registry_is_an_error_of_its_own(services: Settings) -> None:
    nowhere = services.model_copy(update={"mlflow_tracking_uri": f"http://127.0.0.1:{free_port()}"})

    message = refusal(nowhere)

    assert "at the step 'read the registry'" in message


@pytest.mark.parametrize(
    ("recorded", "said", "same"),
    [
        ([1, "a", None], [1, "a", None], True),
        ([0.1], [0.1 + 1e-9], True),
        ([0.1], [0.1001], False),
        ([1], [1.0], True),
        ([1], [True], False),
        ([1], ["1"], False),
        ([1], [1, 1], False),
        ([{"a": 1}], [{"a": 1 + 1e-9}], True),
        ([{"a": 1}], [{"b": 1}], False),
        ([[1, 2]], [[1, 3]], False),
        ([0], [None], False),
    ],
)
def test_answers_are_the_same_up_to_rounding(
    recorded: list[Any], said: list[Any], *, same: bool
) -> None:
    assert same_answers(recorded, said) is same
