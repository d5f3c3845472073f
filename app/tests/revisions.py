"""Copies of the app with migrations of a test's own."""

import shutil
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {previous!r}
{more}

def upgrade() -> None:
    {upgrade}

def downgrade() -> None:
    pass
"""


@dataclass(frozen=True)
class Project:
    """A copy of the app.

    Attributes:
        directory: holds `mlops_app`, `migrations` and `pyproject.toml`.

    """

    directory: Path

    @property
    def project_file(self) -> Path:
        """Where Alembic finds the migrations."""
        return self.directory / "pyproject.toml"

    def add(self, revision: str, upgrade: str, previous: str = "0001", more: str = "") -> "Project":
        """Add a revision.

        Args:
            revision: its name.
            upgrade: what it does, one line of Python.
            previous: the revision before it.
            more: lines of the file.

        """
        text = REVISION.format(revision=revision, previous=previous, upgrade=upgrade, more=more)
        (self.directory / "migrations" / "versions" / f"{revision}.py").write_text(text)
        return self

    def without(self, revision: str) -> "Project":
        """Remove a revision."""
        for path in (self.directory / "migrations" / "versions").glob(f"{revision}*.py"):
            path.unlink()
        return self


def copy_project(directory: Path) -> Project:
    """Return a copy of the app in a new directory."""
    for name in ("mlops_app", "migrations"):
        shutil.copytree(
            PROJECT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(PROJECT / "pyproject.toml", directory)
    return Project(directory)
