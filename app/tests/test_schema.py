"""Which databases a release says it knows."""

import json
from pathlib import Path

from mlops_app.settings import Settings
from tests.revisions import copy_project
from tests.running_app import command
from tests.world import as_environment


def test_names_the_revisions_of_the_image_newest_first(services: Settings, tmp_path: Path) -> None:
    newer = copy_project(tmp_path).add("0002", "op.execute('SELECT 1')")
    # No database is asked: there is none at that address.
    environment = as_environment(
        services, app_version="v7", database_url="postgresql://mlops@nowhere.invalid/mlops"
    )

    run = command("schema", environment=environment, directory=newer.directory)

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "event": "result",
        "version": "v7",
        "revisions": ["0002", "0001"],
    }


def test_migrations_that_cannot_be_read_are_said_so(services: Settings, tmp_path: Path) -> None:
    broken = copy_project(tmp_path).add("0002", "this is no Python")

    run = command("schema", environment=as_environment(services), directory=broken.directory)

    assert run.returncode == 1
    assert "migrations/versions" in run.stderr
    assert "Traceback" not in run.stderr
