"""A session is a guest of its unit: the same transaction, the same identity, the same policies, on both databases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, exists, func, insert, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import InvalidRequestError, PendingRollbackError
from sqlalchemy.orm import aliased

from tenantry.kernel import new_id
from tenantry.kernel.database import refuse_while_open, statement
from tenantry.kernel.database.failures import (
    CheckViolation,
    ForeignKeyViolation,
    PolicyViolation,
    UniqueViolation,
    UnitStillOpen,
    Unstorable,
)
from tenantry.kernel.database.session_dialect import UnitDecides
from tenantry.kernel.database.sessions import Sessions
from tenantry.kernel.policies import PolicyRefused

ADA, EVE = UUID(int=1), UUID(int=2)
KINDS = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql", "predicate-alone"])
pytestmark = KINDS

Try = Callable[[Any, Any], Awaitable[Any]]


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    """One for all tests, so that what is compiled for one person is used for the next."""
    return Sessions()


@pytest.fixture
def working(bench: Any, sessions: Sessions) -> Any:
    """What opens a session on a writing unit of a person, or of the service login; committed at the end."""

    @asynccontextmanager
    async def begin(user: UUID | None = ADA) -> AsyncIterator[Any]:
        unit = bench.user(user, writes=True) if user else bench.serving()
        try:
            async with sessions.session(unit) as session:
                yield session
        except BaseException:
            await unit.rollback()
            raise
        await unit.commit()

    return begin


@pytest.fixture
async def notes(working: Any, tables: SimpleNamespace) -> dict[UUID, UUID]:
    """Ada and Eve have a note called "x" each, and a comment on it."""
    made = {}
    for person in (ADA, EVE):
        made[person] = new_id()
        async with working(person) as session:
            session.add(tables.Notes(id=made[person], user_id=person, title="x"))
            await session.flush()
            session.add(tables.Comments(id=new_id(), note_id=made[person], text=str(person)))
    return made


async def test_the_rows_are_ones_own_wherever_a_table_stands(working: Any, notes: Any, tables: Any) -> None:
    table, comments = tables.Notes, tables.Comments
    other = aliased(table)
    reads = [
        (select(table.user_id), [ADA]),
        (select(other.user_id), [ADA]),
        (select(table.user_id).join(other, other.title == table.title), [ADA]),
        (select(other.user_id).select_from(table).outerjoin(other, other.title == table.title), [ADA]),
        (select(table.user_id).where(table.id.in_(list(notes.values()))), [ADA]),
        (select(func.count()).select_from(comments), [1]),
        (select(select(func.count()).select_from(comments).scalar_subquery()), [1]),
        (select(table.user_id).where(exists().where(comments.note_id == notes[EVE])), []),
        (select(table.user_id).union_all(select(other.user_id)), [ADA, ADA]),
        (select(select(table.user_id).cte("mine").c.user_id), [ADA]),
    ]
    async with working() as session:
        for read, expected in reads:
            assert (await session.scalars(read)).all() == expected, str(read)
        assert await session.get(table, notes[EVE]) is None
        assert (await session.get(table, notes[ADA])).title == "x"
    async with working(EVE) as session:
        assert (await session.scalars(select(table.user_id))).all() == [EVE]
    async with working(None) as session:
        assert await session.scalar(select(func.count()).select_from(table)) == 2


async def test_what_is_written_is_ones_own(working: Any, notes: Any, tables: Any) -> None:
    table = tables.Notes
    async with working() as session:
        assert (await session.execute(update(table).values(number=7))).rowcount == 1
        assert (await session.execute(update(table).where(table.id == notes[EVE]).values(number=8))).rowcount == 0
        assert (await session.execute(delete(table).where(table.id == notes[EVE]))).rowcount == 0
        changed = await session.scalars(update(table).values(title="y").returning(table))
        assert [(one.user_id, one.title, one.number) for one in changed] == [(ADA, "y", 7)]
        added = insert(table).values(id=new_id(), user_id=ADA, title="z").returning(table.title)
        assert (await session.scalars(added)).all() == ["z"]
        await session.execute(insert(table), [{"id": new_id(), "user_id": ADA, "title": one} for one in "ab"])
        await session.delete((await session.scalars(select(table).where(table.title == "z"))).one())
    async with working() as session:
        assert (await session.scalars(select(table.title).order_by(table.title))).all() == ["a", "b", "y"]
    async with working(EVE) as session:
        assert (await session.execute(select(table.title, table.number))).all() == [("x", 0)]


def _add(_notes: Any, tables: Any) -> Any:
    async def attempt(session: Any) -> None:
        session.add(tables.Notes(id=new_id(), user_id=EVE, title="stolen"))

    return attempt


def _give_away(notes: Any, tables: Any) -> Any:
    async def attempt(session: Any) -> None:
        note = await session.get(tables.Notes, notes[ADA])
        note.user_id, note.title = EVE, "stolen"

    return attempt


def _execute(make: Any) -> Any:
    return lambda notes, tables: lambda session: session.execute(*make(notes, tables))


ROWS = [{"id": new_id(), "user_id": person, "title": "new"} for person in (ADA, EVE)]
FOREIGN = [
    _add,
    _give_away,
    _execute(lambda _notes, tables: [insert(tables.Notes).values(ROWS[1])]),
    _execute(lambda _notes, tables: [insert(tables.Notes).values(ROWS)]),
    _execute(lambda _notes, tables: [insert(tables.Notes), ROWS]),
    _execute(lambda _notes, tables: [insert(tables.Notes.__table__), ROWS]),
    _execute(lambda _notes, tables: [update(tables.Notes).values(user_id=EVE, title="stolen")]),
    _execute(lambda notes, tables: [update(tables.Notes), [{"id": notes[ADA], "user_id": EVE, "title": "stolen"}]]),
    _execute(lambda _notes, tables: [insert(tables.Notes), [ROWS[1]]]),
]


@pytest.mark.parametrize("number", range(len(FOREIGN)))
async def test_a_row_for_the_neighbour_is_refused(working: Any, notes: Any, tables: Any, number: int) -> None:
    attempt = FOREIGN[number](notes, tables)
    with pytest.raises(PolicyViolation):
        async with working() as session:
            await attempt(session)
    async with working(EVE) as session:
        assert (await session.scalars(select(tables.Notes.title))).all() == ["x"]


async def test_the_neighbours_row_is_not_taken_over_by_an_upsert(working: Any, notes: Any, tables: Any) -> None:
    taking = upsert(tables.Notes).values(id=notes[EVE], user_id=ADA, title="mine")
    taking = taking.on_conflict_do_update(index_elements=["id"], set_={"title": "mine", "user_id": ADA})
    async with working() as session:
        assert (await session.execute(taking)).rowcount == 0
    async with working(EVE) as session:
        assert (await session.scalars(select(tables.Notes.title))).all() == ["x"]


@pytest.mark.parametrize("name", ["_user_id", "_organization_ids"])
async def test_who_asks_cannot_be_given(working: Any, notes: Any, tables: Any, name: str) -> None:
    async with working() as session:
        found = await session.scalars(select(tables.Notes.user_id), {name: EVE if name == "_user_id" else [EVE]})
        assert found.all() == [ADA]


async def test_what_nobody_granted_is_refused(working: Any, notes: Any, tables: Any) -> None:
    refused = [
        select(tables.Secrets),
        select(tables.Letters.text),
        insert(tables.Greetings).values(id=new_id(), text="x"),
        update(tables.Comments).values(note_id=notes[EVE]),
        delete(tables.Boards),
        insert(tables.Letters).values(id=new_id(), user_id=ADA, text="x", status="old"),
    ]
    for one in refused:
        with pytest.raises(PolicyRefused):
            async with working() as session:
                await session.execute(one)
    with pytest.raises(PolicyRefused, match="may not update column note_id"):
        async with working() as session:
            (await session.scalars(select(tables.Comments))).one().note_id = notes[EVE]


async def test_text_is_refused_because_no_policy_reaches_into_it(working: Any, tables: Any) -> None:
    refused = [text("SELECT 1"), select(text("1")), select(tables.Notes.id).where(text("1 = 1"))]
    refused += [select(literal_column("title").label("t")).select_from(tables.Notes)]
    for one in refused:
        with pytest.raises(PolicyRefused):
            async with working() as session:
                await session.execute(one)
    with pytest.raises(PolicyRefused, match="no NoneType"):
        async with working() as session:
            await (await session.connection()).exec_driver_sql("SELECT 1")
    with pytest.raises(PolicyRefused, match="runs select, insert, update and delete"):
        async with working(None) as session:
            await session.execute(text("SELECT 1"))


@asynccontextmanager
async def _deciding(session: Any, what: str) -> AsyncIterator[None]:
    yield
    await getattr(session, what)()


@pytest.mark.parametrize("what", ["commit", "rollback", "begin", "begin_nested"])
async def test_the_unit_decides(working: Any, notes: Any, tables: Any, what: str) -> None:
    with pytest.raises(UnitDecides, match=r"inside its unit of work, which commits at its end"):
        async with working() as session, _deciding(session, what):
            await session.execute(delete(tables.Notes))
    with pytest.raises(UnitDecides):
        async with working() as session:
            await (await session.connection()).commit()
    async with working() as session:
        assert await session.scalar(select(func.count()).select_from(tables.Notes)) == 1


async def test_a_session_and_the_units_statements_see_each_other(
    bench: Any, sessions: Sessions, notes: Any, tables: Any
) -> None:
    titles = statement(select(tables.Notes.title).order_by(tables.Notes.title))
    unit = bench.user(ADA, writes=True)
    async with sessions.session(unit) as session:
        session.add(tables.Notes(id=new_id(), user_id=ADA, title="y"))
        await session.flush()
        assert await unit.rows(titles) == ["x", "y"]
        await unit.run(statement(update(tables.Notes).values(number=9)))
        assert (await session.scalars(select(tables.Notes.number))).all() == [9, 9]
    await unit.rollback()
    assert await bench.user(ADA).rows(titles) == ["x"]
    assert unit.statements == 4


async def test_a_flush_that_failed_leaves_a_unit_that_can_only_be_rolled_back(
    bench: Any, sessions: Sessions, notes: Any, tables: Any
) -> None:
    unit = bench.user(ADA, writes=True)
    async with sessions.session(unit) as session:
        note = await session.get(tables.Notes, notes[ADA])
        await session.execute(delete(tables.Notes.__table__))
        note.title = "gone"
        with pytest.raises(Exception, match="expected to update 1 row"):
            await session.flush()
        with pytest.raises(PendingRollbackError):
            await session.scalar(select(tables.Notes.id))
        with pytest.raises(RuntimeError, match="can only be rolled back"):
            await unit.rows(statement(select(tables.Notes.title)))
    with pytest.raises(RuntimeError, match="cannot be committed"):
        await unit.commit()
    assert await bench.user(ADA).rows(statement(select(tables.Notes.title))) == ["x"]


async def test_refusals_have_the_words_of_both_databases(working: Any, notes: Any, tables: Any) -> None:
    note = tables.Notes
    cases: list[tuple[Any, Any, str | None]] = [
        (note(id=new_id(), user_id=ADA, title="x"), UniqueViolation, None),
        (note(id=new_id(), user_id=ADA, title=None), CheckViolation, "notes.title"),
        (tables.Samples(id=ADA, words="a\0b"), Unstorable, None),
        (tables.Samples(id=ADA, data={"a": "\0"}), Unstorable, None),
        (tables.Samples(id=ADA, whole=2**70), Unstorable, None),
    ]
    for row, kind, constraint in cases:
        with pytest.raises(kind) as refused:
            async with working() as session:
                session.add(row)
        assert constraint in (None, getattr(refused.value, "constraint", None))
    with pytest.raises((ForeignKeyViolation, PolicyViolation)):
        async with working(None) as session:
            session.add(tables.Comments(id=new_id(), note_id=new_id(), text="of nothing"))


async def test_every_type_comes_back_as_it_was_given(working: Any, tables: Any) -> None:
    values = {
        "other": EVE, "at": datetime(2026, 3, 14, 12, 0, 0, 1, tzinfo=UTC), "data": {"a": [1, None, "ß"]},
        "flag": True, "whole": 2**62,
        "raw": b"\0\1", "words": "grün",
    }  # fmt: skip
    async with working() as session:
        session.add(tables.Samples(id=ADA, **values))
    async with working() as session:
        found = await session.get(tables.Samples, ADA)
        assert {name: getattr(found, name) for name in values} == values


async def test_what_the_database_fills_in_is_there_after_the_flush(working: Any, tables: Any) -> None:
    async with working() as session:
        note = tables.Notes(id=new_id(), user_id=ADA, title="x")
        session.add(note)
        await session.flush()
        assert (note.number, note.created_at == note.updated_at) == (0, True)
    assert note.title == "x"  # also after the session


async def test_a_reading_unit_reads_and_refuses_to_write(
    bench: Any, sessions: Sessions, notes: Any, tables: Any
) -> None:
    async with sessions.session(bench.user(ADA)) as session:
        assert (await session.scalars(select(tables.Notes.user_id))).all() == [ADA]
        assert (
            await session.scalars(select(tables.Notes).where(tables.Notes.title.in_(["x", "y"])))
        ).one().title == "x"
        assert [one async for one in await session.stream_scalars(select(tables.Notes.title))] == ["x"]
        refuse_while_open("it holds nothing")
    async with sessions.session(bench.anonymous()) as session:
        assert (await session.scalars(select(tables.Greetings.text))).all() == []
        with pytest.raises(PolicyRefused):
            await session.scalars(select(tables.Notes.title))
    with pytest.raises(PolicyRefused, match="reading unit"):
        async with sessions.session(bench.user(ADA)) as session:
            session.add(tables.Notes(id=new_id(), user_id=ADA, title="y"))


async def test_nothing_slow_while_a_session_holds_its_unit(working: Any, notes: Any, tables: Any) -> None:
    async with working() as session:
        refuse_while_open("nothing ran yet")
        await session.scalars(select(tables.Notes))
        with pytest.raises(UnitStillOpen):
            refuse_while_open("a call")


async def test_a_session_ends_with_its_block(bench: Any, sessions: Sessions, notes: Any, tables: Any) -> None:
    unit = bench.user(ADA, writes=True)
    async with sessions.session(unit) as session:
        pass
    with pytest.raises(InvalidRequestError):
        await session.scalars(select(tables.Notes))
    await unit.rollback()
