"""The alias that names the served version, and how it got there.

A version that takes the alias keeps, as a tag, which version had it before. So a way back needs no
guess: the version trained before need not be one that ever served. Going back again steps further
back; a version that was left behind keeps its tag and is never returned to unless it is named.
"""

from mlflow import MlflowClient
from mlflow.entities import model_registry as entities
from mlflow.exceptions import MlflowException


def previous_tag(alias: str) -> str:
    """Return the tag of a version that names the one that had the alias before it."""
    return f"mlops.previous.{alias}"


def find_version(client: MlflowClient, name: str, version: str) -> entities.ModelVersion | None:
    """Return a version, None when there is none of that number.

    Raises:
        MlflowException: no usable answer.

    """
    try:
        return client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def move_alias(
    client: MlflowClient, name: str, alias: str, *, version: str, previous: str | None
) -> None:
    """Give the alias to a version; it is moved last, in one call.

    Args:
        client: of the registry.
        name: registered model.
        alias: to move.
        version: that takes it.
        previous: that had it, None for the first.

    Raises:
        MlflowException: the registry fails.

    """
    # Back to where it came from: that version's own way back stays as it is, or going back twice
    # would return to the version that was left first.
    if previous is not None and version not in _way_back(client, name, alias, previous):
        client.set_model_version_tag(name, version, previous_tag(alias), previous)
    client.set_registered_model_alias(name, alias, version)


def _way_back(client: MlflowClient, name: str, alias: str, version: str) -> list[str]:
    """Return the versions that had the alias before this one and since, this one first."""
    walked: list[str] = []
    current: str | None = version
    while current is not None and current not in walked:
        found = find_version(client, name, current)
        if found is None:
            break
        walked.append(current)
        current = found.tags.get(previous_tag(alias))
    return walked
