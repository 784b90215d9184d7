"""The logins of a database, opened as a server opens them, and a clock that stands still."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import CheckConstraint, insert

from tenantry.app.databases import build_databases
from tenantry.kernel import Settings, new_id
from tenantry.kernel.clock import FrozenClock
from tenantry.kernel.database import Base, statement
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.types import Bytes, Flag, Id, Json, UtcDateTime, Whole, Words
from tenantry.kernel.database.units import ANONYMOUS, SERVICE, Identity, Unit
from tenantry.kernel.policies import Role
from tenantry.testing import PostgresServer, TestDatabase, postgres_database

# What its tests share: `from kernel.hearing import ...`.
sys.path.append(str(Path(__file__).parents[1]))

ADA, EVE = UUID(int=1), UUID(int=2)
START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Logins:
    """`api` and `service` as a server has them; on SQLite they are one."""

    kind: str
    api: Any
    service: Any
    database: TestDatabase

    def user(self, user: UUID, *organizations: UUID, writes: bool = False) -> Unit:
        """A unit of work as a signed-in user."""
        unit: Unit = self.api.unit(Identity(Role.AUTHENTICATED, user, organizations), writes=writes)
        return unit

    def anonymous(self) -> Unit:
        """A reading unit of a stranger."""
        unit: Unit = self.api.unit(ANONYMOUS, writes=False)
        return unit

    def serving(self, *, writes: bool = True) -> Unit:
        """A unit of work on the service login."""
        unit: Unit = self.service.unit(SERVICE, writes=writes)
        return unit

    async def serve(self, statement: Any, **given: Any) -> list[Any]:
        """Run one statement on the service login and commit."""
        unit = self.serving()
        try:
            rows = await unit.rows(statement, **given)
        except BaseException:
            await unit.rollback()
            raise
        await unit.commit()
        return rows


@pytest.fixture
async def clock(database: TestDatabase) -> AsyncIterator[FrozenClock]:
    """Stands at START, in PostgreSQL too."""
    await database.freeze(START)
    yield FrozenClock(START)
    await database.freeze(None)


Open = Callable[[TestDatabase, FrozenClock], Awaitable[Logins]]


@pytest.fixture
async def open_logins() -> AsyncIterator[Open]:
    """Open the logins of any database; they are closed after the test."""
    async with AsyncExitStack() as stack:

        async def begin(database: TestDatabase, clock: FrozenClock) -> Logins:
            settings = Settings(
                database_url=database.api_url, service_url=database.service_url, pool_size=4, pool_timeout_seconds=5
            )
            api, service = build_databases(settings, clock)
            for login in {id(one): one for one in (api, service)}.values():
                await login.open()
                stack.push_async_callback(login.close)
            return Logins(database.kind, api, service, database)

        yield begin


@pytest.fixture
async def logins(database: TestDatabase, clock: FrozenClock, open_logins: Open) -> Logins:
    """The logins of the migrated database."""
    return await open_logins(database, clock)


def in_a_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end from a fixture without a loop: a test's event loop may be running in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def apart() -> Callable[[Coroutine[Any, Any, None]], None]:
    return in_a_thread


class People:
    """Gives each person a row in every table, made from what the tables say about themselves.

    It follows foreign keys to the person's own rows, CHECKs of words and lengths, and owner columns by their names: the
    organization of a person has the person's id. A table it cannot fill fails the test: teach `_value` its kind of
    column.
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
        wanted = [one for one in Base.metadata.tables[name].c if one.identity or not one.server_default]
        return {one.name: self._value(one, person) for one in wanted if not one.nullable or one.name in OWNERS}

    def raw(self, name: str, values: dict[str, Any]) -> list[Any]:
        """The values as a bare asyncpg connection takes them."""
        columns = Base.metadata.tables[name].c
        return [json.dumps(value) if isinstance(columns[one].type, Json) else value for one, value in values.items()]

    def _value(self, column: Any, person: UUID) -> Any:
        for key in column.foreign_keys:
            if key.column.table is column.table:
                continue
            parent = self._rows.get((key.column.table.name, person))
            return parent[key.column.name] if parent else person
        if column.identity:
            return person.int
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


OWNERS = {"user_id", "actor_id", "owner_id", "holder_id"}


def _text(name: str, rules: list[str]) -> str:
    for rule in rules:
        if words := re.match(rf"{name} IN \('([^']+)'", rule):
            return words[1]
    longest = min(
        [int(found[1]) for rule in rules if (found := re.match(rf"length\({name}\) BETWEEN \d+ AND (\d+)", rule))]
        or [60]
    )
    return f"{new_id().hex[::-1]}@example.com"[:longest]


@pytest.fixture
def people() -> People:
    """For a test that fills a database of its own."""
    return People()


@pytest.fixture(scope="session")
def victims() -> People:
    """Who lives in `attacked`."""
    return People()


@pytest.fixture(scope="session")
def attacked(postgres_server: PostgresServer, victims: People, apart: Any) -> TestDatabase:
    """Ada and Eve have a row in every table. No test here leaves a change behind."""
    database = postgres_database(postgres_server, "attacked")

    async def fill() -> None:
        service = PostgresDatabase(database.service_url)
        await service.open()
        await victims.fill(service.unit(SERVICE, writes=True), ADA, EVE)
        await service.close()

    apart(fill())
    return database


Connect = Callable[[str], Awaitable[asyncpg.Connection]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """A bare connection of the driver, with nothing of ours in between; closed after the test."""
    async with AsyncExitStack() as stack:

        async def begin(url: str) -> asyncpg.Connection:
            connection = await asyncpg.connect(url, statement_cache_size=0)
            stack.push_async_callback(connection.close)
            return connection

        yield begin


@pytest.fixture
async def api(attacked: TestDatabase, connect: Connect) -> asyncpg.Connection:
    """The API login itself."""
    return await connect(attacked.api_url)
