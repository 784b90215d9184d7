"""Notices on an SQLite file: what was deleted unread is missed, and nothing keeps the file open."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from kernel.hearing import Ear, told, until
from tenantry.kernel import Settings, new_id
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.notices import Notices
from tenantry.kernel.notices.queries import EXPIRED, SINCE
from tenantry.kernel.notices.watching import BATCH
from tenantry.kernel.policies import Role
from tenantry.testing import START

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])

ADD = "INSERT INTO notices (topic, subject_id, created_at) VALUES ('house', ?, '2026-03-14T12:00:00.000000Z')"


@pytest.fixture
def beside(kit) -> Iterator[sqlite3.Connection]:
    """What somebody else does to the file, at once: the event loop does not run meanwhile."""
    with closing(sqlite3.connect(kit.runtime.settings.sqlite_path, isolation_level=None)) as connection:
        yield connection


def add(connection, number=1):
    for _ in range(number):
        connection.execute(ADD, [str(new_id())])


async def test_what_was_deleted_unread_is_a_doubt(kit, beside):
    async with Ear.beside(kit) as ear:
        await told(kit)
        await until(lambda: len(ear.heard) == 1)
        add(beside, 3)
        beside.execute("DELETE FROM notices WHERE id < (SELECT max(id) FROM notices)")
        await ear.doubts()
        assert len(ear.heard) == 2  # the newest was there
        await told(kit)
        await until(lambda: len(ear.heard) == 3)
        assert ear.notices.doubts == 1


async def test_a_table_that_was_emptied_is_a_doubt_and_the_next_notice_is_heard(kit, beside):
    async with Ear.beside(kit) as ear:
        await told(kit)
        await until(lambda: len(ear.heard) == 1)
        add(beside, 3)
        beside.execute("DELETE FROM notices")
        add(beside)
        await ear.doubts()
        subject = await told(kit)
        await until(lambda: ear.heard[-1] == subject)
        assert ear.notices.doubts == 1


async def test_more_than_a_batch_is_read_to_its_end(kit, beside):
    async with Ear.beside(kit) as ear:
        beside.execute("BEGIN")
        add(beside, 2 * BATCH + 3)
        beside.execute("COMMIT")
        await until(lambda: len(ear.heard) == 2 * BATCH + 3)
        assert ear.notices.doubts == 0


async def test_who_comes_later_hears_only_what_comes_later(kit):
    for _ in range(3):
        await told(kit)
    async with Ear.beside(kit) as ear:
        subject = await told(kit)
        await until(lambda: ear.heard)
        assert ear.heard == [subject]


async def test_other_commits_disturb_nobody(kit, beside):
    async with Ear.beside(kit) as ear:
        beside.execute("CREATE TABLE others (id INTEGER PRIMARY KEY) STRICT")
        subject = await told(kit)
        await until(lambda: ear.heard)
        assert ear.heard == [subject]
        assert ear.notices.doubts == 0


async def test_a_writer_that_holds_the_file_holds_nobody_up(kit, beside):
    async with Ear.beside(kit) as ear:
        beside.execute("BEGIN IMMEDIATE")
        add(beside)
        before = ear.notices.trusted_until
        await until(lambda: ear.notices.trusted_until > before + 0.3)
        assert ear.heard == []
        beside.execute("COMMIT")
        await until(lambda: len(ear.heard) == 1)


@pytest.mark.parametrize(
    ("wanted", "given", "served"),
    [
        (SINCE, {"known": 7, "limit": 10}, "INTEGER PRIMARY KEY (rowid>?)"),
        (EXPIRED.statement, {"before": START}, "INDEX ix_notices_created_at"),
    ],
)
async def test_an_index_serves(kit, beside, wanted, given, served):
    compiled = wanted.compiled("sqlite", Role.SERVICE)
    plan = [row[3] for row in beside.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", compiled.arguments(given))]
    assert any(served in line for line in plan), plan
    # The newest is found at the end of the key, which SQLite calls so too.
    assert [line for line in plan if line.startswith("SCAN")] == [], plan


async def test_the_file_is_let_go(database):
    settings = Settings(database_url=database.api_url)
    path = settings.sqlite_path
    notices = Notices.of(settings, SystemClock())
    await notices.open()
    await until(lambda: notices.is_trusted)
    journal = path.with_name(f"{path.name}-wal")
    assert journal.exists()
    await notices.aclose()
    # Who closes the last connection takes it away.
    assert not journal.exists()


async def test_a_file_that_is_not_there_yet(tmp_path, database):
    path = tmp_path / "later.db"
    notices = Notices.of(Settings(database_url=f"sqlite:///{path}"), SystemClock())
    await notices.open()
    ear = Ear(notices)
    await until(path.exists)
    assert not notices.is_trusted
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
        closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as template,
    ):
        for (sql,) in template.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'notices' AND sql IS NOT NULL"):
            connection.execute(sql.replace("DEFAULT (tenantry_now())", ""))
        await ear.trusts()
    await notices.aclose()
