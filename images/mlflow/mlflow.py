#!/opt/mlflow/bin/python3
"""The mlflow command; `mlflow server` becomes its web server instead of waiting for it.

MLflow's own command starts the web server as a child and stays only to pass signals on: a second
interpreter with all of MLflow in it, 155 MiB for nothing. Here the web server takes its place, so
it gets Docker's signals itself. With job execution on, the command has job runners to start after
the web server, and is left as it is.
"""

import os
import sys
from typing import NoReturn

from mlflow.cli import cli
from mlflow.environment_variables import MLFLOW_SERVER_ENABLE_JOB_EXECUTION


def become(command: list[str], *, extra_env: dict[str, str], **_: object) -> NoReturn:
    """Replace this process by `command`, with `extra_env` added to the environment.

    Raises:
        OSError: if the program cannot be started.

    """
    os.execve(command[0], command, os.environ | extra_env)  # noqa: S606 - that is the point


if __name__ == "__main__":
    if "server" in sys.argv[1:2] and not MLFLOW_SERVER_ENABLE_JOB_EXECUTION.get():
        import mlflow.server

        # Assigning to a name that nothing reads would go unnoticed.
        if not hasattr(mlflow.server, "_exec_cmd"):
            raise SystemExit("This MLflow starts its web server in another way. Adapt this file.")
        mlflow.server._exec_cmd = become  # noqa: SLF001 - there is no public way
    cli()
