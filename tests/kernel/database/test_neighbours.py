"""Wherever a table stands in a statement, the neighbour's rows neither appear nor change.

The model: a second database that holds nobody else's rows. A statement run there without any policy answers what the
policies must answer where the neighbours live too. It is SQLite for both, so both databases also agree.
"""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import and_, delete, exists, func, insert, literal, or_, select, union, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tenantry.kernel.clock import FrozenClock, SystemClock
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.types import Whole
from tenantry.kernel.database.units import SERVICE

# `predicate-alone` is PostgreSQL with row level security switched off.
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql", "predicate-alone"])
ADA, EVE = UUID(int=1), UUID(int=2)
HERS, SHARED, OTHERS = UUID(int=11), UUID(int=12), UUID(int=13)
ROWS = 4


def row_tuple(*values: Any) -> tuple[Any, ...]:
    return values


@dataclass
class World:
    """`bench` has everybody's rows, `alone` only what Ada may see."""

    bench: Any
    alone: SqliteDatabase
    tables: SimpleNamespace

    def __post_init__(self) -> None:
        self.inserts = {
            name: statement(
                insert(made).values({one.name: param(one.name) for one in made.__table__.c if one.name[-3:] != "_at"})
            )
            for name, made in vars(self.tables).items()
            if name in {"Notes", "Comments", "Copies", "Boards", "Greetings"}
        }
        self.contents = {
            name: statement(
                select(*made.__table__.primary_key, *[one for one in made.__table__.c if one.name in DATA]), row_tuple
            )
            for name, made in vars(self.tables).items()
            if name in self.inserts
        }

    async def fill(self) -> None:
        for database, everybody in ((self.bench.service, True), (self.alone, False)):
            unit = database.unit(SERVICE, writes=True)
            for name in ("Comments", "Notes", "Copies", "Boards", "Greetings"):
                await unit.run(statement(delete(getattr(self.tables, name))))
            for name, row, seen in _rows():
                if seen or everybody:
                    await unit.run(self.inserts[name], **row)
            await unit.commit()

    async def rows(self, database: Any, name: str) -> set[tuple[Any, ...]]:
        return set(await database.unit(SERVICE, writes=False).rows(self.contents[name]))

    async def agree(self, expression: Any) -> None:
        """Run as Ada here, without policies there; answers and what is left must be the same."""
        await self.fill()
        hidden = {
            name: await self.rows(self.bench.service, name) - await self.rows(self.alone, name)
            for name in self.contents
        }
        answers = []
        for unit in (self.bench.user(ADA, HERS, SHARED, writes=True), self.alone.unit(SERVICE, writes=True)):
            try:
                answers.append(sorted(await unit.rows(statement(expression, row_tuple)), key=repr))
            except BaseException:
                await unit.rollback()
                raise
            await unit.commit()
        assert answers[0] == answers[1]
        for name, others in hidden.items():
            assert await self.rows(self.bench.service, name) == await self.rows(self.alone, name) | others

    async def agree_reading(self, expression: Any) -> None:
        """The same for a reading unit, which binds and reads in one trip on PostgreSQL."""
        found = statement(expression, row_tuple)
        mine = await self.bench.user(ADA, HERS, SHARED).rows(found)
        assert sorted(mine, key=repr) == sorted(await self.alone.unit(SERVICE, writes=False).rows(found), key=repr)


DATA = {"user_id", "title", "number", "parent_id", "note_id", "text", "name", "organization_id"}


def _rows() -> list[tuple[str, dict[str, Any], bool]]:
    made: list[tuple[str, dict[str, Any], bool]] = []
    for who, user in enumerate((ADA, EVE)):
        for number in range(ROWS):
            note = UUID(int=100 + 10 * who + number)
            # Hers and the neighbour's share titles, numbers and even parents, so that every join could mix them.
            parent = UUID(int=100 + 10 * (1 - who) + number) if number % 2 else UUID(int=100 + 10 * who)
            title = {"id": note, "user_id": user, "title": f"t{number}", "number": number, "parent_id": parent}
            made.append(("Notes", title, user == ADA))
            for comment in range(number):
                row = {"id": UUID(int=1000 + 100 * who + 10 * number + comment), "note_id": note, "text": f"c{comment}"}
                made.append(("Comments", row, user == ADA))
        made.append(("Copies", {"user_id": user, "source_id": UUID(int=100), "number": 7}, user == ADA))
    for number, organization in enumerate((HERS, SHARED, OTHERS)):
        row = {"id": UUID(int=50 + number), "organization_id": organization, "name": f"t{number}"}
        made.append(("Boards", row, organization != OTHERS))
    made.append(("Greetings", {"id": UUID(int=70), "text": "t1"}, True))
    return made


