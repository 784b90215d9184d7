"""What a compiled read costs beside the bare driver and beside an ORM session: CPU of the calling process.

The bare driver runs the very SQL the unit runs, with the same arguments, on a pool without a reset. "into rows" is the
driver with the same conversions and the same row structs, written out by hand: the least anyone could spend.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from bench import world
from bench.measure import Row
from bench.rounds import Operation, compare, ratios
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.database.units import Unit
from tenantry.kernel.policies import Role

PEOPLE = 1_000
LIMITS = {"bare driver": "≤ 1.6", "bare driver into rows": "", "ORM session": "≤ 0.35"}
_decode = msgspec.json.decode

Read = tuple[str, Any, dict[str, Any]]
POINT: Read = ("one by id", world.BY_ID, {"note": world.note_of(7)})
LIST: Read = ("list of 20", world.NEWEST, {})


async def run() -> list[Row]:
    """Both reads on both databases."""
    found = []
    async with world.sqlite(PEOPLE) as file:
        for read in (POINT, LIST):
            found += await _measured("SQLite", read, {**_through_unit(file, read), **_sqlite_limits(file, read)})
    with world.postgres_server() as server:
        async with world.postgres(server, PEOPLE) as database:
            for read in (POINT, LIST):
                async with _asyncpg_limits(database, read) as limits:
                    found += await _measured("PostgreSQL", read, {**_through_unit(database.api, read), **limits})
    return found


async def _measured(database: str, read: Read, ways: dict[str, Operation]) -> list[Row]:
    times = 1_000 if database == "SQLite" else 500
    found = await compare(ways, times=times)
    return ratios(found, "unit", LIMITS, title=f"{database}, {read[0]}")


def _through_unit(database: SqliteDatabase | PostgresDatabase, read: Read) -> dict[str, Operation]:
    who = world.as_person(7)

    async def unit() -> list[Any]:
        working: Unit = database.unit(who, writes=False)
        rows = await working.rows(read[1], **read[2])
        await working.rollback()
        return rows

    return {"unit": unit}


def _compiled(database: SqliteDatabase | PostgresDatabase, read: Read) -> tuple[Any, list[Any]]:
    who = world.as_person(7)
    compiled = read[1].compiled(database.kind, Role.AUTHENTICATED)
    given = {**read[2], "_user_id": who.user_id, "_organization_ids": ()}
    return compiled, compiled.arguments(given)


def _sqlite_limits(database: SqliteDatabase, read: Read) -> dict[str, Operation]:
    compiled, arguments = _compiled(database, read)
    run_sql: Callable[..., Any] = database.connect().execute
    engine = create_engine(f"sqlite:///{database.path}")

    async def bare() -> list[Any]:
        return list(run_sql(compiled.sql, arguments).fetchall())

    async def into_rows() -> list[world.Note]:
        return [
            world.Note(
                msgspec.convert(row[0], UUID), row[1], row[2], _decode(row[3]), datetime.fromisoformat(row[4])
            )
            for row in run_sql(compiled.sql, arguments).fetchall()
        ]

    async def orm() -> list[world.Notes]:
        with Session(engine) as session:
            return list(session.scalars(_orm_statement(read)))

    return {"bare driver": bare, "bare driver into rows": into_rows, "ORM session": orm}


class _asyncpg_limits:  # noqa: N801 - used like a function
    """The three limits on PostgreSQL; their pools are closed at the end."""

    def __init__(self, database: world.Server, read: Read) -> None:
        self._database = database
        self._read = read

    async def __aenter__(self) -> dict[str, Operation]:
        compiled, arguments = _compiled(self._database.api, self._read)
        arguments.append(world.as_person(7).claims())
        url = self._database.api.url
        self._raw = await asyncpg.create_pool(url, min_size=1, connection_class=_Unreset)
        self._decoding = await asyncpg.create_pool(url, min_size=1, connection_class=_Unreset, init=_decode_json)
        # Not under row level security: the session binds nobody. It asks for the same rows by itself.
        self._engine = create_async_engine(self._database.bare_url.replace("postgresql:", "postgresql+asyncpg:", 1))

        async def bare() -> list[Any]:
            async with self._raw.acquire() as connection:
                rows: list[Any] = await connection.fetch(compiled.bound_sql, *arguments)
                return rows

        async def into_rows() -> list[world.Note]:
            async with self._decoding.acquire() as connection:
                return [world.Note(*row) for row in await connection.fetch(compiled.bound_sql, *arguments)]

        async def orm() -> list[world.Notes]:
            async with AsyncSession(self._engine) as session:
                return list(await session.scalars(_orm_statement(self._read)))

        return {"bare driver": bare, "bare driver into rows": into_rows, "ORM session": orm}

    async def __aexit__(self, *_error: object) -> None:
        await self._raw.close()
        await self._decoding.close()
        await self._engine.dispose()


class _Unreset(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        return ""


async def _decode_json(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=bytes, decoder=lambda data: _decode(data[1:])
    )


def _orm_statement(read: Read) -> Any:
    mine = select(world.Notes).where(world.Notes.user_id == world.person(7))
    if read is POINT:
        return mine.where(world.Notes.id == read[2]["note"])
    return mine.order_by(world.Notes.created_at.desc()).limit(world.NOTES_EACH)
