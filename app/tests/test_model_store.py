"""Which model the app serves while MLflow and its alias come and go."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.models import infer_signature

from tests.eventually import eventually
from tests.models import copy_version, register_blocking, register_code
from tests.rows import fresh
from tests.running_app import RunningApp
from tests.world import World


def status(app: RunningApp, probe: str) -> tuple[int, list[str]]:
    """Return a probe's status code and what it says is missing."""
    answer = app.get(f"/health/{probe}")
    return answer.status_code, answer.json().get("missing", [])


def test_waits_for_mlflow_and_names_it(world: World) -> None:
    world.new_champion()
    world.links.mlflow.cut()
    app = world.start().until_live()

    eventually(lambda: app.health()["dependencies"]["mlflow"]["status"] == "down", "down")
    assert status(app, "ready") == (503, ["mlflow"])
    assert status(app, "startup") == (503, ["mlflow"])
    assert world.settings.mlflow_tracking_uri in app.get("/health/ready").json()["reason"]
    assert "Connection refused" in app.get("/health/ready").json()["reason"]
    refused = app.predict(*fresh(1))
    assert (refused.status_code, refused.json()["missing"]) == (503, ["mlflow"])
    assert refused.headers["retry-after"]

    world.links.mlflow.mend()
    app.until_ready()
    assert app.predict(*fresh(1)).status_code == 200
    assert status(app, "startup") == (200, [])


def test_a_registry_without_a_champion_ends_the_start_but_is_not_ready(world: World) -> None:
    app = world.start().until_live()

    eventually(lambda: status(app, "startup") == (200, []), "the start is over")
    assert status(app, "ready") == (503, ["model"])
    reason = app.get("/health/ready").json()["reason"]
    assert world.settings.model_name in reason
    assert "run the training job" in reason
    assert app.get("/health/startup").json()["model"] is None

    world.new_champion()
    app.until_ready()


def test_a_registered_model_without_the_alias_is_the_same(world: World) -> None:
    copy_version(world.trained, world.settings.model_name)
    app = world.start().until_live()

    eventually(lambda: status(app, "startup") == (200, []), "the start is over")
    assert status(app, "ready") == (503, ["model"])


def test_keeps_serving_when_mlflow_goes_away(app: RunningApp, world: World) -> None:
    world.links.mlflow.cut()
    eventually(lambda: app.health()["dependencies"]["mlflow"]["status"] == "down", "down")

    assert app.predict(*fresh(1)).status_code == 200
    assert status(app, "ready") == (200, [])
    health = app.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "degraded"
    assert app.metric("mlops_app_dependency_up", dependency="mlflow") == 0

    newer = copy_version(world.trained, world.settings.model_name)
    world.point_alias(newer)
    world.links.mlflow.mend()
    eventually(lambda: app.health()["model"]["version"] == newer, "follows again")
    assert app.health()["status"] == "ok"


def test_follows_the_alias_there_and_back(app: RunningApp, world: World) -> None:
    first = app.health()["model"]["version"]
    newer = copy_version(world.trained, world.settings.model_name)
    row = fresh(1)[0]
    eventually(lambda: app.predict(row).json()["cached"], "the old version's answer is cached")

    world.point_alias(newer)
    eventually(lambda: app.health()["model"]["version"] == newer, "follows")
    answer = app.predict(row).json()
    assert (answer["model"]["version"], answer["cached"]) == (newer, False)
    assert app.metric("mlops_app_model_info", version=newer) == 1
    assert app.metric("mlops_app_model_info", version=first) == 0

    world.point_alias(first)
    eventually(lambda: app.health()["model"]["version"] == first, "goes back")
    assert app.predict(row).json()["cached"] is True


def test_an_alias_taken_away_does_not_stop_the_service(app: RunningApp, world: World) -> None:
    MlflowClient().delete_registered_model_alias(world.settings.model_name, "champion")
    loads = app.metric("mlops_app_request_duration_seconds_count", route="/metrics")
    eventually(
        lambda: (
            app.metric("mlops_app_request_duration_seconds_count", route="/metrics") > loads + 5
        ),
        "the app has gone on for a while",
    )

    assert app.predict(*fresh(1)).status_code == 200