@pytest.fixture
async def world(
    bench: Any, request: pytest.FixtureRequest, tables: SimpleNamespace, tmp_path: Path
) -> AsyncIterator[World]:
    source = request.getfixturevalue("scratch_template")
    shutil.copyfile(source, tmp_path / "alone.db")
    alone = SqliteDatabase(tmp_path / "alone.db", FrozenClock(SystemClock().now()), durable=False)
    await alone.open()
    made = World(bench, alone, tables)
    await made.fill()
    yield made
    await alone.close()


# --- A small grammar -------------------------------------------------------------------------------------------------


@st.composite
def conditions(draw: st.DrawFn, row: Any, tables: SimpleNamespace, depth: int = 2) -> Any:
    """A condition on a row that has `id` and `number`."""
    notes, comments, boards = (
        one.__table__.alias(f"i{draw(st.integers(0, 999))}_{name}")
        for name, one in (("n", tables.Notes), ("c", tables.Comments), ("b", tables.Boards))
    )
    choice = draw(st.integers(0, 8 if depth else 5))
    number = draw(st.integers(0, ROWS))
    match choice:
        case 0:
            return row.number >= number
        case 1:
            return row.id.in_(select(comments.c.note_id))
        case 2:
            return exists().where(comments.c.note_id == row.id)
        case 3:
            return ~exists().where(notes.c.number > row.number)
        case 4:
            return (
                select(func.count()).select_from(notes).where(notes.c.number >= row.number).scalar_subquery() > number
            )
        case 5:
            return exists(select(boards.c.id).where(boards.c.name == literal("t2")))
        case 6:
            return and_(draw(conditions(row, tables, depth - 1)), draw(conditions(row, tables, depth - 1)))
        case 7:
            return or_(draw(conditions(row, tables, depth - 1)), draw(conditions(row, tables, depth - 1)))
    return ~draw(conditions(row, tables, depth - 1))


@st.composite
def sources(draw: st.DrawFn, tables: SimpleNamespace, name: str, depth: int = 1) -> Any:
    """Something that has `id` and `number`: the table, an alias, a subquery, a CTE, a union."""
    notes = tables.Notes.__table__
    comments = tables.Comments.__table__
    counted = select(comments.c.id, func.length(comments.c.text).label("number"))
    match draw(st.integers(0, 5 if depth else 1)):
        case 0:
            return notes.alias(name).c
        case 1:
            return select(notes.c.id, notes.c.number).subquery(name).c
        case 2:
            inner = notes.alias(f"{name}_inner")
            return select(inner.c.id, inner.c.number).where(draw(conditions(inner.c, tables, 1))).cte(name).c
        case 3:
            return union_all(select(notes.c.id, notes.c.number), counted).subquery(name).c
        case 4:
            return union(select(notes.c.id, notes.c.number), counted).cte(name).c
    start = (
        select(notes.c.id, notes.c.number).where(notes.c.number == draw(st.integers(0, ROWS))).cte(name, recursive=True)
    )
    child = notes.alias(f"{name}_child")
    return start.union(select(child.c.id, child.c.number).where(child.c.parent_id == start.c.id)).c


