"""What a compiled read costs beside the bare driver and beside an ORM session: CPU of the calling process.

The bare driver runs the very SQL the unit runs, with the same arguments, on a pool without a reset. "into rows" is the
driver with the same conversions and the same row structs, written out by hand: the least anyone could spend.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from bench import orm, world
from bench.measure import Row
from bench.rounds import Operation, compare, ratios
from tenantry.kernel.database import Statement, Unit
from tenantry.kernel.database.compiling import Compiled
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.sqlite import SqliteDatabase
from tenantry.kernel.policies import Role

PEOPLE, WHO = 1_000, 7
TARGETS = {"bare driver": "≤ 1.6", "bare, no pool": "", "bare, into rows": "", "ORM session": "≤ 0.35"}
_decode = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class Read:
    """One question: our statement with what it is given, the ORM's, and the bare driver's values."""

    name: str
    statement: Statement[world.Note]
    given: dict[str, UUID]
    of_orm: Any
    arguments: tuple[Any, ...]


READS = (
    Read(
        "one by id",
        world.BY_ID,
        {"note": world.note_of(WHO)},
        orm.one(WHO),
        (world.person(WHO), world.note_of(WHO)),
    ),
    Read("list of 20", world.NEWEST, {}, orm.newest(WHO), (world.person(WHO), world.NOTES_EACH, 0)),
)


async def run() -> list[Row]:
    """Both reads on both databases."""
    found = []
    async with world.sqlite(PEOPLE) as file:
        orm.fill(create_engine(f"sqlite:///{file.path}"), PEOPLE // 4)
        for read in READS:
            found += await _measured("SQLite", read, {**_through_unit(file, read), **_sqlite_limits(file, read)})
    with world.postgres_server() as server:
        async with world.postgres(server, PEOPLE) as database:
            await _fill(database)
            for read in READS:
                async with _asyncpg_limits(database, read) as limits:
                    found += await _measured("PostgreSQL", read, {**_through_unit(database.api, read), **limits})
    return found


async def _fill(database: world.Server) -> None:
    engine = create_async_engine(database.owner_url.replace("postgresql:", "postgresql+asyncpg:", 1))
    await orm.fill_async(engine, PEOPLE // 4)
    async with engine.connect() as connection:
        await connection.execute(text("GRANT SELECT ON bench_plain_notes TO bench_bare"))
        await connection.commit()
    await engine.dispose()


async def _measured(database: str, read: Read, ways: dict[str, Operation]) -> list[Row]:
    times = 1_000 if database == "SQLite" else 500
    found = await compare(ways, times=times)
    targets = {name: target for name, target in TARGETS.items() if name in found}
    return ratios(found, "unit", targets, title=f"{database}, {read.name}")


def _through_unit(database: SqliteDatabase | PostgresDatabase, read: Read) -> dict[str, Operation]:
    who = world.as_person(WHO)

    async def unit() -> list[world.Note]:
        working: Unit = database.unit(who, writes=False)
        rows = await working.rows(read.statement, **read.given)
        await working.rollback()
        return rows

    return {"unit": unit}


def _compiled(database: SqliteDatabase | PostgresDatabase, read: Read) -> tuple[Compiled, list[Any]]:
    compiled = read.statement.compiled(database.kind, Role.AUTHENTICATED)
    return compiled, compiled.arguments({**read.given, "_user_id": world.person(WHO), "_organization_ids": ()})


def _sqlite_limits(database: SqliteDatabase, read: Read) -> dict[str, Operation]:
    compiled, arguments = _compiled(database, read)
    execute: Callable[..., Any] = database.connect().execute
    engine = create_engine(f"sqlite:///{database.path}")

    async def bare() -> list[Any]:
        return list(execute(compiled.sql, arguments).fetchall())

    async def into_rows() -> list[world.Note]:
        given = [str(one) if isinstance(one, UUID) else one for one in read.arguments]
        return [
            world.Note(msgspec.convert(row[0], UUID), row[1], row[2], _decode(row[3]), datetime.fromisoformat(row[4]))
            for row in execute(compiled.sql, given).fetchall()
        ]

    async def session() -> list[orm.PlainNotes]:
        with Session(engine) as opened:
            return list(opened.scalars(read.of_orm))

    return {"bare driver": bare, "bare, into rows": into_rows, "ORM session": session}


@asynccontextmanager
async def _asyncpg_limits(database: world.Server, read: Read) -> AsyncIterator[dict[str, Operation]]:
    compiled, arguments = _compiled(database.api, read)
    arguments.append(world.as_person(7).claims())
    sql = compiled.bound_sql
    options: dict[str, Any] = {"min_size": 1, "connection_class": Unreset}
    engine = create_async_engine(database.bare_url.replace("postgresql:", "postgresql+asyncpg:", 1))
    async with (
        asyncpg.create_pool(database.api.url, **options) as raw,
        asyncpg.create_pool(database.api.url, **options, init=_decode_json) as decoding,
        raw.acquire() as held,
    ):

        async def bare() -> list[Any]:
            async with raw.acquire() as connection:
                rows: list[Any] = await connection.fetch(sql, *arguments)
                return rows

        async def without_pool() -> list[Any]:
            rows: list[Any] = await held.fetch(sql, *arguments)
            return rows

        async def into_rows() -> list[world.Note]:
            async with decoding.acquire() as connection:
                return [world.Note(*row) for row in await connection.fetch(sql, *arguments)]

        async def session() -> list[orm.PlainNotes]:
            # Row level security does not apply to this login: the session binds nobody, and asks for its rows itself.
            async with AsyncSession(engine) as opened:
                return list(await opened.scalars(read.of_orm))

        yield {"bare driver": bare, "bare, no pool": without_pool, "bare, into rows": into_rows, "ORM session": session}
    await engine.dispose()


class Unreset(asyncpg.Connection):  # type: ignore[misc]
    def get_reset_query(self) -> str:
        return ""


async def _decode_json(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=bytes, decoder=lambda data: _decode(data[1:])
    )
