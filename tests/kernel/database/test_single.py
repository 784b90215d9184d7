"""A unit of a single statement commits with it, in one trip, and keeps what every other unit promises."""

import asyncio
import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from tenantry.kernel import new_id
from tenantry.kernel.database import param, refuse_while_open, statement
from tenantry.kernel.database.failures import DatabaseConflict, DatabaseUnavailable, UniqueViolation, UnitStillOpen
from tenantry.kernel.database.units import ANONYMOUS, SERVICE, Identity
from tenantry.kernel.policies import Role
from tenantry.testing import AppKit

ADA = UUID(int=1)


@pytest.fixture(scope="session")
def sql(tables: SimpleNamespace) -> SimpleNamespace:
    notes = tables.Notes
    given = {"id": param("id"), "user_id": param("user"), "title": param("title")}
    return SimpleNamespace(
        add=statement(insert(notes).values(given)),
        add_told=statement(insert(notes).values(given).returning(notes.title)),
        titles=statement(select(notes.title).order_by(notes.title)),
        rename=statement(update(notes).values(title=param("new"))),
        lock=statement(select(notes.title).with_for_update()),
    )


def note(title: str = "x") -> dict[str, Any]:
    return {"id": new_id(), "user": ADA, "title": title}


def single(bench: Any) -> Any:
    return bench.service.unit(SERVICE, writes=True, single=True)


async def test_it_stands_when_it_has_answered_and_is_not_taken_back(bench: Any, sql: Any) -> None:
    for title, how in (("committed", "commit"), ("rolled back", "rollback")):
        unit = single(bench)
        assert await unit.run(sql.add, **note(title)) == 1
        assert title in await bench.serving(writes=False).rows(sql.titles)
        refuse_while_open("a call")
        await getattr(unit, how)()
    assert await single(bench).one(sql.add_told, **note("told")) == "told"
    assert await bench.serving(writes=False).rows(sql.titles) == ["committed", "rolled back", "told"]


async def test_a_second_statement_is_refused(bench: Any, sql: Any) -> None:
    unit = single(bench)
    await unit.run(sql.add, **note())
    for again in (unit.run(sql.add, **note("y")), unit.rows(sql.titles)):
        with pytest.raises(RuntimeError, match="single statement"):
            await again
    await unit.commit()
    assert await bench.serving(writes=False).rows(sql.titles) == ["x"]


@pytest.mark.parametrize("identity", [Identity(Role.AUTHENTICATED, ADA), ANONYMOUS, SERVICE])
async def test_only_the_service_login_writes_so(bench: Any, identity: Identity) -> None:
    with pytest.raises(ValueError, match="service login"):
        bench.api.unit(identity, writes=identity is not SERVICE, single=True)


async def test_what_is_refused_writes_nothing_and_leaves_the_connection_in_order(bench: Any, sql: Any) -> None:
    first = note()
    await single(bench).run(sql.add, **first)
    unit = single(bench)
    with pytest.raises(UniqueViolation) as refusal:
        await unit.run(sql.add, **{**note(), "id": first["id"]})
    assert refusal.value.constraint == "pk_notes" or bench.kind == "sqlite"
    with pytest.raises(RuntimeError, match="rolled back"):
        await unit.run(sql.add, **note("y"))
    await unit.rollback()
    refuse_while_open("a call")
    await single(bench).run(sql.add, **note("later"))
    assert await bench.serving(writes=False).rows(sql.titles) == ["later", "x"]


async def test_it_is_a_writing_unit_among_others(bench: Any, sql: Any) -> None:
    holding = bench.serving()
    await holding.run(sql.add, **note("held"))
    with pytest.raises(UnitStillOpen):
        await single(bench).run(sql.add, **note("y"))
    await holding.rollback()
    await single(bench).run(sql.add, **note("y"))


async def blocked(bench: Any, sql: Any) -> Any:
    """A unit of another task that keeps everybody else from writing the notes."""
    holding = bench.serving()
    await holding.rows(sql.lock)
    return holding


async def test_one_that_is_cancelled_while_it_waits_leaves_nothing_held(bench: Any, sql: Any) -> None:
    await single(bench).run(sql.add, **note())
    holding = await asyncio.create_task(blocked(bench, sql))
    waiting = asyncio.create_task(single(bench).run(sql.rename, new="never"))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await holding.rollback()
    assert await single(bench).run(sql.rename, new="now") == 1
    assert await bench.serving(writes=False).rows(sql.titles) == ["now"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_503_when_another_process_keeps_the_file(bench: Any, sql: Any) -> None:
    bench.service.patience_seconds = 0.05
    with closing(sqlite3.connect(bench.api.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseConflict):
            await single(bench).run(sql.add, **note())
        other.execute("ROLLBACK")
    refuse_while_open("a call")
    assert await single(bench).run(sql.add, **note()) == 1


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_503_when_the_connection_is_lost(bench: Any, sql: Any, connect: Any, scratch: Any) -> None:
    await single(bench).run(sql.add, **note())
    holding = await asyncio.create_task(blocked(bench, sql))
    waiting = asyncio.create_task(single(bench).run(sql.rename, new="never"))
    owner = await connect(scratch.owner_url)
    while not await owner.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    ):
        await asyncio.sleep(0.01)
    with pytest.raises(DatabaseUnavailable):
        await waiting
    await holding.rollback()
    refuse_while_open("a call")
    assert await single(bench).run(sql.rename, new="now") == 1


@pytest.mark.parametrize("database_kind", ["postgresql"])
async def test_it_is_one_trip(bench: Any, sql: Any) -> None:
    asked: list[str] = []
    connection = await bench.service.acquire()
    connection.add_query_logger(lambda record: asked.append(record.query))
    await bench.service.release(connection, in_order=True)
    unit = single(bench)
    await unit.run(sql.add, **note())
    await unit.commit()
    await asyncio.sleep(0)  # the driver tells it a moment later
    assert [query.split()[0] for query in asked] == ["INSERT"]
    later = bench.serving()
    await later.run(sql.add, **note("y"))
    await later.commit()
    await asyncio.sleep(0)
    assert [query.split()[0] for query in asked] == ["INSERT", "BEGIN", "INSERT", "COMMIT"]


async def test_a_context_lends_one(kit: AppKit) -> None:
    async with kit.system.service(single=True) as ctx:
        assert ctx.db.single
    async with kit.system.service() as ctx:
        assert not ctx.db.single
