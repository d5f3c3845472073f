"""The MLflow model registry: which version an alias names, and its files on local disk.

All calls block; the model store runs them in a thread.
"""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import model_registry as entities
from mlflow.exceptions import MlflowException

from mlops_app.dependency import describe
from mlops_app.settings import Settings

# Downloaded versions kept on disk: the one that answers, the one before it for a way back, a spare.
KEPT_VERSIONS: Final = 3


class RegistryError(Exception):
    """MLflow does not answer, or answers with an error."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered version.

    Attributes:
        name: registered model.
        version: its number, as MLflow writes it.
        source: where its files are, as a URI.
        identity: short hash that changes when a registry starts again from version 1.

    """

    name: str
    version: str
    source: str
    identity: str


def configure_client(uri: str, *, retries: int, timeout_seconds: int) -> None:
    """Set MLflow's options, which are those of the whole process.

    Args:
        uri: of the tracking server, which is the registry too.
        retries: attempts of one call beyond the first; its own default waits for minutes.
        timeout_seconds: of one attempt.

    """
    mlflow.set_tracking_uri(uri)
    os.environ |= {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(retries),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout_seconds),
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }


def find_alias(client: MlflowClient, name: str, alias: str) -> entities.ModelVersion | None:
    """Return the version that the alias names, None when there is no such alias or model.

    Raises:
        MlflowException: no usable answer.

    """
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        # A model without the alias is an "invalid parameter" to the server, told by its text alone.
        no_alias = f"alias {alias} not found" in str(error)
        if error.error_code == "RESOURCE_DOES_NOT_EXIST" or no_alias:
            return None
        raise


def to_version(found: entities.ModelVersion) -> ModelVersion:
    """Return what the app needs to know of a version."""
    stamp = f"{found.source} {found.run_id} {found.creation_timestamp}"
    identity = hashlib.sha256(stamp.encode()).hexdigest()[:12]
    return ModelVersion(found.name, str(found.version), str(found.source), identity)


class Registry:
    """Read access to one registered model."""

    def __init__(self, settings: Settings) -> None:
        # One failed call is reported at once: the model store decides when to try again.
        configure_client(settings.mlflow_tracking_uri, retries=0, timeout_seconds=5)
        self._client = MlflowClient()
        self._name = settings.model_name
        self._alias = settings.model_alias
        self._directory = settings.models_dir

    def find_aliased(self) -> ModelVersion | None:
        """Return the version that the alias names, None when there is no such alias or model.

        Raises:
            RegistryError: no usable answer.

        """
        try:
            found = find_alias(self._client, self._name, self._alias)
        except MlflowException as error:
            raise RegistryError(describe(error)) from error
        return None if found is None else to_version(found)

    def download(self, version: ModelVersion) -> Path:
        """Return the directory of the version's files, downloaded unless they are there.

        A download that is interrupted leaves nothing under the final name.

        Raises:
            RegistryError: the files cannot be downloaded.

        """
        target = self._directory / version.name / f"{version.version}-{version.identity}"
        if target.is_dir():
            target.touch()
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as scratch:
            try:
                files = download_artifacts(
                    artifact_uri=f"models:/{version.name}/{version.version}",
                    dst_path=scratch,
                )
            except (MlflowException, OSError) as error:
                raise RegistryError(
                    f"download of version {version.version}: {describe(error)}"
                ) from error
            try:
                Path(files).rename(target)
            except OSError:
                # Another process of this volume was faster, with the same files.
                if not target.is_dir():
                    raise
        self._forget_old(target.parent)
        return target

    def _forget_old(self, directory: Path) -> None:
        """Remove the least recently used copies; the registry keeps the originals."""
        copies = [path for path in directory.iterdir() if not path.name.startswith(".")]
        copies.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in copies[KEPT_VERSIONS:]:
            shutil.rmtree(path, ignore_errors=True)
