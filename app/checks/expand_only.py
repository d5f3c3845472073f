"""Refuses migrations that only the newest code could live with, or that block the tables in use.

During a release and after a rollback older code runs on the newer schema. What breaks it, and what
would keep a table locked while traffic waits, is found by squawk in the SQL that each revision
emits: https://squawkhq.com/docs/rules

A revision may remove what code no longer uses if it names, as `contracts_after`, the revision whose
version stopped using it; `migrate` of older versions then refuses that database.
"""

import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

PROJECT_FILE: Final = Path(__file__).parent.parent / "pyproject.toml"

POSTGRES_VERSION: Final = "17.0"

# Matters of taste, and time-outs, which `migrate` sets for all revisions.
NOT_ASKED: Final = (
    "ban-char-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-timestamptz",
    "require-enum-value-ordering",
    "require-lock-timeout",
    "require-statement-timeout",
)

# Rules about older code, by the beginning of their names; all others are about locks.
CONTRACTING: Final = (
    "adding-not-nullable-field",
    "adding-required-field",
    "ban-drop-",
    "ban-set-schema",
    "ban-truncate-cascade",
    "changing-column-type",
    "renaming-",
    "removing-rows",
)

# Alembic itself deletes from its own table when it goes back.
REMOVED_ROWS: Final = re.compile(
    r"^\s*(?:TRUNCATE\b|DELETE\s+FROM\s+(?!alembic_version\b)).*?(?:;|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)

EXPAND: Final = (
    "Older code runs on this schema during a release and after a rollback: only add. Remove it a "
    "release after the last version that used it, and name that version's newest revision in this "
    'file: contracts_after = "…"'
)


@dataclass(frozen=True)
class Finding:
    """A statement that is refused.

    Attributes:
        revision: that emits it.
        statement: SQL, on one line.
        rule: squawk's name, or `removing-rows`.
        problem: what is wrong with it.
        fix: what to do instead.

    """

    revision: str
    statement: str
    rule: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return (
            f"revision {self.revision}: {self.statement}\n"
            f"  {self.rule}: {self.problem}\n"
            f"  {self.fix}"
        )


def check(config: Config) -> list[Finding]:
    """Return all that is to be refused, oldest revision first.

    Args:
        config: names the folder of the migrations.

    Raises:
        CommandError: they cannot be read, or do not form one line.

    """
    scripts = ScriptDirectory.from_config(config)
    scripts.get_current_head()
    revisions = list(reversed(list(scripts.walk_revisions())))
    findings = []
    for index, script in enumerate(revisions):
        known = [earlier.revision for earlier in revisions[:index]]
        findings += _check_revision(config, script, known)
    return findings


def _check_revision(config: Config, script: Script, known: list[str]) -> list[Finding]:
    contracts_after = getattr(script.module, "contracts_after", None)
    if contracts_after is not None and contracts_after not in known:
        return [
            Finding(
                script.revision,
                f"contracts_after = {contracts_after!r}",
                "contracts-after",
                "This is not an earlier revision.",
                f"Name one of: {', '.join(known) or 'none, since this is the first revision'}.",
            )
        ]
    sql = emitted_sql(config, script)
    findings = [*_squawk(script.revision, sql), *_removed_rows(script.revision, sql)]
    if contracts_after is None:
        return findings
    return [item for item in findings if not item.rule.startswith(CONTRACTING)]


def emitted_sql(config: Config, script: Script) -> str:
    """Return what one revision would send to Postgres, with its transaction."""
    output = io.StringIO()
    offline = Config(toml_file=config.toml_file_name, output_buffer=output)
    before = script.down_revision if isinstance(script.down_revision, str) else "base"
    command.upgrade(offline, f"{before}:{script.revision}", sql=True)
    return output.getvalue()


def _squawk(revision: str, sql: str) -> list[Finding]:
    done = subprocess.run(
        [
            "squawk",
            "--reporter=json",
            f"--pg-version={POSTGRES_VERSION}",
            f"--exclude={','.join(NOT_ASKED)}",
            f"--stdin-filepath={revision}.sql",
        ],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"squawk failed: {done.stderr or done.stdout}") from error
    lines = sql.splitlines()
    return [
        Finding(
            revision,
            " ".join(" ".join(lines[item["line"] : item["line_end"] + 1]).split()),
            item["rule_name"],
            item["message"],
            EXPAND if item["rule_name"].startswith(CONTRACTING) else item["help"] or "",
        )
        for item in found
    ]


def _removed_rows(revision: str, sql: str) -> list[Finding]:
    return [
        Finding(
            revision,
            " ".join(match.group().split()),
            "removing-rows",
            "Removing rows takes away what older code may read, and no rollback brings it back.",
            EXPAND,
        )
        for match in REMOVED_ROWS.finditer(sql)
    ]


def main() -> None:
    """Check the app's own migrations; exit 1 with what is wrong."""
    findings = check(Config(toml_file=PROJECT_FILE))
    if findings:
        sys.exit("\n".join(["the migrations cannot be released:", *map(str, findings)]))


if __name__ == "__main__":
    main()
