"""What a role can never do is refused when the statement is compiled, on both databases alike."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from sqlalchemy import (
    bindparam,
    column,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from tenantry.kernel import new_id
from tenantry.kernel.database import param, statement
from tenantry.kernel.database.statements import WrongShape
from tenantry.kernel.policies import PolicyRefused, Role

KINDS = ("sqlite", "postgresql")
both = pytest.mark.parametrize("kind", KINDS)


def refused(expression: Any, kind: str, match: str, role: Role = Role.AUTHENTICATED) -> None:
    with pytest.raises(PolicyRefused, match=match):
        statement(expression).compiled(kind, role)


@both
def test_a_column_that_a_role_may_not_write_is_refused(kind: str, tables: SimpleNamespace) -> None:
    comments = tables.Comments
    one = comments.id == param("id")
    refused(update(comments).where(one).values(note_id=param("n")), kind, "may not update column note_id of comments")
    refused(update(comments).where(one).values({comments.id: param("new")}), kind, "column id")
    refused(update(comments).ordered_values(("text", "x"), ("note_id", param("note"))), kind, "column note_id")
    refused(update(comments), kind, "column id, note_id")  # SQLAlchemy would set every column
    statement(update(comments).where(one).values(text=param("new"))).compiled(kind, Role.AUTHENTICATED)


@both
def test_an_upsert_may_not_update_what_an_update_may_not(kind: str, tables: SimpleNamespace) -> None:
    made = upsert(tables.Comments).values(id=param("id"), note_id=param("note"), text=param("text"))
    refused(
        made.on_conflict_do_update(index_elements=["id"], set_={"note_id": made.excluded.note_id}),
        kind,
        "update column note_id",
    )
    refused(
        made.on_conflict_do_update(index_elements=["id"], set_={tables.Comments.note_id: param("other")}),
        kind,
        "update column note_id",
    )


@both
def test_every_way_to_name_an_inserted_column_is_looked_at(kind: str, tables: SimpleNamespace) -> None:
    letters = tables.Letters
    row = {"id": new_id(), "user_id": new_id(), "text": "x", "status": "read"}
    for expression in (
        insert(letters).values(row),
        insert(letters).values({letters.status: "read"}),
        insert(letters).values([row, row]),
        insert(letters),
        insert(letters).from_select(list(row), select(letters.id, letters.user_id, letters.text, letters.status)),
    ):
        refused(expression, kind, "may not insert column status of letters")


@both
def test_a_command_without_a_right_is_refused(kind: str, tables: SimpleNamespace) -> None:
    refused(delete(tables.Boards), kind, "may not delete boards")
    refused(update(tables.Greetings).values(text="x"), kind, "may not update greetings")
    refused(insert(tables.Greetings).values(id=param("id"), text="x"), kind, "may not insert greetings")
    refused(select(tables.Letters.id), kind, "may not select letters")
    refused(delete(tables.Letters), kind, "may not delete letters")
    refused(select(tables.Notes.id), kind, "anon may not select notes", Role.ANON)
    refused(insert(tables.Notes).values(id=param("id")), kind, "anon may not insert notes", Role.ANON)
    for role in Role:
        statement(select(tables.Greetings.id)).compiled(kind, role)


@both
def test_a_hidden_column_is_read_nowhere(kind: str, tables: SimpleNamespace) -> None:
    secrets = tables.Secrets
    other = secrets.__table__.alias("s")
    told = "may not select column hash of secrets"
    for expression in (
        select(secrets.hash),
        select(secrets.id).where(secrets.hash == param("hash")),
        select(secrets.id).order_by(secrets.hash),
        select(other.c.hash),
        select(other.alias("again").c.hash),
        select(tables.Notes.id).where(exists().where(secrets.hash == param("hash"))),
        delete(secrets).where(secrets.hash == param("hash")),
        delete(secrets).returning(secrets.hash),
    ):
        refused(expression, kind, told)
    statement(select(secrets.label)).compiled(kind, Role.AUTHENTICATED)
    statement(select(secrets.hash)).compiled(kind, Role.SERVICE)


@both
def test_no_policy_reaches_into_text_so_a_role_may_not_use_it(kind: str, tables: SimpleNamespace) -> None:
    notes = tables.Notes
    insertion = insert(notes).values(id=param("id"), user_id=param("user"), title="x")
    for expression in (
        text("SELECT id FROM notes"),
        text("SELECT id FROM notes").columns(column("id")),
        select(notes.id).where(text("1 = 1")),
        select(literal_column("(SELECT title FROM notes)")),
        select(column("id")).select_from(text("notes")),
        insertion.prefix_with("OR REPLACE"),
        select(notes.id).suffix_with("UNION SELECT id FROM notes"),
    ):
        refused(expression, kind, "no policy reaches into it")
    refused(select(table("notes", column("id"))), kind, "declares no __policy__")
    statement(text("SELECT 1")).compiled(kind, Role.SERVICE)


@both
def test_a_write_inside_another_statement_is_refused(kind: str, tables: SimpleNamespace) -> None:
    notes = tables.Notes
    for inner in (
        update(notes).values(number=1).returning(notes.id),
        delete(notes).returning(notes.id),
        insert(notes).values(id=param("id"), user_id=param("user"), title="x").returning(notes.id),
    ):
        gone = inner.cte("gone")
        refused(select(gone.c.id), kind, "inside another statement")
        refused(delete(tables.Comments).where(tables.Comments.note_id.in_(select(gone.c.id))), kind, "inside another")


@both
def test_only_a_table_itself_is_written(kind: str, tables: SimpleNamespace) -> None:
    other = tables.Notes.__table__.alias("other")
    refused(update(other).values(number=1), kind, "never an alias")
    refused(delete(other), kind, "never an alias")


@both
def test_a_table_without_a_policy_belongs_to_nobody(kind: str, tables: SimpleNamespace) -> None:
    bare = tables.Notes.__table__.to_metadata(tables.metadata.__class__())
    bare.info.clear()
    for role in Role:
        refused(select(bare.c.id), kind, "declares no __policy__", role)
        refused(delete(bare), kind, "declares no __policy__", role)


class Two(msgspec.Struct, frozen=True):
    id: Any
    title: str


@both
def test_rows_have_the_shape_of_their_struct(kind: str, tables: SimpleNamespace) -> None:
    notes = tables.Notes
    right = statement(select(notes.id, notes.title), Two)
    assert right.compiled(kind, Role.AUTHENTICATED).columns == ("id", "title")
    for wrong in (select(notes.title, notes.id), select(notes.id), select(notes.id, notes.title, notes.number)):
        with pytest.raises(WrongShape, match="the statement returns"):
            statement(wrong, Two).compiled(kind, Role.AUTHENTICATED)
    with pytest.raises(WrongShape, match="needs a row type"):
        statement(select(notes.id, notes.title)).compiled(kind, Role.AUTHENTICATED)


async def test_unknown_and_missing_values_are_a_typeerror_and_the_unit_goes_on(
    bench: Any, tables: SimpleNamespace
) -> None:
    by_title = statement(select(tables.Notes.id).where(tables.Notes.title == param("title")))
    unit = bench.user(new_id(), writes=True)
    for given in ({}, {"titel": "x"}, {"title": "x", "more": 1}, {"title": "x", "_user_id": new_id()}):
        with pytest.raises(TypeError, match="the statement wants"):
            await unit.rows(by_title, **given)
    assert await unit.rows(by_title, title="x") == []
    await unit.rollback()


def test_a_declared_statement_stays_as_it_was_written(tables: SimpleNamespace) -> None:
    made = upsert(tables.Notes).values(id=param("id"), user_id=param("user"), title=param("title"))
    declared = {
        "upsert": made.on_conflict_do_update(
            index_elements=["user_id", "title"], set_={"number": tables.Notes.number + 1}
        ).returning(tables.Notes.id),
        "update": update(tables.Notes).where(tables.Notes.id == param("id")).values(number=1),
        "delete": delete(tables.Notes).where(tables.Notes.id == param("id")),
        "union": union_all(select(tables.Notes.id), select(tables.Comments.id)),
        "join": select(tables.Notes.id, func.count()).join(tables.Comments, isouter=True).group_by(tables.Notes.id),
    }
    before = {name: str(expression) for name, expression in declared.items()}
    shared = {name: statement(expression, lambda *_: None) for name, expression in declared.items()}
    first = {}
    for _ in range(2):
        for kind in KINDS:
            for role in (Role.AUTHENTICATED, Role.SERVICE):
                for name, expression in declared.items():
                    found = statement(expression, lambda *_: None).compiled(kind, role)
                    assert first.setdefault((name, kind, role), found.sql) == found.sql
                    assert shared[name].compiled(kind, role).sql == found.sql
    assert {name: str(expression) for name, expression in declared.items()} == before
    assert "_user_id" not in "".join(before.values())
    assert first["delete", "sqlite", Role.SERVICE] == "DELETE FROM notes WHERE notes.id = ?"


@both
def test_a_value_that_only_looks_like_the_identity_is_not_it(kind: str, tables: SimpleNamespace) -> None:
    """A statement that names a parameter as the policy's is bound to who asks, never to what the caller sends."""
    sneaky = statement(select(tables.Notes.id).where(tables.Notes.user_id == bindparam("_user_id")))
    assert sneaky.compiled(kind, Role.AUTHENTICATED).names == frozenset()
