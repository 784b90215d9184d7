"""Units of work begin, end and break in the same way on both databases."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update

from tenantry.kernel import new_id
from tenantry.kernel.clock import FrozenClock, SystemClock
from tenantry.kernel.database import param, refuse_while_open, statement
from tenantry.kernel.database.failures import (
    CheckViolation,
    DatabaseUnavailable,
    ForeignKeyViolation,
    NoRow,
    UniqueViolation,
    UnitStillOpen,
    Unstorable,
)
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.units import SERVICE, Identity
from tenantry.kernel.policies import PolicyRefused, Role

ADA, EVE = UUID(int=1), UUID(int=2)


@pytest.fixture(scope="session")
def sql(tables: SimpleNamespace) -> SimpleNamespace:
    notes, comments = tables.Notes, tables.Comments
    given = {"id": param("id"), "user_id": param("user"), "title": param("title")}
    mine = notes.__table__.alias("mine")
    return SimpleNamespace(
        add=statement(insert(notes).values(given)),
        untitled=statement(insert(notes).values(id=param("id"), user_id=param("user"))),
        comment=statement(insert(comments).values(id=param("id"), note_id=param("note"), text="x")),
        flag=statement(insert(tables.Samples).values(id=param("id"), flag=param("flag"))),
        titles=statement(select(notes.title).order_by(notes.title)),
        title=statement(select(notes.title).where(notes.id == param("id"))),
        rename=statement(update(notes).where(notes.id == param("id")).values(title=param("new"))),
        clear=statement(delete(notes)),
        joined=statement(
            select(notes.user_id, mine.c.user_id.label("its"))
            .select_from(notes)
            .outerjoin(mine, mine.c.title == notes.title)
            .outerjoin(comments, comments.note_id == notes.id),
            lambda *row: row,
        ),
    )


async def add(unit: Any, sql: Any, title: str = "x", user: UUID = ADA) -> UUID:
    note = new_id()
    await unit.run(sql.add, id=note, user=user, title=title)
    return note


async def test_what_is_committed_stays_and_what_is_rolled_back_does_not(bench: Any, sql: Any) -> None:
    unit = bench.user(ADA, writes=True)
    await add(unit, sql, "kept")
    await unit.commit()
    unit = bench.user(ADA, writes=True)
    await add(unit, sql, "lost")
    await unit.rollback()
    assert await bench.user(ADA).rows(sql.titles) == ["kept"]


async def test_ending_twice_or_without_a_statement_does_nothing(bench: Any, sql: Any) -> None:
    for unit in (bench.user(ADA, writes=True), bench.user(ADA), bench.anonymous(), bench.serving()):
        await unit.commit()
        await unit.rollback()
        await unit.rollback()
    unit = bench.user(ADA, writes=True)
    await add(unit, sql, "kept")
    await unit.commit()
    await unit.rollback()
    assert await bench.user(ADA).rows(sql.titles) == ["kept"]


@pytest.mark.parametrize("case", ["unique", "not null", "check", "reference"])
async def test_a_violation_breaks_the_unit(bench: Any, sql: Any, case: str) -> None:
    unit = bench.serving()
    note = await add(unit, sql, "before")
    refusals = {
        "unique": (UniqueViolation, sql.add, {"id": new_id(), "user": ADA, "title": "before"}),
        "not null": (CheckViolation, sql.add, {"id": new_id(), "user": ADA, "title": None}),
        "check": (CheckViolation, sql.untitled, {"id": new_id(), "user": ADA}),
        "reference": (ForeignKeyViolation, sql.comment, {"id": new_id(), "note": new_id()}),
    }
    refusal, expression, given = refusals[case]
    with pytest.raises(refusal):
        await unit.run(expression, **given)
    with pytest.raises(RuntimeError, match="only be rolled back"):
        await unit.rows(sql.title, id=note)
    with pytest.raises(RuntimeError, match="cannot be committed"):
        await unit.commit()
    assert await bench.serving(writes=False).rows(sql.titles) == []
    unit = bench.serving()
    await add(unit, sql, "after")
    await unit.commit()


async def test_a_reading_unit_refuses_writes_and_goes_on(bench: Any, sql: Any) -> None:
    for unit in (bench.user(ADA), bench.serving(writes=False)):
        for expression, given in ((sql.clear, {}), (sql.add, {"id": new_id(), "user": ADA, "title": "x"})):
            with pytest.raises(PolicyRefused):
                await unit.run(expression, **given)
            with pytest.raises(PolicyRefused):
                await unit.rows(expression, **given)
        assert await unit.rows(sql.titles) == []
        await unit.rollback()


async def test_one_row_or_none(bench: Any, sql: Any) -> None:
    unit = bench.user(ADA)
    assert await unit.one_or_none(sql.title, id=new_id()) is None
    with pytest.raises(NoRow):
        await unit.one(sql.title, id=new_id())
    assert unit.statements == 2


async def test_nothing_slow_and_no_second_writer_while_a_unit_is_open(bench: Any, sql: Any) -> None:
    refuse_while_open("a call")
    unit = bench.user(ADA, writes=True)
    refuse_while_open("a call")  # it holds nothing before its first statement
    await add(unit, sql)
    with pytest.raises(UnitStillOpen, match="a call while a unit of work is open"):
        refuse_while_open("a call")
    for second in (bench.serving(), bench.user(EVE, writes=True)):
        with pytest.raises(UnitStillOpen):
            await second.rows(sql.titles)
        await second.rollback()
    assert await bench.user(ADA).rows(sql.titles) == []
    await unit.commit()
    refuse_while_open("a call")
    second = bench.serving()
    assert await second.rows(sql.titles) == ["x"]
    await second.rollback()


@pytest.mark.parametrize("how", ["commit", "rollback"])
async def test_a_task_started_inside_a_unit_is_refused_until_that_unit_ends(bench: Any, sql: Any, how: str) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def background() -> None:
        with pytest.raises(UnitStillOpen):
            refuse_while_open("a call")
        second = bench.serving()
        with pytest.raises(UnitStillOpen):
            await second.rows(sql.titles)
        await second.rollback()
        # That it was refused, and gave up, does not end the first.
        with pytest.raises(UnitStillOpen):
            refuse_while_open("a call")
        asked.set()
        await ended.wait()
        refuse_while_open("a call")
        later = bench.serving()
        await add(later, sql, "later")
        with pytest.raises(UnitStillOpen):
            refuse_while_open("a call")
        await later.commit()

    unit = bench.user(ADA, writes=True)
    await add(unit, sql, "first")
    task = asyncio.create_task(background())
    await asyncio.wait([asyncio.create_task(asked.wait()), task], return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(UnitStillOpen):
        refuse_while_open("a call")
    await getattr(unit, how)()
    refuse_while_open("a call")
    ended.set()
    await task
    expected = ["first", "later"] if how == "commit" else ["later"]
    assert await bench.user(ADA).rows(sql.titles) == expected


async def test_a_unit_that_ends_in_another_task_is_over_for_who_began_it(bench: Any, sql: Any) -> None:
    unit = bench.user(ADA, writes=True)
    await add(unit, sql)
    await asyncio.create_task(unit.commit())
    refuse_while_open("a call")
    await bench.serve(sql.clear)


async def test_a_reading_unit_holds_nothing_between_its_statements(bench: Any, sql: Any) -> None:
    for unit in (bench.user(ADA), bench.serving(writes=False)):
        await unit.rows(sql.titles)
        refuse_while_open("a call")


async def test_other_tasks_have_units_of_their_own(bench: Any, sql: Any) -> None:
    async def write(number: int) -> None:
        unit = bench.user(ADA, writes=True)
        await add(unit, sql, f"t{number:02}")
        await asyncio.sleep(0)
        await unit.commit()

    await asyncio.gather(*(write(number) for number in range(20)))
    assert await bench.user(ADA).rows(sql.titles) == [f"t{number:02}" for number in range(20)]


async def test_a_cancelled_task_leaves_nothing_and_gives_its_connection_back(bench: Any, sql: Any) -> None:
    async def write(service: Any, reached: asyncio.Event) -> None:
        unit = service.unit(SERVICE, writes=True)
        try:
            await add(unit, sql, "cancelled")
            reached.set()
            await asyncio.sleep(60)
        except BaseException:
            await unit.rollback()
            raise

    for _ in range(6):  # more often than the pool has connections
        reached = asyncio.Event()
        task = asyncio.create_task(write(bench.service, reached))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    unit = bench.serving()
    assert await unit.rows(sql.titles) == []
    await unit.rollback()


@pytest.mark.parametrize("steps", range(8))
async def test_cancelled_at_any_step_the_next_unit_works(bench: Any, sql: Any, steps: int) -> None:
    """Cancels after so many turns of the loop: while it waits for a connection, for BEGIN, for a row, for COMMIT."""

    async def write() -> None:
        unit = bench.serving()
        try:
            await add(unit, sql, "maybe")
            await unit.commit()
        except BaseException:
            await unit.rollback()
            raise

    for _ in range(6):
        task = asyncio.create_task(write())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    unit = bench.serving()
    await unit.run(sql.clear)
    await add(unit, sql, "after")
    await unit.commit()
    assert await bench.user(ADA).rows(sql.titles) == ["after"]


async def test_identity_never_leaks_between_units_of_one_connection(scratch: Any, bench: Any, sql: Any) -> None:
    """Two users in turn, 300 reads; on PostgreSQL over one connection, where plans turn generic after five runs."""
    api = bench.api
    if bench.kind == "postgresql":
        api = PostgresDatabase(scratch.api_url, size=1)
        await api.open()
    for user in (ADA, EVE):
        await bench.serve(sql.add, id=new_id(), user=user, title="same")
    for turn in range(300):
        user = (ADA, EVE)[turn % 2]
        unit = api.unit(Identity(Role.AUTHENTICATED, user), writes=turn % 7 == 0)
        assert await unit.rows(sql.joined) == [(user, user)]
        assert await unit.rows(sql.titles) == ["same"]
        await unit.rollback()
        if turn % 10 == 0:
            nobody = api.unit(Identity(Role.AUTHENTICATED), writes=False)
            assert await nobody.rows(sql.joined) == []
            stranger = api.unit(Identity(Role.ANON), writes=False)
            with pytest.raises(PolicyRefused):
                await stranger.rows(sql.titles)
    if api is not bench.api:
        await api.close()


async def test_created_and_updated_keep_themselves(bench: Any, tables: SimpleNamespace, sql: Any) -> None:
    notes = tables.Notes
    forge = statement(update(notes).values(created_at=param("at"), updated_at=param("at"), number=notes.number + 1))
    times = statement(select(notes.created_at, notes.updated_at), lambda *row: row)
    unit = bench.user(ADA, writes=True)
    await add(unit, sql)
    created, updated = await unit.one(times)
    await unit.run(forge, at=SystemClock().now().replace(year=2001))
    assert (await unit.one(times))[0] == created
    assert (await unit.one(times))[1] >= updated
    await unit.rollback()


async def test_503_a_database_that_is_not_open(bench: Any, sql: Any, tmp_path: Any) -> None:
    closed = type(bench.service)(
        *(
            (tmp_path / "x.db", FrozenClock(SystemClock().now()))
            if bench.kind == "sqlite"
            else (bench.database.service_url,)
        )
    )
    for writes in (True, False):
        unit = closed.unit(SERVICE, writes=writes)
        with pytest.raises(DatabaseUnavailable):
            await unit.rows(sql.titles)
        await unit.rollback()
    refuse_while_open("a call")


async def test_422_a_number_that_outgrows_its_column(bench: Any, sql: Any, tables: SimpleNamespace) -> None:
    notes = tables.Notes
    await bench.serve(sql.add, id=new_id(), user=ADA, title="x")
    await bench.serve(statement(update(notes).values(number=2**63 - 1)))
    unit = bench.serving()
    with pytest.raises(Unstorable):
        await unit.run(statement(update(notes).values(number=notes.number + 1)))
    await unit.rollback()
