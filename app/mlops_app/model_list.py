"""`model list`: the registered versions, how good they are, and which of them is served."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities import model_registry as entities
from mlflow.exceptions import MlflowException

from mlops_app.champion import previous_tag
from mlops_app.promotion import METRIC
from mlops_app.registry import configure_client
from mlops_app.replicas import ask_replicas
from mlops_app.settings import Settings
from mlops_app.steps import Report, Steps

RETRIES: Final = 1
TIMEOUT_SECONDS: Final = 20


def list_versions(settings: Settings, limit: int, report: Report) -> dict[str, Any]:
    """Return the newest versions, newest first.

    Args:
        settings: where MLflow and the apps are, and the model's name and alias.
        limit: most versions.
        report: called once per step that is done, with its name and its seconds.

    Returns:
        model, alias, the score's metric, `replicas` (copies of the app that run), and `versions`
        with version, created (ISO 8601), score (0 to 1, None where none was recorded), aliases,
        served_by (copies that serve it) and previous (the version that a rollback goes to).

    Raises:
        UserError: MLflow cannot be reached or refuses.

    """
    configure_client(settings.mlflow_tracking_uri, retries=RETRIES, timeout_seconds=TIMEOUT_SECONDS)
    client = MlflowClient()
    name, alias = settings.model_name, settings.model_alias
    step = Steps(settings, report)
    with step("read the registry"):
        found = client.search_model_versions(
            f"name='{name}'", order_by=["version_number DESC"], max_results=limit
        )
        aliases = client.get_registered_model(name).aliases if found else {}
        scores = [_score(client, item) for item in found]
    with step("ask the apps"):
        served = Counter(replica.version for replica in ask_replicas(settings.app_url))
    return {
        "model": name,
        "alias": alias,
        "metric": METRIC,
        "replicas": served.total(),
        "versions": [
            {
                "version": str(item.version),
                "created": datetime.fromtimestamp(
                    (item.creation_timestamp or 0) / 1000, UTC
                ).isoformat(timespec="seconds"),
                "score": score,
                "aliases": sorted(
                    label for label, version in aliases.items() if str(version) == str(item.version)
                ),
                "served_by": served[str(item.version)],
                "previous": item.tags.get(previous_tag(alias)),
            }
            for item, score in zip(found, scores, strict=True)
        ],
    }


def _score(client: MlflowClient, version: entities.ModelVersion) -> float | None:
    """Return what the version's training measured, None for one from elsewhere."""
    if not version.run_id:
        return None
    try:
        metrics = client.get_run(version.run_id).data.metrics
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return metrics.get(METRIC)
