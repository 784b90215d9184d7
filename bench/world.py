"""What the benches read and write: people with twenty notes each, on SQLite and on PostgreSQL."""

import asyncio
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import asyncpg
import msgspec
from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.schema import CreateIndex, CreateTable

from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database import Base, column, id_column, param, statement
from tenantry.kernel.database.compiling import dialect_for
from tenantry.kernel.database.guards import table_guards
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.types import Id, Json, UtcDateTime, Words
from tenantry.kernel.database.units import Identity
from tenantry.kernel.policies import Policy, Rights, Role, own
from tenantry.testing import PostgresServer, postgres_database, sqlite_database, sqlite_template, start_postgres

NOTES_EACH = 20
_SPACE = UUID("6e5f1c1e-2f0c-4a52-9c1b-0b8f0f3f7c11")
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Notes(Base):
    """One column of each common kind; read by its owner only."""

    __tablename__ = "bench_notes"
    __policy__ = Policy(authenticated=Rights(read=own()))

    id = id_column()
    user_id = column(Id(), ForeignKey("users.id"))
    title = column(Words())
    body = column(Words())
    details = column(Json())
    created_at = column(UtcDateTime())

    __table_args__ = (Index("ix_bench_notes_newest", "user_id", "created_at"),)


class Note(msgspec.Struct, frozen=True):
    """A row of `Notes`."""

    id: UUID
    title: str
    body: str
    details: dict[str, Any]
    created_at: datetime


_COLUMNS = (Notes.id, Notes.title, Notes.body, Notes.details, Notes.created_at)

BY_ID = statement(select(*_COLUMNS).where(Notes.id == param("note")), Note)
NEWEST = statement(select(*_COLUMNS).order_by(Notes.created_at.desc()).limit(NOTES_EACH), Note)


def person(n: int) -> UUID:
    """The n-th user's id, 0-based."""
    return uuid5(_SPACE, f"user {n}")


def note_of(n: int, i: int = 0) -> UUID:
    """The id of a user's i-th note."""
    return uuid5(_SPACE, f"note {n} {i}")


def as_person(n: int) -> Identity:
    """The n-th user, signed in."""
    return Identity(Role.AUTHENTICATED, person(n))


def notes(people: int) -> Iterator[tuple[Any, ...]]:
    """Everybody's notes, as values of Python, in the order of the table's columns."""
    details = {"tags": ["first", "second"], "pinned": False, "words": 80}
    for n, i in itertools.product(range(people), range(NOTES_EACH)):
        at = _BEGIN + timedelta(minutes=n + i * 1_000)
        yield note_of(n, i), person(n), f"Note {i} of {n}", "word " * 80, details, at


@dataclass(frozen=True, slots=True)
class Server:
    """A migrated PostgreSQL database; `bare_url` is a login that row level security does not apply to."""

    api: PostgresDatabase
    service: PostgresDatabase
    bare_url: str
    owner_url: str
    pid: int

    @property
    def processes(self) -> list[int]:
        """The server's processes of now: one a connection, and its own."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]

    @asynccontextmanager
    async def api_connection(self) -> AsyncIterator[Any]:
        """A connection of the API login, outside its pool, that is as every unit finds it."""
        connection = await asyncpg.connect(self.api.url)
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def sqlite(people: int) -> AsyncIterator[SqliteDatabase]:
    """A migrated SQLite file with everybody's notes, committed as in production."""
    with tempfile.TemporaryDirectory() as folder:
        made = sqlite_database(sqlite_template(Path(folder)), Path(folder))
        database = SqliteDatabase(Path(made.api_url.removeprefix("sqlite:///")), SystemClock())
        await database.open()
        try:
            connection: Any = database.writer
            connection.execute("BEGIN")
            for sql in _definition("sqlite"):
                connection.execute(sql)
            connection.executemany("INSERT INTO users (id, email) VALUES (?, ?)", _text_rows(_people(people)))
            connection.executemany("INSERT INTO bench_notes VALUES (?, ?, ?, ?, ?, ?)", _text_rows(notes(people)))
            connection.execute("COMMIT")
            connection.execute("ANALYZE")
            yield database
        finally:
            await database.close()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server with the disk settings of production."""
    with start_postgres(durable=True) as server:
        yield server


@asynccontextmanager
async def postgres(server: PostgresServer, people: int, *, pool: int = 10) -> AsyncIterator[Server]:
    """A migrated database with everybody's notes, its two logins open."""
    made = postgres_database(server, "bench")
    owner = await asyncpg.connect(made.owner_url)
    try:
        for sql in _definition("postgresql"):
            await owner.execute(sql)
        await owner.copy_records_to_table("users", columns=("id", "email"), records=_people(people))
        await owner.copy_records_to_table("bench_notes", records=_json_rows(notes(people)))
        for sql in ("VACUUM ANALYZE", "CREATE ROLE bench_bare LOGIN BYPASSRLS PASSWORD 'bare'"):
            await owner.execute(sql)
        await owner.execute("GRANT CONNECT ON DATABASE bench TO bench_bare")
        await owner.execute("GRANT USAGE ON SCHEMA public, tenantry TO bench_bare")
        await owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO bench_bare")
    finally:
        await owner.close()
    api = PostgresDatabase(made.api_url, size=pool)
    service = PostgresDatabase(made.service_url or "", size=pool)
    bare = urlsplit(made.api_url)._replace(netloc=f"bench_bare:bare@{server.host}:{server.port}").geturl()
    await asyncio.gather(api.open(), service.open())
    try:
        pid = int((server.data_dir / "postmaster.pid").read_text().split()[0])
        yield Server(api, service, bare, made.owner_url or "", pid)
    finally:
        await asyncio.gather(api.close(), service.close())


def _definition(kind: str) -> list[str]:
    table: Any = Notes.__table__
    dialect = dialect_for(kind, None)
    made: list[Any] = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
    return [*(str(one.compile(dialect=dialect)) for one in made), *table_guards(table, kind)]


def _people(people: int) -> list[tuple[Any, ...]]:
    return [(person(n), f"person{n}@example.com") for n in range(people)]


def _text_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(_text(value) for value in row)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _json_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(json.dumps(value) if isinstance(value, dict) else value for value in row)
