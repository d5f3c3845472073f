"""`migrate`: brings the database schema to the newest revision.

Safe to run twice and from several places at once: a session-level advisory lock lets one run work
while the others wait, and each migration commits together with its revision.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from mlops_app.db import arguments
from mlops_app.dependency import describe
from mlops_app.errors import UserError
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


def migrate(settings: Settings) -> dict[str, str | None]:
    """Upgrade to the newest revision.

    Returns:
        the revision before and after; equal when there was nothing to do.

    Raises:
        UserError: see `open_locked`.

    """
    config = Config(toml_file=PROJECT_FILE)
    with open_locked(settings) as connection:
        before = _revision(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return {"before": before, "after": _revision(connection)}


def _revision(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    # Reading began a transaction; Alembic would take it for the caller's and leave it open.
    connection.rollback()
    return revision


def _connect(settings: Settings) -> Connection:
    url = make_url(settings.database_url).set(drivername="postgresql+psycopg")
    connect_args = arguments(settings, "migrate")
    return create_engine(url, poolclass=NullPool, connect_args=connect_args).connect()
