"""`schema`: which revisions of the database this version knows, and so which databases it serves.

Asked before a backup is restored: a database from a newer release is refused while the stack still
serves, not found out about when the app starts on it.
"""

from typing import Any

from alembic.config import Config

from mlops_app.migrate import PROJECT_FILE, known_revisions
from mlops_app.settings import Settings


def describe_schema(settings: Settings) -> dict[str, Any]:
    """Return what is in the image; no database is asked.

    Returns:
        `version`, the release, and `revisions`, newest first.

    Raises:
        UserError: the migrations in the image are broken.

    """
    scripts = known_revisions(Config(toml_file=PROJECT_FILE))
    return {
        "version": settings.app_version,
        "revisions": [script.revision for script in scripts],
    }
