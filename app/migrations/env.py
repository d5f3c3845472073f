"""Alembic's entry: runs the migrations on the connection that `mlops_app.migrate` opened.

Migrations only expand: they add tables, nullable columns or columns with a default, and indexes.
During a release and after a rollback two app versions share one schema, so a column or table is
renamed or removed no earlier than one release after the last version that used it, in a revision
that says so (`contracts_after`, see mlops_app/schema_history.py). checks/expand_only.py refuses
all else when the image is built.
"""

from alembic import context

from mlops_app.migrate import current_revision, open_locked
from mlops_app.schema_history import prepare, recorder
from mlops_app.settings import Settings

attributes = context.config.attributes
connection = attributes.get("connection")


def run(active: object, settings: Settings) -> None:
    context.configure(
        connection=active,
        transaction_per_migration=True,
        on_version_apply=recorder(settings.app_version),
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
elif connection is None:  # the `alembic` command itself, in development
    environment = Settings.from_environment()
    with open_locked(environment) as locked:
        prepare(locked, list(context.script.walk_revisions()), current_revision(locked))
        run(locked, environment)
else:
    run(connection, attributes["settings"])
