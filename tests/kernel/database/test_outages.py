"""What becomes of a unit when PostgreSQL refuses, waits too long or dies."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert, select, update

from tenantry.kernel.database import Base, param, refuse_while_open, statement
from tenantry.kernel.database.connections import _is_open
from tenantry.kernel.database.failures import DatabaseConflict, DatabaseUnavailable
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.units import SERVICE
from tenantry.testing import TestDatabase, postgres_database, start_postgres

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_kind", ["postgresql"])]
FIRST, SECOND = UUID(int=1), UUID(int=2)


@pytest.fixture(scope="session")
def sql(tables: SimpleNamespace) -> SimpleNamespace:
    notes = tables.Notes
    return SimpleNamespace(
        add=statement(insert(notes).values(id=param("id"), user_id=FIRST, title=param("title"))),
        rename=statement(update(notes).where(notes.id == param("id")).values(title=param("new"))),
        titles=statement(select(notes.title).order_by(notes.title)),
    )


@pytest.fixture
async def small(scratch: TestDatabase) -> AsyncIterator[PostgresDatabase]:
    """The service login with a single connection and little patience."""
    database = PostgresDatabase(scratch.service_url, size=1, timeout_seconds=0.3)
    await database.open()
    yield database
    await database.close()


async def test_503_no_connection_comes_free_in_time(small: PostgresDatabase, sql: Any) -> None:
    async def hold() -> None:
        unit = small.unit(SERVICE, writes=True)
        await unit.rows(sql.titles)
        holding.set()
        await enough.wait()
        await unit.rollback()

    holding, enough = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(hold())
    await holding.wait()
    for writes in (True, False):
        unit = small.unit(SERVICE, writes=writes)
        async with asyncio.timeout(5):
            with pytest.raises(DatabaseUnavailable):
                await unit.rows(sql.titles)
        await unit.rollback()
        refuse_while_open("a call")
    enough.set()
    await task
    assert await small.unit(SERVICE, writes=False).rows(sql.titles) == []


async def test_503_of_two_that_wait_for_each_other_one_is_told_to_try_again(bench: Any, sql: Any) -> None:
    for note in (FIRST, SECOND):
        await bench.serve(sql.add, id=note, title=str(note))
    meeting = asyncio.Barrier(2)

    async def rename(first: UUID, second: UUID) -> str:
        unit = bench.serving()
        try:
            await unit.run(sql.rename, id=first, new=f"a{first}")
            await meeting.wait()
            await unit.run(sql.rename, id=second, new=f"b{second}")
        except DatabaseConflict:
            with pytest.raises(RuntimeError, match="only be rolled back"):
                await unit.rows(sql.titles)
            await unit.rollback()
            return "conflict"
        await unit.commit()
        return "done"

    assert sorted(await asyncio.gather(rename(FIRST, SECOND), rename(SECOND, FIRST))) == ["conflict", "done"]


async def cut_off(scratch: TestDatabase) -> None:
    """End every server process of the database but our own."""
    owner = await asyncpg.connect(scratch.owner_url)
    await owner.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await owner.close()


async def test_503_a_connection_lost_before_commit_commits_nothing(
    small: PostgresDatabase, scratch: TestDatabase, sql: Any
) -> None:
    unit = small.unit(SERVICE, writes=True)
    await unit.run(sql.add, id=FIRST, title="lost")
    await cut_off(scratch)
    with pytest.raises(DatabaseUnavailable):
        await unit.commit()
    refuse_while_open("a call")
    assert await small.unit(SERVICE, writes=False).rows(sql.titles) == []


async def test_503_a_connection_lost_inside_a_unit_breaks_it(
    small: PostgresDatabase, scratch: TestDatabase, sql: Any
) -> None:
    unit = small.unit(SERVICE, writes=True)
    await unit.run(sql.add, id=FIRST, title="lost")
    await cut_off(scratch)
    with pytest.raises(DatabaseUnavailable):
        await unit.run(sql.add, id=SECOND, title="lost too")
    with pytest.raises(RuntimeError, match="cannot be committed"):
        await unit.commit()
    assert await small.unit(SERVICE, writes=False).rows(sql.titles) == []


async def test_idle_connections_that_were_cut_off_are_replaced(
    small: PostgresDatabase, scratch: TestDatabase, sql: Any
) -> None:
    assert await small.unit(SERVICE, writes=False).rows(sql.titles) == []
    await cut_off(scratch)
    await asyncio.sleep(0.05)
    assert await small.unit(SERVICE, writes=False).rows(sql.titles) == []


async def test_an_error_at_commit_is_told_and_nothing_is_left(scratch: TestDatabase, bench: Any, sql: Any) -> None:
    owner = await asyncpg.connect(scratch.owner_url)
    await owner.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'too late'; END $$; "
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        unit = bench.serving()
        await unit.run(sql.add, id=FIRST, title="x")
        with pytest.raises(DatabaseConflict):
            await unit.commit()
        await unit.rollback()
        refuse_while_open("a call")
        assert await bench.serving(writes=False).rows(sql.titles) == []
    finally:
        await owner.execute("DROP TRIGGER late ON notes; DROP FUNCTION refuse()")
        await owner.close()


async def test_503_a_server_that_is_killed_and_comes_back(database_kind: str) -> None:
    jobs_table = Base.metadata.tables["jobs"]
    with await asyncio.to_thread(start_postgres, durable=True) as server:
        made = postgres_database(server, "killed")
        database = PostgresDatabase(made.service_url, size=2, timeout_seconds=2)
        await database.open()
        jobs = statement(select(jobs_table.c.name))
        add = statement(insert(jobs_table).values(id=param("id"), name=param("name"), payload={}, attempts_max=1))
        kept = database.unit(SERVICE, writes=True)
        await kept.run(add, id=FIRST, name="kept")
        await kept.commit()
        lost = database.unit(SERVICE, writes=True)
        await lost.run(add, id=SECOND, name="lost")
        await asyncio.to_thread(server.kill)
        # The server's own children notice its death a moment later; until then a commit still succeeds.
        for _ in range(200):
            if not _is_open(lost._connection):
                break
            await asyncio.sleep(0.05)
        with pytest.raises(DatabaseUnavailable):
            await lost.commit()
        for writes in (False, True):
            unit = database.unit(SERVICE, writes=writes)
            with pytest.raises(DatabaseUnavailable):
                await unit.rows(jobs)
            await unit.rollback()
        await asyncio.to_thread(server.restart)
        assert await database.unit(SERVICE, writes=False).rows(jobs) == ["kept"]
        again = database.unit(SERVICE, writes=True)
        await again.run(add, id=SECOND, name="again")
        await again.commit()
        await database.close()


async def test_503_a_login_that_is_refused(scratch: TestDatabase) -> None:
    for wrong in (scratch.service_url.replace("service-secret", "guess"), f"{scratch.service_url}_not_there"):
        with pytest.raises(DatabaseUnavailable) as raised:
            await PostgresDatabase(wrong, timeout_seconds=2).open()
        assert "scratch" not in str(raised.value.body(None))
