"""Alembic's entry: runs the migrations on the connection that `mlops_app.migrate` opened.

Migrations only expand: they add tables, nullable columns or columns with a default, and indexes.
During a release and after a rollback two app versions share one schema, so a column or table is
renamed or removed no earlier than one release after the last version that used it.
"""

from alembic import context

from mlops_app.migrate import open_locked
from mlops_app.settings import Settings

connection = context.config.attributes.get("connection")


def run(active: object) -> None:
    context.configure(connection=active, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif connection is None:  # the `alembic` command itself, in development
    with open_locked(Settings.from_environment()) as locked:
        run(locked)
else:
    run(connection)
