"""A notebook: tables with every kind of column and of policy, on both databases, that no product has."""

import asyncio
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import CheckConstraint, ForeignKey, MetaData, UniqueConstraint, insert, select
from sqlalchemy.schema import CreateTable

from tenantry.kernel import new_id
from tenantry.kernel.clock import FrozenClock, SystemClock
from tenantry.kernel.database import Base, Touched, column, id_column, statement
from tenantry.kernel.database.compiling import dialect_for
from tenantry.kernel.database.guards import table_guards
from tenantry.kernel.database.sqlite import register_functions
from tenantry.kernel.database.tables import NAMING
from tenantry.kernel.database.types import Bytes, Flag, Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights, anyone, of_my_organizations, own
from tenantry.testing import PostgresServer, TestDatabase, postgres_database, sqlite_database


class Scratch(Base):
    """Tables of these tests only: not in the metadata that migrations are made from."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Notes(Touched, Scratch):
    """Everything is the owner's."""

    __tablename__ = "notes"
    __policy__ = Policy(authenticated=Rights(read=own(), insert=own(), update=own(), delete=own()))

    id = id_column()
    user_id = column(Id())
    title = column(Words())
    number = column(Whole(), server_default="0")
    parent_id = column(Id(), nullable=True)

    __table_args__ = (UniqueConstraint("user_id", "title"),)


def _of_my_notes(row: Any) -> Any:
    return row.note_id.in_(select(Notes.id).where(Notes.user_id == _me()))


def _me() -> Any:
    return own()({"user_id": Notes.user_id}).right


class Comments(Scratch):
    """Owned through the note; only the text may be changed."""

    __tablename__ = "comments"
    __policy__ = Policy(
        authenticated=Rights(
            read=_of_my_notes,
            insert=_of_my_notes,
            update=_of_my_notes,
            delete=_of_my_notes,
            update_columns=("text",),
        )
    )

    id = id_column()
    note_id = column(Id(), ForeignKey("notes.id", ondelete="CASCADE"))
    text = column(Words())


class Copies(Scratch):
    """What INSERT ... SELECT fills."""

    __tablename__ = "copies"
    __policy__ = Policy(authenticated=Rights(read=own(), insert=own(), delete=own()))

    user_id = column(Id(), primary_key=True)
    source_id = column(Id(), primary_key=True)
    number = column(Whole())


class Boards(Scratch):
    """An organization's; strangers read nothing."""

    __tablename__ = "boards"
    __policy__ = Policy(
        authenticated=Rights(read=of_my_organizations(), insert=of_my_organizations(), update=of_my_organizations())
    )

    id = id_column()
    organization_id = column(Id())
    name = column(Words())


class Greetings(Scratch):
    """Everybody's to read, strangers included."""

    __tablename__ = "greetings"
    __policy__ = Policy(authenticated=Rights(read=anyone), anon=Rights(read=anyone))

    id = id_column()
    text = column(Words())


class Letters(Scratch):
    """To be written with one's own name, and never read again."""

    __tablename__ = "letters"
    __policy__ = Policy(authenticated=Rights(insert=own(), insert_columns=("id", "user_id", "text")))

    id = id_column()
    user_id = column(Id())
    text = column(Words())
    status = column(Words(), server_default="new")


class Secrets(Scratch):
    """One column is for nobody's eyes."""

    __tablename__ = "secrets"
    __policy__ = Policy(authenticated=Rights(read=own(), read_columns=("id", "user_id", "label"), delete=own()))

    id = id_column()
    user_id = column(Id())
    label = column(Words())
    hash = column(Bytes())


class Samples(Scratch):
    """One column of every type."""

    __tablename__ = "samples"
    __policy__ = Policy(authenticated=Rights(read=own("id"), insert=own("id"), update=own("id")))

    id = id_column()
    other = column(Id(), nullable=True)
    at = column(UtcDateTime(), nullable=True)
    data = column(Json(), nullable=True)
    flag = column(Flag(), nullable=True)
    whole = column(Whole(), nullable=True)
    raw = column(Bytes(), nullable=True)
    words = column(Words(), nullable=True)


TABLES = SimpleNamespace(
    metadata=Scratch.metadata, Notes=Notes, Comments=Comments, Copies=Copies, Boards=Boards, Greetings=Greetings,
    Letters=Letters, Secrets=Secrets, Samples=Samples,
)  # fmt: skip


def statements_for(kind: str) -> list[str]:
    """The scratch tables' DDL with their guards, as a migration would run it."""
    made = []
    for table in Scratch.metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect_for(kind, None))))
        made.extend(table_guards(table, kind))
    return made


def in_a_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end from a fixture without a loop: a test's event loop may be running in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def apart() -> Callable[[Coroutine[Any, Any, None]], None]:
    return in_a_thread


