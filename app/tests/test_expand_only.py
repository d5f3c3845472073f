"""Which migrations may be released."""

from pathlib import Path

import pytest
from alembic.config import Config

from checks.expand_only import Finding, check
from mlops_app.migrate import PROJECT_FILE
from tests.revisions import Project, copy_project

TABLE = "prediction_log"
ADD_COLUMN = f'op.add_column("{TABLE}", sa.Column("x", {{}}))'
CONCURRENTLY = (
    f'op.create_index("i", "{TABLE}", ["cached"], postgresql_concurrently=True, if_not_exists=True)'
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_project(tmp_path / "project")


def findings(project: Project) -> list[Finding]:
    return check(Config(toml_file=project.project_file))


def test_the_app_s_own_migrations_may_be_released() -> None:
    assert check(Config(toml_file=PROJECT_FILE)) == []


@pytest.mark.parametrize(
    "upgrade",
    [
        'op.create_table("t", sa.Column("id", sa.Uuid, primary_key=True))',
        ADD_COLUMN.format("sa.Text"),
        ADD_COLUMN.format('sa.Boolean, nullable=False, server_default="false"'),
        f"with op.get_context().autocommit_block(): {CONCURRENTLY}",
        "op.execute(\"UPDATE prediction_log SET request_id = '' WHERE request_id IS NULL\")",
        'op.create_table("u", sa.Column("n", sa.Text)); op.create_index("n", "u", ["n"])',
    ],
)
def test_what_only_adds_may_be_released(project: Project, upgrade: str) -> None:
    assert findings(project.add("0002", upgrade)) == []


@pytest.mark.parametrize(
    ("upgrade", "rule"),
    [
        (f'op.drop_table("{TABLE}")', "ban-drop-table"),
        (f'op.drop_column("{TABLE}", "cached")', "ban-drop-column"),
        (f'op.rename_table("{TABLE}", "log")', "renaming-table"),
        (f'op.alter_column("{TABLE}", "cached", new_column_name="hit")', "renaming-column"),
        (f'op.alter_column("{TABLE}", "cached", type_=sa.Text)', "changing-column-type"),
        (f'op.alter_column("{TABLE}", "inputs", nullable=False)', "adding-not-nullable-field"),
        (ADD_COLUMN.format("sa.Text, nullable=False"), "adding-required-field"),
        ('op.execute("DROP VIEW v")', "ban-drop-view"),
        (f'op.execute("TRUNCATE {TABLE}")', "removing-rows"),
        ('op.execute("delete from prediction_log")', "removing-rows"),
    ],
)
def test_what_breaks_older_code_is_refused_unless_it_says_which_code_can_do_without(
    project: Project, upgrade: str, rule: str
) -> None:
    project.add("0002", upgrade)

    found = findings(project)

    assert [(item.revision, item.rule) for item in found] == [("0002", rule)]
    assert "contracts_after" in str(found[0])
    assert found[0].statement in str(found[0])
    assert findings(project.add("0002", upgrade, more='contracts_after = "0001"')) == []


@pytest.mark.parametrize(
    ("upgrade", "rule"),
    [
        (f'op.create_index("i", "{TABLE}", ["cached"])', "require-concurrent-index-creation"),
        (CONCURRENTLY, "ban-concurrent-index-creation-in-transaction"),
        (f'op.create_unique_constraint("u", "{TABLE}", ["id"])', "disallowed-unique-constraint"),
        (f'op.create_check_constraint("c", "{TABLE}", "true")', "constraint-missing-not-valid"),
    ],
)
def test_what_blocks_a_table_in_use_is_refused_whatever_it_says(
    project: Project, upgrade: str, rule: str
) -> None:
    for more in ("", 'contracts_after = "0001"'):
        found = findings(project.add("0002", upgrade, more=more))

        assert rule in {item.rule for item in found}
        assert all(item.fix for item in found if item.rule == rule)


@pytest.mark.parametrize("named", ["0002", "0003", "nothing"])
def test_only_an_earlier_revision_can_be_named(project: Project, named: str) -> None:
    project.add("0002", "pass", more=f"contracts_after = {named!r}")
    project.add("0003", "pass", previous="0002")

    (found,) = findings(project)

    assert (found.revision, found.rule) == ("0002", "contracts-after")
    assert "0001" in found.fix
