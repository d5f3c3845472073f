"""Migrations: repeatable and safe side by side."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from mlops_app.settings import Settings
from tests.running_app import command, free_port
from tests.world import as_environment, database_password, temporary_database


@pytest.fixture
def empty_database(services: Settings) -> Iterator[Settings]:
    with temporary_database(services) as url:
        yield services.model_copy(update={"database_url": url})


def tables(settings: Settings) -> set[str]:
    with psycopg.connect(settings.database_url, password=database_password(settings)) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
    return {row[0] for row in rows}


def test_creates_the_tables_and_a_second_run_changes_nothing(empty_database: Settings) -> None:
    environment = as_environment(empty_database)

    first = command("migrate", environment=environment)
    second = command("migrate", environment=environment)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    result = json.loads(first.stdout)
    assert result["before"] is None
    assert json.loads(second.stdout) == {**result, "before": result["after"]}
    assert tables(empty_database) == {"alembic_version", "prediction_log", "schema_history"}


def test_runs_side_by_side_wait_for_each_other(empty_database: Settings) -> None:
    environment = as_environment(empty_database)

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: command("migrate", environment=environment), range(4)))

    assert [run.returncode for run in runs] == [0] * 4, "".join(run.stderr for run in runs)
    results = [json.loads(run.stdout) for run in runs]
    assert [result["before"] for result in results].count(None) == 1
    assert len({result["after"] for result in results}) == 1


def test_names_the_server_that_does_not_answer(services: Settings) -> None:
    url = f"postgresql://mlops@127.0.0.1:{free_port()}/mlops"

    run = command("migrate", environment=as_environment(services, database_url=url))

    assert run.returncode == 1
    assert url in run.stderr
    assert "Connection refused" in run.stderr
    assert "Traceback" not in run.stderr
    assert database_password(services) not in run.stderr + run.stdout


def test_names_the_file_of_a_wrong_password(services: Settings, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("not-the-password")

    run = command("migrate", environment=as_environment(services, database_password_file=path))

    assert run.returncode == 1
    assert str(path) in run.stderr
    assert "password authentication failed" in run.stderr
    assert "not-the-password" not in run.stderr + run.stdout
    assert "Traceback" not in run.stderr
