"""At build time: a migration after the newest one that cannot succeed, if that is the fault."""

import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from faults import Fault

# It does something first, to show that nothing of it stays.
MIGRATION = '''"""Cannot succeed."""

from alembic import op

revision = "broken"
down_revision = {newest!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE left_behind (id integer)")
    op.execute("ALTER TABLE a_table_that_is_not_there ADD COLUMN broken integer")


def downgrade() -> None:
    op.execute("DROP TABLE left_behind")
'''


def main() -> None:
    """Add the migration; any other fault needs none, and an unknown one ends the build."""
    if Fault(sys.argv[1]) is not Fault.FAILED_MIGRATION:
        return
    scripts = ScriptDirectory.from_config(Config(toml_file=Path("pyproject.toml").absolute()))
    (Path(scripts.versions) / "9999_broken.py").write_text(
        MIGRATION.format(newest=scripts.get_current_head())
    )


main()