@pytest.fixture(scope="session")
def tables() -> SimpleNamespace:
    return TABLES


@pytest.fixture(scope="session")
def _scratch_postgres(postgres_server: PostgresServer) -> TestDatabase:
    database = postgres_database(postgres_server, "scratch")

    async def make() -> None:
        connection = await asyncpg.connect(database.owner_url)
        await connection.execute(";\n".join(statements_for("postgresql")))
        await connection.close()

    in_a_thread(make())
    return database


@pytest.fixture(scope="session")
def scratch_template(tmp_path_factory: pytest.TempPathFactory, _sqlite: Path) -> Path:
    """A SQLite file with the scratch tables, to copy from."""
    path = tmp_path_factory.mktemp("scratch") / "scratch.db"
    shutil.copyfile(_sqlite, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        register_functions(connection, SystemClock())
        for one in statements_for("sqlite"):
            connection.execute(one)
    return path


@pytest.fixture
async def scratch(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> TestDatabase:
    """An empty database with the scratch tables beside the product's."""
    if database_kind == "sqlite":
        return sqlite_database(request.getfixturevalue("scratch_template"), tmp_path)
    database: TestDatabase = request.getfixturevalue("_scratch_postgres")
    await database.empty()
    return database


@pytest.fixture
async def bench(scratch: TestDatabase, open_logins: Callable[[TestDatabase, FrozenClock], Awaitable[Any]]) -> Any:
    """The logins of the scratch database."""
    return await open_logins(scratch, FrozenClock(SystemClock().now()))


class People:
    """Gives each person a row in every table, made from what the tables say about themselves.

    It follows foreign keys to the person's own rows, CHECKs of words and lengths, and owner columns by their names. A
    table it cannot fill fails the test: teach `_value` its kind of column.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, UUID], dict[str, Any]] = {}

    async def fill(self, unit: Any, *persons: UUID) -> None:
        """Write everybody's rows with a unit of the service login, and commit."""
        for person in persons:
            for table in Base.metadata.sorted_tables:
                values = self._rows[table.name, person] = self.values(table.name, person)
                try:
                    await unit.run(statement(insert(table).values(values)))
                except Exception as error:  # noqa: BLE001 - whatever it is, the table could not be filled
                    pytest.fail(f"People cannot fill {table.name} with {values}: {error!r}; see its docstring")
        await unit.commit()

    def row(self, name: str, person: UUID) -> dict[str, Any]:
        """The row that a person was given."""
        return self._rows[name, person]

    def keys(self, name: str, *persons: UUID) -> set[tuple[Any, ...]]:
        """The primary keys of these persons' rows."""
        key = Base.metadata.tables[name].primary_key
        return {tuple(self._rows[name, person][one.name] for one in key) for person in persons}

    def values(self, name: str, person: UUID) -> dict[str, Any]:
        """A new row for a person, not written yet."""
        wanted = [one for one in Base.metadata.tables[name].c if not one.server_default]
        return {one.name: self._value(one, person) for one in wanted if not one.nullable or one.name in OWNERS}

    def raw(self, name: str, values: dict[str, Any]) -> list[Any]:
        """The values as a bare asyncpg connection takes them."""
        columns = Base.metadata.tables[name].c
        return [json.dumps(value) if isinstance(columns[one].type, Json) else value for one, value in values.items()]

    def _value(self, column: Any, person: UUID) -> Any:
        for key in column.foreign_keys:
            parent = self._rows.get((key.column.table.name, person))
            return parent[key.column.name] if parent else person
        if column.name in OWNERS or (column.table.name, column.name) == ("users", "id"):
            return person
        rules = [str(one.sqltext) for one in column.table.constraints if isinstance(one, CheckConstraint)]
        match column.type:
            case Words():
                return _text(column.name, rules)
            case UtcDateTime():
                later = column.name.endswith(("_end", "_until", "expires_at", "ends_at"))
                return datetime.now(UTC) + timedelta(days=later)
            case Bytes():
                return os.urandom(32)
        return {Id: new_id, Json: dict, Flag: lambda: True, Whole: lambda: 1}[type(column.type)]()


OWNERS = {"user_id", "actor_id"}


def _text(name: str, rules: list[str]) -> str:
    for rule in rules:
        if words := re.match(rf"{name} IN \('([^']+)'", rule):
            return words[1]
    longest = min(
        [int(found[1]) for rule in rules if (found := re.match(rf"length\({name}\) BETWEEN \d+ AND (\d+)", rule))]
        or [60]
    )
    return f"{new_id().hex[::-1]}@example.com"[:longest]


@pytest.fixture(scope="module")
def people() -> People:
    return People()
