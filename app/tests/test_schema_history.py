"""An older version of the app before the database of a newer one."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mlops_app.settings import Settings
from tests.revisions import Project, copy_project
from tests.running_app import command
from tests.world import as_environment, database_password, temporary_database

ADD_COLUMN = 'op.add_column("prediction_log", sa.Column("{0}", sa.Text))'
DROP_COLUMN = 'op.drop_column("prediction_log", "{0}")'

type Run = subprocess.CompletedProcess[str]


@pytest.fixture
def database(services: Settings) -> Iterator[Settings]:
    with temporary_database(services) as url:
        yield services.model_copy(update={"database_url": url})


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    return lambda name: copy_project(tmp_path / name)


def migrate(database: Settings, project: Project | None = None, version: str = "v1") -> Run:
    environment = as_environment(database, app_version=version)
    directory = None if project is None else project.directory
    return command("migrate", environment=environment, directory=directory)


def result(run: Run) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    parsed: dict[str, Any] = json.loads(run.stdout)
    return parsed


def query(database: Settings, statement: str) -> list[tuple[Any, ...]]:
    password = database_password(database)
    with psycopg.connect(database.database_url, password=password, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return [] if cursor.description is None else cursor.fetchall()


def refusal(run: Run) -> str:
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    return run.stderr.splitlines()[-1]


def test_records_each_revision_with_the_version_that_applied_it(
    database: Settings, project: Callable[[str], Project]
) -> None:
    migrate(database)
    newer = project("newer").add("0002", ADD_COLUMN.format("extra"))

    assert result(migrate(database, newer, "v2")) == {
        "event": "result",
        "before": "0001",
        "after": "0002",
        "newer": False,
    }
    assert query(
        database, "SELECT revision, previous, contracts_after, app_version FROM schema_history"
    ) == [("0001", None, None, "v1"), ("0002", "0001", None, "v2")]


def test_an_older_version_leaves_a_newer_database_alone(
    database: Settings, project: Callable[[str], Project]
) -> None:
    newer = project("newer").add("0002", ADD_COLUMN.format("a"))
    newer.add("0003", ADD_COLUMN.format("b"), previous="0002")
    migrate(database, newer, "v3")

    older = result(migrate(database))

    assert older == {"event": "result", "before": "0003", "after": "0003", "newer": True}
    assert query(database, "SELECT a, b FROM prediction_log") == []
    # And the newer one comes back to what it left.
    assert result(migrate(database, newer, "v3"))["before"] == "0003"


def test_a_database_from_before_there_was_a_history_gets_one(
    database: Settings, project: Callable[[str], Project]
) -> None:
    migrate(database)
    query(database, "DROP TABLE schema_history")
    newer = project("newer").add("0002", ADD_COLUMN.format("a"))
    migrate(database, newer, "v2")

    assert result(migrate(database))["newer"] is True
    assert query(database, "SELECT revision, app_version FROM schema_history") == [
        ("0001", None),
        ("0002", "v2"),
    ]


def test_the_alembic_command_keeps_the_history_too(
    database: Settings, project: Callable[[str], Project]
) -> None:
    newer = project("newer").add("0002", ADD_COLUMN.format("a"))

    def alembic(*arguments: str) -> list[tuple[Any, ...]]:
        subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            env=as_environment(database),
            cwd=newer.directory,
            check=True,
        )
        return query(database, "SELECT revision FROM schema_history ORDER BY revision")

    assert alembic("upgrade", "head") == [("0001",), ("0002",)]
    assert alembic("downgrade", "-1") == [("0001",)]


@pytest.mark.parametrize(
    "spoil",
    [
        "DROP TABLE schema_history",
        "DELETE FROM schema_history WHERE revision = '0001'",
        "DELETE FROM schema_history WHERE revision = '0002'",
        "UPDATE schema_history SET previous = '0000' WHERE revision = '0001'",
        "UPDATE schema_history SET previous = '0002' WHERE revision = '0002'",
        "UPDATE alembic_version SET version_num = 'f00d'",
        "INSERT INTO alembic_version VALUES ('f00d')",
    ],
)
def test_a_database_that_is_not_of_a_later_version_is_refused(
    database: Settings, project: Callable[[str], Project], spoil: str
) -> None:
    migrate(database, project("newer").add("0002", ADD_COLUMN.format("a")), "v2")
    query(database, spoil)
    before = query(database, "SELECT version_num FROM alembic_version")

    message = refusal(migrate(database))

    assert "Nothing was changed" in message
    assert "DATABASE_URL" in message
    assert query(database, "SELECT version_num FROM alembic_version") == before


def test_a_sibling_of_the_own_newest_revision_is_refused(
    database: Settings, project: Callable[[str], Project]
) -> None:
    migrate(database, project("theirs").add("0002b", ADD_COLUMN.format("b")), "v2-theirs")
    ours = project("ours").add("0002a", ADD_COLUMN.format("a"))

    message = refusal(migrate(database, ours, "v2-ours"))

    assert "'0002b'" in message
    assert "v2-theirs" in message
    assert "'0002a'" in message


def test_a_database_without_what_the_own_code_needs_is_refused(
    database: Settings, project: Callable[[str], Project]
) -> None:
    """0002 adds what replaces a column, 0003 removes it: code of 0001 is too old, of 0002 not."""
    newest = project("newest").add("0002", ADD_COLUMN.format("replacement"))
    newest.add(
        "0003", DROP_COLUMN.format("cached"), previous="0002", more='contracts_after = "0002"'
    )
    assert result(migrate(database, newest, "v3"))["after"] == "0003"

    middle = project("middle").add("0002", ADD_COLUMN.format("replacement"))
    assert result(migrate(database, middle, "v2"))["newer"] is True
    message = refusal(migrate(database))
    assert "'0003', applied by version v3" in message
    assert "revision '0002'" in message


@pytest.mark.parametrize(
    ("upgrade", "cause"),
    [
        ('op.execute("SELECT 1/0")', "division by zero"),
        ('raise RuntimeError("broken on purpose")', "broken on purpose"),
        ('op.add_column("no_table", sa.Column("x", sa.Text))', "no_table"),
    ],
)
def test_a_migration_that_fails_is_undone_and_named(
    database: Settings, project: Callable[[str], Project], upgrade: str, cause: str
) -> None:
    broken = project("broken").add("0002", ADD_COLUMN.format("a"))
    broken.add("0003", f"{ADD_COLUMN.format('b')}; {upgrade}", previous="0002")

    message = refusal(migrate(database, broken, "v3"))

    assert message.startswith("error: the migration to revision '0003' failed")
    assert cause in message
    assert "at revision '0002'" in message
    assert query(database, "SELECT revision FROM schema_history") == [("0001",), ("0002",)]
    with pytest.raises(psycopg.errors.UndefinedColumn):
        query(database, "SELECT b FROM prediction_log")


def test_a_file_that_cannot_be_read_is_named(
    database: Settings, project: Callable[[str], Project]
) -> None:
    message = refusal(migrate(database, project("broken").add("0002", "if"), "v2"))

    assert "0002.py" in message
    assert "Nothing was changed" in message


def test_two_newest_revisions_are_refused(
    database: Settings, project: Callable[[str], Project]
) -> None:
    both = project("both").add("0002a", "pass").add("0002b", "pass")

    message = refusal(migrate(database, both))

    assert "Nothing was changed" in message
    assert query(database, "SELECT to_regclass('alembic_version')") == [(None,)]
