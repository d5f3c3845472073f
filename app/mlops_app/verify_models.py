"""`verify-models`: every registered version opens, and answers as it did when it was registered.

What a restored registry is worth is not that its tables and files are there, but that each version
still computes what it was registered with.
"""

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import model_registry as entities

from mlops_app.dependency import describe
from mlops_app.errors import UserError
from mlops_app.golden import TAG, same_answers
from mlops_app.model import LoadedModel
from mlops_app.registry import configure_client, to_version
from mlops_app.settings import Settings
from mlops_app.steps import Report, Steps

RETRIES: Final = 2
TIMEOUT_SECONDS: Final = 60
PAGE: Final = 100


def verify_models(settings: Settings, names: Collection[str], report: Report) -> dict[str, Any]:
    """Open every version of the models, and ask it what was recorded.

    Args:
        settings: where MLflow is.
        names: of the models, none for all that are registered.
        report: called once per step that is done, with its name and its seconds.

    Returns:
        `models`: name, version, aliases, and `rows`, the recorded predictions that it answered the
        same, 0 where none were recorded.

    Raises:
        UserError: MLflow cannot be reached, or versions do not open or answer otherwise; the
            message names each of them.

    """
    configure_client(settings.mlflow_tracking_uri, retries=RETRIES, timeout_seconds=TIMEOUT_SECONDS)
    client = MlflowClient()
    step = Steps(settings, report)
    with step("read the registry"):
        versions = _versions(client, names)
        aliases = {name: _aliases(client, name) for name in {version.name for version in versions}}
    verified: list[dict[str, Any]] = []
    problems: list[str] = []
    for version in versions:
        with step(f"ask model {version.name} version {version.version}"):
            try:
                rows = _verify(version, settings.max_batch_rows)
            except Exception as error:  # noqa: BLE001  (a model may raise anything)
                problems.append(f"model {version.name} version {version.version}: {_why(error)}")
                continue
        verified.append(
            {
                "name": version.name,
                "version": str(version.version),
                "aliases": sorted(
                    alias
                    for alias, number in aliases[version.name].items()
                    if str(number) == str(version.version)
                ),
                "rows": rows,
            }
        )
    if problems:
        raise UserError(
            f"{len(problems)} of {len(versions)} registered model versions are not what they were "
            f"registered as: {'; '.join(problems)}. Look whether the registry that they were "
            "copied from has the same fault; if it has not, the copy is damaged: use another."
        )
    return {"models": verified}


class _OtherAnswersError(Exception):
    """The version computes, but not what it did."""


def _versions(client: MlflowClient, names: Collection[str]) -> list[entities.ModelVersion]:
    """Return every version of the models, by name and number."""
    found: list[entities.ModelVersion] = []
    token: str | None = ""
    while token is not None:
        page = client.search_model_versions(max_results=PAGE, page_token=token or None)
        found.extend(version for version in page if not names or version.name in names)
        token = page.token or None
    return sorted(found, key=lambda version: (version.name, int(version.version)))


def _aliases(client: MlflowClient, name: str) -> dict[str, Any]:
    return dict(client.get_registered_model(name).aliases)


def _verify(version: entities.ModelVersion, max_rows: int) -> int:
    """Return how many recorded predictions the version answers the same.

    Raises:
        Exception: whatever the download or the model raises, or what it answers otherwise.

    """
    # One at a time, removed at once: all versions together may not fit.
    with tempfile.TemporaryDirectory() as scratch:
        files = download_artifacts(
            artifact_uri=f"models:/{version.name}/{version.version}", dst_path=scratch
        )
        recorded = version.tags.get(TAG)
        if recorded is None:
            # Registered from elsewhere; the app might refuse it, but it has to open.
            mlflow.pyfunc.load_model(files)
            return 0
        golden = json.loads(recorded)
        said = LoadedModel(to_version(version), Path(files), max_rows).predict(golden["rows"])
    if not same_answers(said, golden["predictions"]):
        raise _OtherAnswersError(
            f"answers {json.dumps(said)[:200]} where {json.dumps(golden['predictions'])[:200]} "
            "was recorded"
        )
    return len(said)


def _why(error: Exception) -> str:
    if isinstance(error, _OtherAnswersError):
        return str(error)
    return f"cannot be opened ({describe(error)})"
