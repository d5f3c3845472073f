"""The rule by which a new version becomes champion: no worse on the same held-out rows."""

from dataclasses import dataclass
from typing import Any, Final

import mlflow.pyfunc
import pandas as pd
from mlflow import MlflowClient
from sklearn.metrics import balanced_accuracy_score

from mlops_app.champion import move_alias
from mlops_app.dataset import Labels
from mlops_app.dependency import describe
from mlops_app.errors import UserError
from mlops_app.registry import find_alias
from mlops_app.settings import Settings

# From labels alone, so that a champion of any kind can be scored; and unlike plain accuracy it is
# not raised by always naming the more frequent label.
METRIC: Final = "balanced_accuracy"


@dataclass(frozen=True)
class Promotion:
    """What became of the alias.

    Attributes:
        promoted: the new version has the alias now.
        version: the version that has it.
        previous: the version that had it, None on the first training.
        score: of the new version, 0 to 1.
        champion_score: of the previous one on the same rows, None on the first training.

    """

    promoted: bool
    version: str
    previous: str | None
    score: float
    champion_score: float | None

    def summary(self) -> dict[str, Any]:
        """Return all as JSON values."""
        return {
            "promoted": self.promoted,
            "version": self.version,
            "previous_version": self.previous,
            "metric": METRIC,
            "score": self.score,
            "previous_score": self.champion_score,
        }


def promote(  # noqa: PLR0913, PLR0917  (what is compared, with what, on what)
    client: MlflowClient,
    settings: Settings,
    version: str,
    test: pd.DataFrame,
    labels: Labels,
    score: float,
) -> Promotion:
    """Move the alias to the new version unless the version that has it now is better.

    Args:
        client: of the registry.
        settings: names the model and the alias.
        version: the new one.
        test: held-out rows.
        labels: of the rows.
        score: of the new version on the rows.

    Raises:
        UserError: the champion cannot be loaded or does not take the rows, so nothing is proven.
        MlflowException: the registry fails.

    """
    champion = find_alias(client, settings.model_name, settings.model_alias)
    champion_score = None
    if champion is not None:
        champion_score = _score(settings, str(champion.version), test, labels)
        if score < champion_score:
            return Promotion(
                promoted=False,
                version=str(champion.version),
                previous=str(champion.version),
                score=score,
                champion_score=champion_score,
            )
    previous = None if champion is None else str(champion.version)
    move_alias(
        client, settings.model_name, settings.model_alias, version=version, previous=previous
    )
    return Promotion(
        promoted=True,
        version=version,
        previous=previous,
        score=score,
        champion_score=champion_score,
    )


def _score(settings: Settings, version: str, test: pd.DataFrame, labels: Labels) -> float:
    try:
        champion = mlflow.pyfunc.load_model(f"models:/{settings.model_name}/{version}")
        return float(balanced_accuracy_score(labels, champion.predict(test)))
    except Exception as error:
        raise UserError(
            f"version {version} of model '{settings.model_name}' has the alias "
            f"'{settings.model_alias}' but cannot be evaluated: {describe(error)}. The new version "
            "is registered and the alias was not moved. Repair that version, or give the alias to "
            "the new one in MLflow, and run the training again."
        ) from error
