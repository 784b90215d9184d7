"""A notebook: tables with every kind of column and of policy, on both databases, that no product has."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import ForeignKey, MetaData, UniqueConstraint, and_, exists, select
from sqlalchemy.schema import CreateTable

from tenantry.kernel.clock import FrozenClock, SystemClock
from tenantry.kernel.database import Base, Touched, column, id_column
from tenantry.kernel.database.compiling import dialect_for
from tenantry.kernel.database.guards import table_guards
from tenantry.kernel.database.sqlite_file import register_functions
from tenantry.kernel.database.tables import NAMING
from tenantry.kernel.database.types import Bytes, Flag, Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.policies import Policy, Rights, anyone, of_my_organizations, own
from tenantry.testing import PostgresServer, TestDatabase, postgres_database, sqlite_database

Apart = Callable[[Coroutine[Any, Any, None]], None]


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


def _beside_my_note(row: Any) -> Any:
    return exists().where(Notes.id == row.note_id, Notes.user_id == _me())


class Comments(Scratch):
    """Owned through the note, which is said in two ways; only the text may be changed."""

    __tablename__ = "comments"
    __policy__ = Policy(
        authenticated=Rights(
            read=_beside_my_note,
            insert=_of_my_notes,
            update=_of_my_notes,
            delete=_beside_my_note,
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


class Drafts(Scratch):
    """Narrower to read than to write: what is not shown is out of reach."""

    __tablename__ = "drafts"
    __policy__ = Policy(
        authenticated=Rights(
            read=lambda row: and_(row.user_id == _me(), row.shown.is_(True)), insert=own(), update=own(), delete=own()
        )
    )

    id = id_column()
    user_id = column(Id())
    shown = column(Flag())


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
    Letters=Letters, Secrets=Secrets, Drafts=Drafts, Samples=Samples,
)  # fmt: skip


def statements_for(kind: str) -> list[str]:
    """The scratch tables' DDL with their guards, as a migration would run it."""
    made = []
    for table in Scratch.metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect_for(kind, None))))
        made.extend(table_guards(table, kind))
    return made


@pytest.fixture(scope="session")
def tables() -> SimpleNamespace:
    return TABLES


WITHOUT_ROW_SECURITY = """
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', t);
  END LOOP;
END $$"""


def _with_scratch_tables(server: PostgresServer, name: str, apart: Apart, *more: str) -> TestDatabase:
    database = postgres_database(server, name)

    async def make() -> None:
        connection = await asyncpg.connect(database.owner_url)
        await connection.execute(";\n".join([*statements_for("postgresql"), *more]))
        await connection.close()

    apart(make())
    return database


@pytest.fixture(scope="session")
def _scratch_postgres(postgres_server: PostgresServer, apart: Apart) -> TestDatabase:
    return _with_scratch_tables(postgres_server, "scratch", apart)


@pytest.fixture(scope="session")
def _predicate_alone(postgres_server: PostgresServer, apart: Apart) -> TestDatabase:
    """The same with row level security switched off: grants and the compiled predicate are all there is."""
    return _with_scratch_tables(postgres_server, "predicate_alone", apart, WITHOUT_ROW_SECURITY)


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
    """An empty database with the scratch tables beside the product's. A third kind is PREDICATE_ALONE."""
    if database_kind == "sqlite":
        return sqlite_database(request.getfixturevalue("scratch_template"), tmp_path)
    database: TestDatabase = request.getfixturevalue(
        "_scratch_postgres" if database_kind == "postgresql" else "_predicate_alone"
    )
    await database.empty()
    return database


@pytest.fixture
async def bench(scratch: TestDatabase, open_logins: Callable[[TestDatabase, FrozenClock], Awaitable[Any]]) -> Any:
    """The logins of the scratch database."""
    return await open_logins(scratch, FrozenClock(SystemClock().now()))