def test_requests_in_flight_finish_with_the_model_they_began_with(
    world: World, tmp_path: Path
) -> None:
    name = world.settings.model_name
    world.point_alias(register_blocking(name))
    app = world.start().until_ready()
    release = tmp_path / "release"
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(app.predict, {"path": str(release), "answer": "old"})
        eventually(lambda: app.metric("mlops_app_requests_in_flight") >= 2, "it is in flight")

        world.point_alias(register_blocking(name))
        eventually(lambda: app.health()["model"]["version"] == "2", "swapped meanwhile")
        quick = app.predict({"path": "/", "answer": "new"}).json()
        release.touch()

        assert (quick["model"]["version"], quick["predictions"]) == ("2", ["new"])
        old = slow.result().json()
        assert (old["model"]["version"], old["predictions"]) == ("1", ["old"])


def test_a_version_that_cannot_be_served_is_refused_and_the_old_one_stays(
    app: RunningApp, world: World, tmp_path: Path
) -> None:
    code = tmp_path / "model.py"
    code.write_text(
        "import mlflow\n"
        "import pandas as pd\n"
        "from mlflow.pyfunc.model import PythonModel\n"
        "class Broken(PythonModel):\n"
        "    def load_context(self, context):\n"
        "        raise RuntimeError('broken on purpose')\n"
        "    def predict(self, context, model_input: pd.DataFrame, params=None):\n"
        "        return []\n"
        "mlflow.models.set_model(Broken())\n"
    )
    example = pd.DataFrame({"x": [1.0]})
    before = app.health()["model"]["version"]
    broken = register_code(
        world.settings.model_name, code, infer_signature(example, [1.0]), example=None
    )
    world.point_alias(broken)

    eventually(lambda: app.health()["status"] == "degraded", "the refusal shows")
    assert "broken on purpose" in app.health()["reason"]
    assert f"version {broken}" in app.health()["reason"]
    assert app.health()["model"]["version"] == before
    assert app.predict(*fresh(1)).status_code == 200
    assert app.metric("mlops_app_model_loads_total", result="refused") >= 1

    world.point_alias(before)
    eventually(lambda: app.health()["status"] == "ok", "all is well again")
    assert len([line for line in app.log() if line["message"] == "model refused"]) == 1


@pytest.mark.parametrize("flaw", ["no signature", "too few predictions"])
def test_a_first_version_that_cannot_be_served_is_named(
    world: World, tmp_path: Path, flaw: str
) -> None:
    code = tmp_path / "model.py"
    code.write_text(
        "import mlflow\n"
        "import pandas as pd\n"
        "from mlflow.pyfunc.model import PythonModel\n"
        "class Empty(PythonModel):\n"
        "    def predict(self, context, model_input: pd.DataFrame, params=None):\n"
        "        return []\n"
        "mlflow.models.set_model(Empty())\n"
    )
    example = pd.DataFrame({"x": [1.0]})
    signature = None if flaw == "no signature" else infer_signature(example, [1.0])
    given = None if flaw == "no signature" else example
    world.point_alias(register_code(world.settings.model_name, code, signature, given))
    app = world.start().until_live()

    eventually(lambda: status(app, "ready") == (503, ["model"]), "refused")
    assert "cannot be served" in app.get("/health/ready").json()["reason"]
    assert status(app, "startup") == (503, ["model"])


def test_a_restart_finds_the_files_on_disk(app: RunningApp, world: World) -> None:
    del app
    (copy,) = (world.settings.models_dir / world.settings.model_name).iterdir()
    inode = copy.stat().st_ino

    world.start().until_ready()

    assert [copy.stat().st_ino] == [
        path.stat().st_ino for path in (world.settings.models_dir / copy.parent.name).iterdir()
    ]
    assert copy.stat().st_ino == inode


def test_old_copies_do_not_pile_up(app: RunningApp, world: World) -> None:
    versions = [copy_version(world.trained, world.settings.model_name) for _ in range(4)]
    for version in versions:
        world.point_alias(version)
        eventually(lambda: app.health()["model"]["version"] == version, version)  # noqa: B023

    kept = {
        path.name.split("-")[0]
        for path in (world.settings.models_dir / world.settings.model_name).iterdir()
    }
    assert kept == set(versions[-3:])
