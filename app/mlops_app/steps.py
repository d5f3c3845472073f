"""Jobs that run to their end report each step, and name the step at which MLflow failed them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlflow.exceptions import MlflowException

from mlops_app.dependency import describe
from mlops_app.errors import UserError
from mlops_app.settings import Settings

type Report = Callable[[dict[str, Any]], None]


class Steps:
    """Reports each step's end and time, and turns MLflow's errors into one that names the step."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._uri = settings.mlflow_tracking_uri
        self._report = report

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Run a step.

        Args:
            name: what it does, as a command.

        Raises:
            UserError: MLflow cannot be reached or refuses.

        """
        self._report({"event": "started", "step": name})
        started = time.perf_counter()
        try:
            yield
        except MlflowException as error:
            raise UserError(
                f"MLflow at {self._uri} failed at the step '{name}': {describe(error)}. Check that "
                "it is up, that this container is on its network, and that its list of allowed "
                "hosts has this address; then run it again."
            ) from None
        self._report(
            {"event": "done", "step": name, "seconds": round(time.perf_counter() - started, 3)}
        )
