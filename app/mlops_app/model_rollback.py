"""`model rollback`: an earlier model version takes the alias, and every copy of the app serves it.

Safe to stop at any moment and to run again: the alias is moved in one call. The apps swap models
by themselves, without a restart and without losing a request.
"""

import tempfile
import time
from pathlib import Path
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import model_registry as entities

from mlops_app.champion import find_version, move_alias, previous_tag
from mlops_app.dependency import describe
from mlops_app.errors import UserError
from mlops_app.model import LoadedModel
from mlops_app.registry import configure_client, find_alias, to_version
from mlops_app.replicas import Replica, ask_replicas
from mlops_app.settings import Settings
from mlops_app.steps import Report, Steps

RETRIES: Final = 2
TIMEOUT_SECONDS: Final = 20

# Each app looks the alias up every few seconds, and a large model takes a while to load.
SERVED_WITHIN_SECONDS: Final = 120
POLL_SECONDS: Final = 0.25


def roll_back(
    settings: Settings,
    version: str | None,
    report: Report,
    served_within_seconds: float = SERVED_WITHIN_SECONDS,
) -> dict[str, Any]:
    """Give the alias to a version and wait until it is served.

    Args:
        settings: where MLflow and the apps are, and the model's name and alias.
        version: that takes the alias, None for the one that had it before.
        report: called once per step that is done, with its name and its seconds.
        served_within_seconds: how long the apps may take; then the alias is put back.

    Returns:
        model, alias, the version that has it, the one that had it, and how many copies serve it.

    Raises:
        UserError: there is no such version, or it cannot be served; the alias is where it was.

    """
    configure_client(settings.mlflow_tracking_uri, retries=RETRIES, timeout_seconds=TIMEOUT_SECONDS)
    client = MlflowClient()
    name, alias = settings.model_name, settings.model_alias
    step = Steps(settings, report)
    with step("find the version"):
        current = find_alias(client, name, alias)
        if current is None:
            raise UserError(
                f"no version of model '{name}' carries the alias '{alias}', so there is nothing to "
                "go back from. Train a model first."
            )
        target = _target(client, settings, current, version)
    before, after = str(current.version), str(target.version)
    with step(f"load version {after}"):
        _prove(target)
    if before != after:
        with step(f"move the alias from version {before} to {after}"):
            move_alias(client, name, alias, version=after, previous=before)
    with step(f"wait until every copy of the app serves version {after}"):
        problem = _wait(settings, after, served_within_seconds)
    if problem is not None:
        if before == after:
            raise UserError(f"{problem} Version {after} had the alias already, and keeps it.")
        with step(f"move the alias back to version {before}"):
            client.set_registered_model_alias(name, alias, before)
        # So that the apps are as they were when this ends, whatever is tried next.
        with step(f"wait until every copy of the app serves version {before}"):
            _wait(settings, before, served_within_seconds)
        raise UserError(
            f"{problem} The alias '{alias}' is back at version {before}. Repair version {after}, "
            "or go back to another one."
        )
    return {
        "model": name,
        "alias": alias,
        "version": after,
        "previous_version": before,
        "replicas": len(ask_replicas(settings.app_url)),
    }


def _target(
    client: MlflowClient,
    settings: Settings,
    current: entities.ModelVersion,
    version: str | None,
) -> entities.ModelVersion:
    """Return the version that is to take the alias.

    Raises:
        UserError: there is none.

    """
    name, alias = settings.model_name, settings.model_alias
    wanted = version or current.tags.get(previous_tag(alias))
    if wanted is None:
        raise UserError(
            f"there is no earlier version to go back to: none is recorded as '{alias}' of model "
            f"'{name}' before version {current.version}. {_known(client, name)} Name the one that "
            "shall be served."
        )
    found = find_version(client, name, wanted)
    if found is None:
        was = "" if version else f" any more, which was '{alias}' before {current.version}"
        raise UserError(
            f"model '{name}' has no version {wanted}{was}. {_known(client, name)} Name one of them."
        )
    return found


def _known(client: MlflowClient, name: str) -> str:
    found = client.search_model_versions(
        f"name='{name}'", order_by=["version_number DESC"], max_results=10
    )
    return f"The newest versions are: {', '.join(str(item.version) for item in found)}."


def _prove(target: entities.ModelVersion) -> None:
    """Load and warm the version here, as the app would, before anything is changed.

    Raises:
        UserError: it cannot be served.

    """
    version = to_version(target)
    uri = f"models:/{version.name}/{version.version}"
    try:
        with tempfile.TemporaryDirectory(prefix="model-") as scratch:
            files = download_artifacts(artifact_uri=uri, dst_path=scratch)
            LoadedModel(version, Path(files), max_rows=1)
    except Exception as error:
        raise UserError(
            f"version {version.version} of model '{version.name}' cannot be served: "
            f"{describe(error)}. The alias was not moved. Repair that version's files in MLflow, "
            "or go back to another one."
        ) from error


def _wait(settings: Settings, version: str, seconds: float) -> str | None:
    """Wait until every copy serves the version.

    Returns:
        None when they do, else why not, as a sentence.

    """
    deadline = time.monotonic() + seconds
    while True:
        replicas = ask_replicas(settings.app_url)
        for replica in replicas:
            if replica.refused == version:
                return f"The app at {replica.address} refuses it: {_sentence(replica.reason)}"
        # One that still refuses another version has not looked the alias up again yet.
        late = [item for item in replicas if item.version != version or item.refused is not None]
        if replicas and not late:
            return None
        if time.monotonic() > deadline:
            return f"Version {version} is not served within {seconds:g} s: {_who(late)}"
        time.sleep(POLL_SECONDS)


def _who(late: list[Replica]) -> str:
    if not late:
        return "no app answers."
    return " ".join(
        f"the app at {item.address} serves {f'version {item.version}' if item.version else 'none'}"
        f"{f' ({item.reason})' if item.reason else ''}."
        for item in late
    )


def _sentence(text: str | None) -> str:
    return f"{(text or 'it does not say why').rstrip('.')}."
