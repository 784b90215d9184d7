"""The migrations make what the models say, on both databases, and take it back."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from house.rules.live import differences, lost, schema_of
from house.rules.tables import all_tables
from tenantry.kernel.database.logins import initialise
from tenantry.kernel.database.migrating import FOLDER, downgrade, on_connection, revisions, upgrade
from tenantry.kernel.database.rebuilding import create
from tenantry.migrations import HEAD

TAKEN_AWAY: dict[str, str] = {}
"""What a migration took from a table on purpose, by the name that `lost` gives it, and why."""

Make = Callable[[str], Awaitable[str]]


@pytest.fixture
def make(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make an empty database; answers the owner's URL."""

    async def sqlite(name: str) -> str:
        return f"sqlite:///{tmp_path / name}.db"

    async def postgresql(name: str) -> str:
        parts = urlsplit(request.getfixturevalue("postgres_server").url)
        url = parts._replace(path=f"/house_{name}").geturl()
        connection = await asyncpg.connect(parts.geturl())
        await connection.execute(f"DROP DATABASE IF EXISTS house_{name} WITH (FORCE)")
        await connection.close()
        logins = [parts._replace(netloc=f"house_{one}:secret@{parts.hostname}:{parts.port}") for one in ("a", "s")]
        await initialise(url, *(login.geturl() for login in logins))
        return url

    return {"sqlite": sqlite, "postgresql": postgresql}[database_kind]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The migrations again, to plant one in."""
    return shutil.copytree(FOLDER, tmp_path / "history", ignore=shutil.ignore_patterns("__pycache__"))


def plant_after(history: Path, steps: str) -> None:
    head = f'revision, down_revision, branch_labels, depends_on = "planted", "{HEAD}", None, None\n'
    body = "".join(f"    {line}\n" for line in steps.splitlines())
    text = f"import sqlalchemy as sa\nfrom alembic import op\n{head}\ndef upgrade():\n{body}\ndef downgrade(): ...\n"
    (history / "versions" / "planted.py").write_text(text, encoding="utf-8")


async def upgrade_along(history: Path, url: str) -> None:
    def run(config: Config) -> None:
        config.set_main_option("script_location", str(history))
        command.upgrade(config, "head")

    await on_connection(url, run)


def test_there_is_one_head_and_the_package_knows_it():
    known = [name for name, _ in revisions()]
    assert known[-1] == HEAD
    assert known == [f"{number:04d}" for number in range(1, len(known) + 1)]
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
    assert {path.name[:4] for path in (FOLDER / "versions").glob("*.py")} == set(known)


async def test_migrations_equal_models(make):
    all_tables()
    migrated, modelled = await make("migrated"), await make("modelled")
    await upgrade(migrated)
    await create(modelled)
    assert differences(await schema_of(migrated), await schema_of(modelled)) == []


async def test_a_difference_is_found(make, history):
    migrated, planted = await make("migrated"), await make("planted")
    await upgrade(migrated)
    plant_after(history, 'op.create_index("ix_users_company", "users", ["company"])\nop.drop_index("uq_users_email")')
    await upgrade_along(history, planted)
    found = differences(await schema_of(migrated), await schema_of(planted))
    assert [line.partition(":")[0] for line in found] == ["ix_users_company index", "uq_users_email index"]


async def test_every_migration_can_be_taken_back_and_done_again(make):
    url = await make("taken_back")
    empty = await schema_of(url)
    await upgrade(url)
    first = await schema_of(url)
    for _ in revisions():
        await downgrade(url, "-1")
    left = await schema_of(url)
    # Everybody's: a role may use the schema public wherever it exists.
    assert [line for line in differences(empty, left) if not line.startswith("public schema:")] == []
    await upgrade(url)
    assert differences(first, await schema_of(url)) == []


async def test_a_failing_migration_leaves_nothing_behind(make, history):
    url = await make("failing")
    await upgrade(url)
    before = await schema_of(url)
    plant_after(history, 'op.add_column("users", sa.Column("x", sa.Text()))\nop.execute("SELECT missing()")')
    with pytest.raises(Exception, match="missing"):
        await upgrade_along(history, url)
    assert differences(before, await schema_of(url)) == []
    await upgrade(url)  # the version is still the one before


async def test_no_migration_takes_a_guard_away(make):
    url = await make("stepwise")
    before: dict[str, str] = {}
    for name, _ in revisions():
        await upgrade(url, name)
        after = await schema_of(url)
        assert [one for one in lost(before, after) if one not in TAKEN_AWAY] == []
        before = after


BATCH = (
    'with op.batch_alter_table("users", recreate="always") as batch:\n    batch.add_column(sa.Column("x", sa.Text()))'
)


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
async def test_a_guard_that_a_batch_migration_took_away_is_found(make, history):
    url = await make("batch")
    await upgrade(url)
    before = await schema_of(url)
    trigger, index = before["users_touch trigger"], before["uq_users_email index"]
    plant_after(history, BATCH)
    await upgrade_along(history, url)
    missing = lost(before, await schema_of(url))
    assert {"users_touch trigger", "uq_users_email index"} <= set(missing)
    assert not any(name.endswith(" constraint") for name in missing)

    careful = await make("careful")
    plant_after(history, f"{BATCH}\nop.execute({trigger!r})\nop.execute({index!r})")
    await upgrade_along(history, careful)
    assert lost(before, await schema_of(careful)) == []
