"""Logs, metrics, docs, the health check command, and the errors of a start that fails."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.eventually import eventually
from tests.rows import fresh, held_out
from tests.running_app import RunningApp, command, free_port
from tests.world import World, as_environment

HEALTHCHECK = "healthcheck"


def test_every_line_of_the_log_is_json_and_no_secret_is_in_it(
    shared_app: RunningApp, shared_world: World
) -> None:
    shared_app.predict(*fresh(1), headers={"X-Request-ID": "traced"})
    shared_app.predict({"bad": 1})
    eventually(lambda: [line for line in shared_app.log() if line.get("code") == 422], "logged")

    (request,) = [line for line in shared_app.log() if line.get("request_id") == "traced"]
    assert request["message"] == "request"
    assert (request["method"], request["path"], request["code"]) == ("POST", "/predict", 200)
    assert request["level"] == "info"
    assert request["milliseconds"] > 0
    for line in shared_app.log():
        assert {"message", "level", "timestamp", "logger"} <= line.keys()
    settings = shared_world.settings
    for path in (
        settings.database_password_file,
        settings.redis_password_file,
        settings.secret_key_file,
    ):
        assert path.read_text().strip() not in shared_app.output


def test_health_checks_are_not_logged_at_info(shared_app: RunningApp) -> None:
    shared_app.get("/health")
    shared_app.get("/metrics")

    assert not [line for line in shared_app.log() if line.get("path", "").startswith("/health")]
    assert not [line for line in shared_app.log() if line.get("path") == "/metrics"]


def test_metrics_follow_the_conventions(shared_app: RunningApp) -> None:
    shared_app.predict(*held_out(1))
    answer = shared_app.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.text))
    own = [family for family in families if family.name.startswith("mlops_app_")]
    assert len(own) > 10
    for family in own:
        assert family.documentation
        assert re.fullmatch(r"[a-z0-9_]+", family.name)
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb)(_|$)", family.name)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        # The parser strips `_total` from counters; nothing else may end so.
        assert not family.name.endswith("_total")


def test_requests_are_measured_by_route_code_and_model_version(shared_app: RunningApp) -> None:
    def count(**labels: str) -> float:
        return shared_app.metric("mlops_app_request_duration_seconds_count", **labels)

    good = {"route": "/predict", "code": "200", "model_version": "1", "method": "POST"}
    bad = {**good, "code": "422"}
    lost = {"route": "unmatched", "code": "404", "model_version": ""}
    before = count(**good), count(**bad), count(**lost)

    shared_app.predict(*held_out(1))
    shared_app.predict({})
    shared_app.get("/wp-login.php")

    assert (count(**good), count(**bad), count(**lost)) == tuple(value + 1 for value in before)


def test_failures_are_counted_from_zero(world: World) -> None:
    """Else the first ones would show as no increase."""
    world.new_champion()
    app = world.start().until_ready()

    codes = {
        sample.labels["code"]: sample.value
        for family in text_string_to_metric_families(app.get("/metrics").text)
        for sample in family.samples
        if sample.name == "mlops_app_request_duration_seconds_count"
        and sample.labels["route"] == "/predict"
        and sample.labels["model_version"] == "1"
    }
    assert codes == {"200": 0, "500": 0, "503": 0}


def test_readiness_version_and_dependencies_are_metrics(shared_app: RunningApp) -> None:
    assert shared_app.metric("mlops_app_ready") == 1
    assert shared_app.metric("mlops_app_info", version="v1.2.3") == 1
    for name in ("mlflow", "redis", "postgres"):
        assert shared_app.metric("mlops_app_dependency_up", dependency=name) == 1


def test_every_answer_names_the_version(shared_app: RunningApp) -> None:
    for path in ("/health", "/health/live", "/metrics", "/docs", "/nothing"):
        assert shared_app.get(path).headers["x-app-version"] == "v1.2.3"
    assert shared_app.client.get("/predict").status_code == 405
    assert shared_app.client.get("/predict").headers["x-app-version"] == "v1.2.3"


def test_docs_come_from_the_app_itself(shared_app: RunningApp) -> None:
    page = shared_app.get("/docs")

    assert page.status_code == 200
    assert "//" not in "".join(re.findall(r'(?:src|href)="([^"]+)"', page.text))
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert shared_app.get(path).status_code == 200


def test_the_description_shows_the_model_s_own_columns(shared_app: RunningApp) -> None:
    description = shared_app.get("/openapi.json").json()

    request = description["paths"]["/predict"]["post"]["requestBody"]["content"]
    reference = request["application/json"]["schema"]["properties"]["rows"]["items"]["$ref"]
    row = description["components"]["schemas"][reference.rsplit("/", 1)[1]]
    assert set(row["properties"]) == set(held_out(1)[0])
    example = request["application/json"]["example"]
    assert shared_app.client.post("/predict", json=example).status_code == 200


def run_healthcheck(port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HEALTHCHECK],
        env={**os.environ, "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_healthcheck_follows_the_start(world: World) -> None:
    world.new_champion()
    world.links.mlflow.cut()
    app = world.start().until_live()
    eventually(lambda: app.health()["missing"] == ["mlflow"], "mlflow is missing")

    waiting = run_healthcheck(app.port)
    assert waiting.returncode == 1
    assert json.loads(waiting.stdout)["missing"] == ["mlflow"]

    world.links.mlflow.mend()
    app.until_ready()
    assert run_healthcheck(app.port).returncode == 0


def test_healthcheck_without_an_app_fails() -> None:
    done = run_healthcheck(free_port())

    assert done.returncode == 1
    assert "does not answer" in done.stderr


@pytest.mark.parametrize(
    "name", ["database_password_file", "redis_password_file", "secret_key_file"]
)
def test_a_missing_secret_stops_the_start_and_is_named(
    world: World, tmp_path: Path, name: str
) -> None:
    missing = tmp_path / "not-there"

    run = command("serve", environment=as_environment(world.settings, **{name: missing}))

    assert run.returncode == 1
    assert str(missing) in run.stderr
    assert name.upper() in run.stderr
    assert "Traceback" not in run.stderr + run.stdout


def test_a_wrong_value_stops_the_start_and_is_named(world: World) -> None:
    run = command("serve", environment=as_environment(world.settings, port="http"))

    assert run.returncode == 1
    assert "PORT" in run.stderr
    assert "Traceback" not in run.stderr + run.stdout


def test_help_has_an_example() -> None:
    run = command("--help", environment=dict(os.environ))

    assert run.returncode == 0
    assert "Example:" in run.stdout
    for name in ("serve", "migrate", "train", "model"):
        assert name in run.stdout


def test_metrics_of_several_workers_are_added_up(world: World) -> None:
    world.new_champion()
    app = world.start(workers=2)
    # A connection stays with one worker, so each question asks on a new one.
    app.client.headers["Connection"] = "close"
    app.until_ready()
    eventually(lambda: app.metric("mlops_app_model_loads_total", result="loaded") == 2, "both")

    for row in fresh(20):
        assert app.predict(row).status_code == 200

    for _ in range(10):  # from whichever worker
        labels = {"route": "/predict", "code": "200"}
        assert app.metric("mlops_app_request_duration_seconds_count", **labels) == 20
        assert app.metric("mlops_app_info", version="v1.2.3") == 1
