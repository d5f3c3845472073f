"""Connections to Postgres, with the password from its file."""

from typing import Any

import psycopg
import sqlalchemy

from mlops_app.secret_file import read_secret
from mlops_app.settings import Settings

# Socket options of libpq that turn a vanished server into an error within seconds instead of the
# kernel's two hours. https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-PARAMKEYWORDS
CONNECT_OPTIONS: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def _arguments(settings: Settings, name: str) -> dict[str, Any]:
    password = read_secret(settings.database_password_file, "DATABASE_PASSWORD_FILE")
    return {
        **CONNECT_OPTIONS,
        "password": password.get_secret_value(),
        "application_name": f"mlops-app {name} {settings.app_version}",
    }


async def connect(settings: Settings, name: str) -> psycopg.AsyncConnection:
    """Open one autocommit connection.

    Args:
        settings: where and as whom.
        name: what the connection is for, shown in `pg_stat_activity`.

    Raises:
        psycopg.OperationalError: the server does not answer or refuses.
        UserError: the password file cannot be read.

    """
    return await psycopg.AsyncConnection.connect(
        settings.database_url,
        autocommit=True,
        **_arguments(settings, name),
    )


def engine(settings: Settings, name: str) -> sqlalchemy.Engine:
    """Return a SQLAlchemy engine without a pool, for Alembic."""
    url = sqlalchemy.make_url(settings.database_url).set(drivername="postgresql+psycopg")
    return sqlalchemy.create_engine(
        url, poolclass=sqlalchemy.NullPool, connect_args=_arguments(settings, name)
    )
