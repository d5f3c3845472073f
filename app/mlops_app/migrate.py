"""`migrate`: brings the database schema to the newest revision.

Safe to run twice and from several places at once: a session-level advisory lock lets one run work
while the others wait, and each migration commits together with its revision. An older version finds
the database of a newer one and lets it be, see `schema_history`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from mlops_app.db import arguments
from mlops_app.dependency import describe
from mlops_app.errors import UserError
from mlops_app.schema_history import check_newer, prepare, read
from mlops_app.settings import Settings

# Any number will do, as long as all versions of the app use the same one ("mlops" in ASCII).
LOCK_KEY = 0x6D6C6F7073

# A migration that cannot get its table lock must fail rather than queue up the traffic behind it.
TABLE_LOCK_TIMEOUT = "10s"
ADVISORY_LOCK_TIMEOUT = "120s"

PROJECT_FILE = Path(__file__).parent.parent / "pyproject.toml"


@contextmanager
def open_locked(settings: Settings) -> Iterator[Connection]:
    """Connect and hold the migration lock until the block ends.

    Raises:
        UserError: Postgres cannot be reached, or another migration holds the lock for too long.

    """
    try:
        connection = _connect(settings)
    except OperationalError as error:
        cause = error.orig if error.orig is not None else error
        raise UserError(
            f"cannot connect to Postgres at {settings.database_url}: {describe(cause)}. "
            "Check that the database is up, that its host name resolves on this network, and that "
            f"the role's password is the one in {settings.database_password_file}."
        ) from None
    with connection:
        try:
            connection.execute(text(f"SET lock_timeout = '{ADVISORY_LOCK_TIMEOUT}'"))
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
        except OperationalError:
            raise UserError(
                f"another migration has held the lock for more than {ADVISORY_LOCK_TIMEOUT}. Find "
                "it in pg_stat_activity (application_name starts with 'mlops-app migrate'), let it "
                "finish or stop it, and run migrate again."
            ) from None
        connection.execute(text(f"SET lock_timeout = '{TABLE_LOCK_TIMEOUT}'"))
        # The lock belongs to the session, not to this transaction: it lasts until disconnect.
        connection.commit()
        yield connection


def migrate(settings: Settings) -> dict[str, str | bool | None]:
    """Upgrade to the newest revision; leave a database alone that a later version has upgraded.

    Returns:
        the revision before and after, equal when there was nothing to do, and whether it is newer
        than all that this version knows.

    Raises:
        UserError: see `open_locked`; or a migration failed; or the database is at a revision that
            no later version of this app has brought it to, or that this version cannot work on.

    """
    config = Config(toml_file=PROJECT_FILE)
    known = known_revisions(config)
    revisions = [script.revision for script in known]
    with open_locked(settings) as connection:
        before = current_revision(connection)
        if before is not None and before not in revisions:
            check_newer(before, read(connection), revisions, settings.app_version)
            return {"before": before, "after": before, "newer": True}
        prepare(connection, known, before)
        config.attributes["connection"] = connection
        config.attributes["settings"] = settings
        try:
            command.upgrade(config, "head")
        except Exception as error:  # a migration may raise anything
            raise UserError(_failure(connection, revisions, error)) from error
        return {"before": before, "after": current_revision(connection), "newer": False}


def known_revisions(config: Config) -> list[Script]:
    """Return the revisions in the image, newest first.

    Raises:
        UserError: a file among them is broken, or they do not form one line.

    """
    try:
        scripts = ScriptDirectory.from_config(config)
        scripts.get_current_head()
        return list(scripts.walk_revisions())
    except Exception as error:
        raise UserError(
            f"the migrations of this version cannot be read: {describe(error)}. Nothing was "
            "changed. Correct the files in migrations/versions and build a new version."
        ) from error


def _failure(connection: Connection, revisions: Sequence[str], error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    why = (
        f"failed: {describe(cause)}. Its transaction was undone, and the version that runs goes on "
        "working. Correct the cause; if that is the migration, build a new version; then deploy it."
    )
    try:
        connection.rollback()
        reached = current_revision(connection)
    except SQLAlchemyError:  # the server is gone
        return f"a migration {why}"
    # Newest first, so that the one that failed is before the one that was reached.
    index = len(revisions) if reached is None else revisions.index(reached)
    at = "without a revision" if reached is None else f"at revision '{reached}'"
    return f"the migration to revision '{revisions[index - 1]}' {why} The database is {at}."


def current_revision(connection: Connection) -> str | None:
    """Return the database's revision, None when it has none; leaves no transaction open.

    Raises:
        UserError: it has several.

    """
    revisions = MigrationContext.configure(connection).get_current_heads()
    # Reading began a transaction; Alembic would take it for the caller's and leave it open.
    connection.rollback()
    if len(revisions) > 1:
        raise UserError(
            f"the database is at several revisions at once ({', '.join(revisions)}), which no "
            "version of this app makes. Nothing was changed. Check that DATABASE_URL names this "
            "app's own database, and correct the table alembic_version."
        )
    return next(iter(revisions), None)


def _connect(settings: Settings) -> Connection:
    url = make_url(settings.database_url).set(drivername="postgresql+psycopg")
    connect_args = arguments(settings, "migrate")
    return create_engine(url, poolclass=NullPool, connect_args=connect_args).connect()