@st.composite
def reads(draw: st.DrawFn, tables: SimpleNamespace) -> Any:
    left, right = draw(sources(tables, "l")), draw(sources(tables, "r"))
    one, other = left.id.table, right.id.table
    on = draw(
        st.sampled_from([left.number == right.number, left.id == right.id, and_(left.id == right.id, right.number > 1)])
    )
    how = draw(st.sampled_from([{}, {"isouter": True}, {"full": True}]))
    shown = select(left.id, left.number, right.id.label("other"), right.number.label("its"))
    match draw(st.integers(0, 2)):
        case 0:
            return shown.select_from(one.join(other, on, **how))
        case 1:
            return shown.select_from(one.join(other, on, **how)).where(draw(conditions(left, tables)))
    counted = select(left.number, func.count(), func.count(right.id).label("its"))
    return counted.select_from(one.join(other, on, **how)).group_by(left.number)


@st.composite
def writes(draw: st.DrawFn, tables: SimpleNamespace) -> Any:
    notes, comments, copies = tables.Notes, tables.Comments, tables.Copies
    other = draw(sources(tables, "o"))
    kept = draw(conditions(notes.__table__.c, tables))
    best = select(func.coalesce(func.max(other.number), 0)).scalar_subquery()
    match draw(st.integers(0, 5)):
        case 0:
            return update(notes).where(kept).values(number=notes.number + 10).returning(notes.id, notes.number)
        case 1:
            return update(notes).values(number=best).returning(notes.id, notes.number)
        case 2:
            return update(notes).where(notes.id == other.id).values(number=notes.number + 5).returning(notes.id)
        case 3:
            return delete(notes).where(kept).returning(notes.id)
        case 4:
            return delete(comments).where(comments.note_id.in_(select(other.id))).returning(comments.id)
    rows = select(literal(ADA, copies.user_id.type), other.id, literal(1, Whole())).where(other.number > 0).distinct()
    made = upsert(copies).from_select(["user_id", "source_id", "number"], rows)
    return made.on_conflict_do_nothing(index_elements=["user_id", "source_id"]).returning(copies.source_id)


many = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@many
@given(data=st.data())
async def test_whatever_is_read_the_neighbour_is_not_in_it(world: World, data: st.DataObject) -> None:
    await world.agree_reading(data.draw(reads(world.tables)))


@many
@given(data=st.data())
async def test_whatever_is_written_the_neighbour_stays_as_it_was(world: World, data: st.DataObject) -> None:
    await world.agree(data.draw(writes(world.tables)))


async def test_tables_a_policy_reads_may_stand_in_the_statement_too(world: World) -> None:
    """The policy of `comments` reads `notes`; it must not mistake the statement's `notes` for its own."""
    notes, comments = world.tables.Notes, world.tables.Comments
    mine = comments.note_id == notes.id
    for expression in (
        select(comments.id, notes.title).join(notes, mine),
        select(comments.id, notes.title).join(notes, mine, full=True),
        select(notes.title).where(exists().where(mine, comments.text == "c1")),
        select(notes.title, select(func.count()).where(mine).scalar_subquery()),
        select(comments.id).where(comments.note_id.in_(select(notes.id).where(notes.number > 1))),
    ):
        await world.agree_reading(expression)
    for expression in (
        update(comments).where(mine, notes.number > 1).values(text="changed").returning(comments.id),
        update(comments).where(notes.number > 2).values(text="changed").returning(comments.id),
        update(notes).where(mine, comments.text == "c1").values(number=notes.number + 100).returning(notes.id),
        delete(comments).where(exists().where(mine, notes.number > 1)).returning(comments.id),
        delete(notes).where(notes.id.in_(select(comments.note_id))).returning(notes.id),
    ):
        await world.agree(expression)


async def test_delete_using_takes_ones_own_only(world: World, database_kind: str) -> None:
    if database_kind == "sqlite":
        pytest.skip("SQLite knows no DELETE ... USING")
    notes, comments = world.tables.Notes, world.tables.Comments
    others = await world.rows(world.bench.service, "Comments") - await world.rows(world.alone, "Comments")
    unit = world.bench.user(ADA, HERS, writes=True)
    gone = await unit.rows(statement(delete(comments).where(notes.number >= 0).returning(comments.id)))
    assert len(gone) == sum(range(ROWS))
    assert await unit.rows(statement(delete(notes).where(comments.note_id != notes.id).returning(notes.id))) == []
    await unit.commit()
    assert await world.rows(world.bench.service, "Comments") == others
