"""What the database itself knows of the revisions applied to it, for apps that are older than it.

After a rollback the older app finds a revision that its code does not have. Alembic's own table
holds that one name, which says neither that it came after all that the app knows nor whether the
app can live with it. So each migration leaves a row here, in its own transaction, and the app
follows the rows back from the newest: it reaches its own newest revision, and from there exactly
its own revisions, or the database is not one that this app's later versions have made.

A revision that only expands the schema suits all older code. One that removes what is no longer
used says so with `contracts_after = "<revision>"`: older code runs on it only if it knows that
revision, the one whose version stopped using it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, text

from mlops_app.errors import UserError

TABLE: Final = "schema_history"

# Read by apps of any age: it may gain columns, and must never lose or change one.
CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    revision text PRIMARY KEY,
    previous text,
    contracts_after text,
    app_version text,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

INSERT = text(
    f"INSERT INTO {TABLE} (revision, previous, contracts_after, app_version)"  # noqa: S608
    " VALUES (:revision, :previous, :contracts_after, :app_version) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True)
class Applied:
    """A row of the history.

    Attributes:
        revision: what was applied.
        previous: the revision before it, None for the first.
        contracts_after: the oldest revision whose code can live with it, None where any can.
        app_version: the release that applied it, None where that was before there was a history.

    """

    revision: str
    previous: str | None
    contracts_after: str | None
    app_version: str | None


def prepare(connection: Connection, known: Sequence[Script], current: str | None) -> None:
    """Make the table unless it is there, with what was applied before it was.

    Args:
        connection: without a transaction; its own is committed.
        known: the app's revisions, newest first.
        current: the database's, None when it has none.

    """
    connection.execute(text(CREATE))
    revisions = [script.revision for script in known]
    if current in revisions:
        for script in reversed(known[revisions.index(current) :]):
            connection.execute(INSERT, _row(script, app_version=None))
    connection.commit()


def read(connection: Connection) -> dict[str, Applied]:
    """Return the history by revision, empty when the database has none."""
    if connection.execute(text(f"SELECT to_regclass('{TABLE}')")).scalar() is None:
        return {}
    rows = connection.execute(
        text(f"SELECT revision, previous, contracts_after, app_version FROM {TABLE}")  # noqa: S608
    )
    return {row.revision: Applied(*row) for row in rows}


def recorder(app_version: str) -> Any:
    """Return what Alembic calls after each revision, inside the revision's transaction.

    Args:
        app_version: the release that migrates.

    """

    def record(*, ctx: MigrationContext, step: MigrationInfo, **_: Any) -> None:
        script = step.up_revision
        if ctx.connection is None or not isinstance(script, Script):
            return
        if step.is_upgrade:
            ctx.connection.execute(INSERT, _row(script, app_version))
        else:
            ctx.connection.execute(
                text(f"DELETE FROM {TABLE} WHERE revision = :revision"),  # noqa: S608
                {"revision": script.revision},
            )

    return record


def check_newer(
    current: str, history: Mapping[str, Applied], known: Sequence[str], app_version: str
) -> None:
    """Return if the database was brought to a revision unknown here by a later version of this app.

    Args:
        current: the database's revision.
        history: of the database.
        known: the app's revisions, newest first.
        app_version: this release.

    Raises:
        UserError: it was not, or this version cannot work on that revision.

    """
    applied = _walk(current, history)
    revisions = [item.revision for item in applied]
    own = len(revisions) - len(known)
    complete = bool(applied) and applied[-1].previous is None
    if not complete or not known or own <= 0 or revisions[own:] != list(known):
        raise UserError(
            f"the database is at revision '{current}', which this version of the app "
            f"({app_version}) does not know, and the database's history (table {TABLE}) does not "
            f"show that it came after '{next(iter(known), None)}', the newest revision that this "
            "version knows. Nothing was changed. Check that DATABASE_URL names this app's own "
            f"database; if it does, deploy {_version_of(current, history)}."
        )
    for item in applied[:own]:
        if item.contracts_after is not None and item.contracts_after not in known:
            raise UserError(
                f"the database is at revision '{current}', and revision '{item.revision}', applied "
                f"by {_version_of(item.revision, history)}, removed what only code that knows "
                f"revision '{item.contracts_after}' can do without. This version of the app "
                f"({app_version}) knows no newer one than '{known[0]}'. Nothing was changed. Go "
                f"back to a version that has revision '{item.contracts_after}'."
            )


def _walk(current: str, history: Mapping[str, Applied]) -> list[Applied]:
    """Return the rows from the newest to the oldest, as far as they are connected."""
    walked: dict[str, Applied] = {}
    item = history.get(current)
    while item is not None and item.revision not in walked:
        walked[item.revision] = item
        item = None if item.previous is None else history.get(item.previous)
    return list(walked.values())


def _version_of(revision: str, history: Mapping[str, Applied]) -> str:
    item = history.get(revision)
    if item is None or item.app_version is None:
        return "the version that applied it"
    return f"version {item.app_version}"


def _row(script: Script, app_version: str | None) -> dict[str, str | None]:
    previous = script.down_revision
    return {
        "revision": script.revision,
        # Never several: branches are refused before anything is released (checks/expand_only.py).
        "previous": previous if isinstance(previous, str) else None,
        "contracts_after": getattr(script.module, "contracts_after", None),
        "app_version": app_version,
    }
