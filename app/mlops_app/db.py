"""Connections to Postgres, with the password from its file."""

import asyncio
import os
import socket
from collections.abc import Coroutine
from typing import Any

import psycopg

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


def arguments(settings: Settings, name: str) -> dict[str, Any]:
    """Return the keyword arguments that every connection has beside its URL.

    Args:
        settings: name the password's file.
        name: what the connection is for, shown in `pg_stat_activity`.

    Raises:
        UserError: the password file cannot be read.

    """
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
        **arguments(settings, name),
    )


async def run_or_abort[T](
    connection: psycopg.AsyncConnection, operation: Coroutine[Any, Any, T]
) -> T:
    """Await an operation; when cancelled, break the connection instead of asking to cancel.

    psycopg's own answer to a cancellation is a request to the server, which it awaits for up to
    10 s: from a server that hangs, that is 10 s for nothing.

    Args:
        connection: unusable after a cancellation.
        operation: of that connection.

    """
    task = asyncio.create_task(operation)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            with socket.socket(fileno=os.dup(connection.pgconn.socket)) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # expected: the connection broke
        raise
