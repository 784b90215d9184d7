"""What a user's statements do to rows, one behaviour at a time; the same on SQLite and on PostgreSQL."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.failures import PolicyViolation, UniqueViolation
from tenantry.kernel.policies import PolicyRefused
from tenantry.kernel.sql import any_of

# `predicate-alone` is PostgreSQL with row level security switched off.
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql", "predicate-alone"])
ADA, EVE = UUID(int=1), UUID(int=2)
HERS, OTHERS = UUID(int=11), UUID(int=12)


@pytest.fixture(scope="session")
def sql(tables: SimpleNamespace) -> SimpleNamespace:
    notes, boards = tables.Notes, tables.Boards
    given = {"id": param("id"), "user_id": param("user_id"), "title": param("title")}
    made = upsert(notes).values(given)
    return SimpleNamespace(
        add=statement(insert(notes).values(given)),
        upsert=statement(
            made.on_conflict_do_update(index_elements=["id"], set_={"title": made.excluded.title}).returning(notes.id)
        ),
        give_away=statement(update(notes).where(notes.id == param("which")).values(user_id=param("to"))),
        rename=statement(update(notes).where(notes.id == param("which")).values(title=param("new"))),
        remove=statement(delete(notes).where(notes.id == param("which"))),
        all=statement(select(notes.id, notes.user_id, notes.title).order_by(notes.id), lambda *row: row),
        titles=statement(select(notes.title).order_by(notes.title)),
        by_ids=statement(select(notes.title).where(any_of(notes.id, "ids"))),
        add_board=statement(insert(boards).values(id=param("id"), organization_id=param("to"), name="b")),
        boards=statement(select(boards.organization_id).order_by(boards.id)),
        move_board=statement(update(boards).values(organization_id=param("to"))),
    )


async def given_a_note_each(bench: Any, sql: SimpleNamespace) -> tuple[UUID, UUID]:
    hers, eves = new_id(), new_id()
    await bench.serve(sql.add, id=hers, user_id=ADA, title="hers")
    await bench.serve(sql.add, id=eves, user_id=EVE, title="eves")
    return hers, eves


async def everything(bench: Any, sql: SimpleNamespace) -> list[tuple[UUID, UUID, str]]:
    return await bench.serving(writes=False).rows(sql.all)


async def refused(bench: Any, user: UUID, refusal: type[Exception], statement_: Any, **given: Any) -> None:
    unit = bench.user(user, HERS, writes=True)
    with pytest.raises(refusal):
        await unit.run(statement_, **given)
    with pytest.raises(RuntimeError, match="cannot be committed"):
        await unit.commit()


async def test_a_row_for_somebody_else_is_refused_and_nothing_is_left(bench: Any, sql: SimpleNamespace) -> None:
    unit = bench.user(ADA, writes=True)
    await unit.run(sql.add, id=new_id(), user_id=ADA, title="before")
    with pytest.raises(PolicyViolation):
        await unit.run(sql.add, id=new_id(), user_id=EVE, title="for eve")
    with pytest.raises(RuntimeError, match="only be rolled back"):
        await unit.run(sql.add, id=new_id(), user_id=ADA, title="after")
    with pytest.raises(RuntimeError, match="cannot be committed"):
        await unit.commit()
    assert await everything(bench, sql) == []


async def test_a_row_cannot_be_given_away(bench: Any, sql: SimpleNamespace) -> None:
    hers, eves = await given_a_note_each(bench, sql)
    await refused(bench, ADA, PolicyViolation, sql.give_away, which=hers, to=EVE)
    unit = bench.user(ADA, writes=True)
    assert await unit.run(sql.give_away, which=eves, to=ADA) == 0
    await unit.commit()
    assert await everything(bench, sql) == [(hers, ADA, "hers"), (eves, EVE, "eves")]


async def test_of_many_rows_one_for_somebody_else_refuses_all(bench: Any, tables: SimpleNamespace, sql: Any) -> None:
    rows = [{"id": new_id(), "user_id": user, "title": f"n{n}"} for n, user in enumerate((ADA, EVE, ADA))]
    await refused(bench, ADA, PolicyViolation, statement(insert(tables.Notes).values(rows)))
    assert await everything(bench, sql) == []
    unit = bench.user(ADA, writes=True)
    mine = [{**row, "user_id": ADA} for row in rows]
    assert await unit.run(statement(insert(tables.Notes).values(mine))) == 3
    await unit.commit()
    assert len(await everything(bench, sql)) == 3


async def test_the_neighbours_row_is_neither_renamed_nor_removed(bench: Any, sql: SimpleNamespace) -> None:
    hers, eves = await given_a_note_each(bench, sql)
    unit = bench.user(ADA, writes=True)
    assert await unit.run(sql.rename, which=eves, new="hacked") == 0
    assert await unit.run(sql.remove, which=eves) == 0
    assert await unit.run(sql.rename, which=hers, new="renamed") == 1
    await unit.commit()
    assert await everything(bench, sql) == [(hers, ADA, "renamed"), (eves, EVE, "eves")]


async def test_an_upsert_on_the_neighbours_key_changes_nothing(bench: Any, sql: SimpleNamespace) -> None:
    hers, eves = await given_a_note_each(bench, sql)
    unit = bench.user(ADA, writes=True)
    assert await unit.rows(sql.upsert, id=eves, user_id=ADA, title="taken over") == []
    assert await unit.rows(sql.upsert, id=hers, user_id=ADA, title="again") == [hers]
    await unit.commit()
    await refused(bench, ADA, PolicyViolation, sql.upsert, id=new_id(), user_id=EVE, title="for eve")
    assert await everything(bench, sql) == [(hers, ADA, "again"), (eves, EVE, "eves")]


async def test_a_taken_key_is_a_unique_violation_with_the_constraints_name(bench: Any, sql: SimpleNamespace) -> None:
    hers, _ = await given_a_note_each(bench, sql)
    unit = bench.user(ADA, writes=True)
    with pytest.raises(UniqueViolation) as raised:
        await unit.run(sql.add, id=hers, user_id=ADA, title="x")
    await unit.rollback()
    assert raised.value.constraint in {"pk_notes", "notes.id"}  # this file's tables are not in the product's metadata


async def test_only_ones_own_are_found_by_a_list_of_ids(bench: Any, sql: SimpleNamespace) -> None:
    ids = await given_a_note_each(bench, sql)
    assert await bench.user(ADA).rows(sql.by_ids, ids=ids) == ["hers"]
    assert await bench.user(EVE).rows(sql.by_ids, ids=list(ids)) == ["eves"]
    assert await bench.user(new_id()).rows(sql.by_ids, ids=ids) == []
    assert await bench.serving(writes=False).rows(sql.by_ids, ids=[]) == []


async def test_organizations_rows_follow_the_memberships(bench: Any, sql: SimpleNamespace) -> None:
    for to in (HERS, OTHERS):
        await bench.serve(sql.add_board, id=new_id(), to=to)
    assert await bench.user(ADA, HERS).rows(sql.boards) == [HERS]
    assert await bench.user(ADA).rows(sql.boards) == []
    assert await bench.user(ADA, HERS, OTHERS).rows(sql.boards) == [HERS, OTHERS]
    await refused(bench, ADA, PolicyViolation, sql.add_board, id=new_id(), to=OTHERS)
    await refused(bench, ADA, PolicyViolation, sql.move_board, to=OTHERS)
    many = [new_id() for _ in range(500)]
    assert await bench.user(ADA, *many, HERS).rows(sql.boards) == [HERS]


async def test_a_writing_unit_reads_its_own_writes_and_no_other_unit_does(bench: Any, sql: SimpleNamespace) -> None:
    unit = bench.user(ADA, writes=True)
    await unit.run(sql.add, id=new_id(), user_id=ADA, title="mine")
    assert await unit.rows(sql.titles) == ["mine"]
    assert await bench.user(ADA).rows(sql.titles) == []
    await unit.commit()
    assert await bench.user(ADA).rows(sql.titles) == ["mine"]
    assert await bench.user(EVE).rows(sql.titles) == []


async def test_who_may_only_write_writes_and_cannot_read(
    bench: Any, tables: SimpleNamespace, database_kind: str
) -> None:
    letters = tables.Letters
    send = statement(insert(letters).values(id=param("id"), user_id=param("user_id"), text="x"))
    answered = statement(
        insert(letters).values(id=param("id"), user_id=param("user_id"), text="x").returning(letters.id)
    )
    unit = bench.user(ADA, writes=True)
    assert await unit.run(send, id=new_id(), user_id=ADA) == 1
    with pytest.raises(PolicyRefused, match="may not select letters"):
        await unit.rows(statement(select(letters.id)))
    with pytest.raises(PolicyRefused):
        await unit.rows(answered, id=new_id(), user_id=ADA)
    await unit.rollback()
    if database_kind != "predicate-alone":  # a check needs RETURNING, which needs the right to read on PostgreSQL
        await refused(bench, ADA, PolicyViolation, send, id=new_id(), user_id=EVE)


async def test_strangers_read_what_is_everybodys_and_nothing_else(
    bench: Any, tables: SimpleNamespace, sql: Any
) -> None:
    await given_a_note_each(bench, sql)
    greetings = tables.Greetings
    await bench.serve(statement(insert(greetings).values(id=new_id(), text="hello")))
    stranger = bench.anonymous()
    assert await stranger.rows(statement(select(greetings.text))) == ["hello"]
    for expression in (
        select(tables.Notes.id),
        select(func.count()).select_from(tables.Notes),
        select(greetings.id).where(greetings.id.in_(select(tables.Notes.id))),
        delete(greetings),
    ):
        with pytest.raises(PolicyRefused):
            await stranger.rows(statement(expression))
    await stranger.rollback()


async def test_a_hidden_column_does_not_hinder_the_others(bench: Any, tables: SimpleNamespace) -> None:
    secrets = tables.Secrets
    add = statement(insert(secrets).values(id=param("id"), user_id=param("user"), label=param("label"), hash=b"x"))
    for user, label in ((ADA, "hers"), (EVE, "eves")):
        await bench.serve(add, id=new_id(), user=user, label=label)
    labels = statement(select(secrets.label))
    assert await bench.user(ADA).rows(labels) == ["hers"]
    unit = bench.user(ADA, writes=True)
    assert await unit.rows(labels) == ["hers"]
    assert await unit.run(statement(delete(secrets))) == 1
    await unit.commit()
    assert await bench.serving(writes=False).rows(labels) == ["eves"]


async def test_what_may_not_be_read_is_not_written_either(bench: Any, tables: SimpleNamespace) -> None:
    drafts = tables.Drafts
    add = statement(insert(drafts).values(id=param("id"), user_id=ADA, shown=param("shown")))
    for shown in (True, False):
        await bench.serve(add, id=new_id(), shown=shown)
    unit = bench.user(ADA, writes=True)
    assert await unit.run(add, id=new_id(), shown=True) == 1
    assert await unit.run(statement(update(drafts).values(user_id=ADA))) == 2
    assert await unit.run(statement(delete(drafts))) == 2
    await unit.rollback()
    await refused(bench, ADA, PolicyViolation, add, id=new_id(), shown=False)
    await refused(bench, ADA, PolicyViolation, statement(update(drafts).values(shown=False)))


async def test_each_identity_has_its_role_in_the_database(bench: Any, database_kind: str) -> None:
    if database_kind == "sqlite":
        pytest.skip("SQLite has no roles")
    role = statement(select(func.current_user()))
    assert await bench.anonymous().one(role) == "anon"
    for writes in (True, False):
        for unit, expected in ((bench.user(ADA, writes=writes), "authenticated"), (bench.serving(writes=writes), None)):
            assert await unit.one(role) == (expected or "service_role")
            await unit.rollback()
