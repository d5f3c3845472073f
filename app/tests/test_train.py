"""The training job: what it logs, and when it moves the alias."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import list_artifacts
from mlflow.models import infer_signature

from mlops_app.dataset import load_dataset
from mlops_app.settings import Settings
from tests.eventually import eventually
from tests.models import Trained, copy_version, point_alias, register_code
from tests.running_app import command, free_port
from tests.world import as_environment, link_to, through

OTHER_COLUMNS_MODEL = Path(__file__).parent / "blocking_model.py"

# Regularised until it always names the more frequent label: balanced accuracy one half.
WORSE = ("--inverse-regularization", "1e-6")


@pytest.fixture
def name(services: Settings, request: pytest.FixtureRequest) -> str:
    del services
    return f"{request.node.name}-{id(request)}"


def train(services: Settings, name: str, *options: str) -> dict[str, Any]:
    run = command("train", *options, environment=as_environment(services, model_name=name))
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


def champion(name: str) -> str:
    return str(MlflowClient().get_model_version_by_alias(name, "champion").version)


def test_the_first_version_becomes_champion(trained: Trained) -> None:
    assert champion(trained.name) == trained.version == "1"
    assert trained.result["event"] == "result"
    assert trained.result["champion"] == {
        "promoted": True,
        "version": "1",
        "previous_version": None,
        "metric": "balanced_accuracy",
        "score": trained.result["metrics"]["balanced_accuracy"],
        "previous_score": None,
    }
    assert trained.result["metrics"]["balanced_accuracy"] > 0.9


def test_reports_each_step_with_its_time(trained: Trained) -> None:
    done = [line["step"] for line in trained.progress if line["event"] == "done"]
    started = [line["step"] for line in trained.progress if line["event"] == "started"]

    assert done == started
    assert done[0] == "connect to MLflow"
    assert done[-1] == "compare with the champion"
    assert all(line["seconds"] >= 0 for line in trained.progress if line["event"] == "done")


def test_logs_everything_that_is_needed_to_repeat_it(trained: Trained, services: Settings) -> None:
    client = MlflowClient()
    version = client.get_model_version(trained.name, trained.version)
    run = client.get_run(trained.result["run_id"])

    assert version.run_id == run.info.run_id
    assert run.data.metrics.items() >= trained.result["metrics"].items()
    assert run.data.params["inverse_regularization"] == "1.0"
    assert (run.data.params["train_rows"], run.data.params["test_rows"]) == ("426", "143")
    assert run.data.tags["app_version"] == services.app_version
    assert run.data.tags["data_sha256"] == load_dataset().sha256
    assert run.data.tags["code_sha256"] == trained.result["code_sha256"]
    assert run.data.tags["promoted"] == "true"
    assert run.inputs is not None
    contexts = {item.tags[0].value: item.dataset.name for item in run.inputs.dataset_inputs}
    assert contexts == {"training": "breast_cancer", "test": "breast_cancer"}
    assert run.info.status == "FINISHED"


def test_the_model_has_signature_and_example_and_no_pickle(trained: Trained) -> None:
    uri = f"models:/{trained.name}/{trained.version}"
    files = {Path(item.path).name for item in list_artifacts(artifact_uri=uri)}
    info = mlflow.models.get_model_info(uri)

    assert "model.skops" in files
    assert not {name for name in files if name.endswith((".pkl", ".pickle", ".joblib"))}
    assert info.flavors["sklearn"]["serialization_format"] == "skops"
    assert info.signature is not None
    assert info.signature.inputs.input_names() == list(load_dataset().test.columns)
    assert info.saved_input_example_info is not None


def test_the_version_carries_golden_predictions_of_held_out_rows(trained: Trained) -> None:
    tags = MlflowClient().get_model_version(trained.name, trained.version).tags
    golden = json.loads(tags["mlops.golden"])
    model = mlflow.pyfunc.load_model(f"models:/{trained.name}/{trained.version}")

    assert len(golden["rows"]) == trained.result["golden_rows"] == 3
    assert golden["predictions"] == list(model.predict(pd.DataFrame(golden["rows"])))
    assert set(golden["predictions"]) == {"malignant", "benign"}
    held_out = load_dataset().test.to_dict(orient="records")
    for row in golden["rows"]:
        assert any(row == pytest.approx(other, abs=1e-9) for other in held_out)


def test_an_equal_version_is_no_worse(services: Settings, trained: Trained, name: str) -> None:
    point_alias(name, copy_version(trained, name))

    result = train(services, name)

    assert result["champion"]["promoted"] is True
    assert result["champion"]["score"] == result["champion"]["previous_score"]
    assert result["champion"]["previous_version"] == "1"
    assert champion(name) == result["version"] == "2"
    tags = MlflowClient().get_model_version(name, "2").tags
    assert tags["mlops.previous.champion"] == "1"


def test_a_worse_version_is_registered_but_not_champion(
    services: Settings, trained: Trained, name: str
) -> None:
    point_alias(name, copy_version(trained, name))

    result = train(services, name, *WORSE)

    assert result["champion"]["promoted"] is False
    assert result["champion"]["score"] < result["champion"]["previous_score"]
    assert result["champion"]["version"] == champion(name) == "1"
    assert MlflowClient().get_model_version(name, result["version"]).version == "2"


def test_a_better_version_replaces_a_worse_champion(services: Settings, name: str) -> None:
    worse = train(services, name, *WORSE)
    assert worse["champion"]["promoted"] is True  # the first one is, whatever it is worth

    better = train(services, name)

    assert better["champion"]["promoted"] is True
    assert champion(name) == better["version"] == "2"


def test_the_champion_is_judged_on_the_same_held_out_rows(
    services: Settings, trained: Trained, name: str
) -> None:
    point_alias(name, copy_version(trained, name))

    result = train(services, name, *WORSE)

    assert result["champion"]["previous_score"] == pytest.approx(
        trained.result["metrics"]["balanced_accuracy"], abs=1e-12
    )


def test_a_champion_that_cannot_be_judged_stays_and_is_named(services: Settings, name: str) -> None:
    example = pd.DataFrame({"path": ["/"], "answer": ["warm"]})
    version = register_code(name, OTHER_COLUMNS_MODEL, infer_signature(example, ["warm"]), example)
    point_alias(name, version)

    run = command("train", environment=as_environment(services, model_name=name))

    assert run.returncode == 1
    assert f"version {version} of model '{name}'" in run.stderr
    assert "the alias was not moved" in run.stderr
    assert champion(name) == version


def test_a_server_that_does_not_answer_is_named(services: Settings) -> None:
    uri = f"http://127.0.0.1:{free_port()}"

    run = command("train", environment=as_environment(services, mlflow_tracking_uri=uri))

    assert run.returncode == 1
    error = run.stderr.splitlines()[-1]
    assert error.startswith(f"error: MLflow at {uri} failed at the step 'connect to MLflow'")
    assert "Connection refused" in error
    assert "Traceback" not in run.stderr


def test_sigterm_ends_it_and_it_can_be_run_again(
    services: Settings, name: str, tmp_path: Path
) -> None:
    with link_to(services.mlflow_tracking_uri) as link:
        link.freeze()
        uri = through(services.mlflow_tracking_uri, link)
        output = tmp_path / "output"
        with output.open("w") as stdout:
            job = subprocess.Popen(
                [sys.executable, "-m", "mlops_app", "train"],
                env=as_environment(services, model_name=name, mlflow_tracking_uri=uri),
                stdout=stdout,
            )
        eventually(lambda: "connect to MLflow" in output.read_text(), "it has begun")

        job.terminate()

        assert job.wait(60) == 128 + signal.SIGTERM
    assert train(services, name)["version"] == "1"


def test_a_wrong_option_is_refused() -> None:
    run = command("train", "--inverse-regularization", "0", environment={})

    assert run.returncode == 2
    assert "--inverse-regularization" in run.stderr
