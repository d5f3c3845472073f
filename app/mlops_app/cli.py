"""The image's commands: `serve`, `migrate`, `schema`, `train`, `model`, `verify-models`."""

import json
import signal
import sys

import click

from mlops_app.errors import UserError
from mlops_app.logs import configure_logging
from mlops_app.settings import Settings

# Each command imports what it needs when it runs: `migrate` must not wait for MLflow to load.
# ruff: noqa: PLC0415


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Run the reference model API, its migrations or its training job.

    All settings are environment variables; see mlops_app/settings.py.

    Example: docker run --rm mlops-app migrate
    """


@commands.command()
def serve() -> None:
    """Serve the API on PORT until SIGTERM."""
    from mlops_app.server import serve as run

    run(Settings.from_environment())


@commands.command()
def migrate() -> None:
    """Bring the database schema to the newest revision; safe to repeat and to run in parallel."""
    from mlops_app.migrate import migrate as run

    settings = _begin()
    _print({"event": "result", **run(settings)})


@commands.command()
def schema() -> None:
    """Print the revisions of the database that this version knows, newest first, as JSON."""
    from mlops_app.schema import describe_schema

    settings = _begin()
    _print({"event": "result", **describe_schema(settings)})


@commands.command()
@click.option(
    "--inverse-regularization",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="C of the logistic regression; smaller is simpler.",
)
def train(inverse_regularization: float) -> None:
    """Train, register, and move the alias if the new version is no worse.

    Prints one JSON object per step, the result last.
    """
    from mlops_app.training import Parameters
    from mlops_app.training import train as run

    settings = _begin()
    result = run(settings, Parameters(inverse_regularization), _print)
    _print({"event": "result", **result})


@commands.command("verify-models")
@click.argument("names", nargs=-1)
def verify_models(names: tuple[str, ...]) -> None:
    """Open every version of the models NAMES, or of all, and compare its answers with the recorded.

    Prints one JSON object per step, the result last.
    """
    from mlops_app.verify_models import verify_models as run

    settings = _begin()
    _print({"event": "result", **run(settings, names, _print)})


@commands.group()
def model() -> None:
    """Look at the registered versions of the model, or serve an earlier one."""


@model.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_versions(limit: int) -> None:
    """Print the newest versions as JSON, and which of them is served."""
    from mlops_app.model_list import list_versions as run

    settings = _begin()
    _print({"event": "result", **run(settings, limit, _print)})


@model.command()
@click.argument("version", required=False)
def rollback(version: str | None) -> None:
    """Serve VERSION, or else the version that was served before, and wait until all apps do.

    Prints one JSON object per step, the result last.
    """
    from mlops_app.model_rollback import roll_back as run

    settings = _begin()
    _print({"event": "result", **run(settings, version, _print)})


def _begin() -> Settings:
    """Prepare a command that runs to its end: its result goes to stdout, its log to stderr."""
    # A container's first process has no default for SIGTERM: it would not end at all.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    settings = Settings.from_environment()
    configure_logging(settings.log_level, sys.stderr)
    return settings


def _print(line: dict[str, object]) -> None:
    click.echo(json.dumps(line))


def main() -> None:
    """Run a command; an error that a person can act on is one paragraph and exit code 1."""
    try:
        commands(prog_name="mlops_app")
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
