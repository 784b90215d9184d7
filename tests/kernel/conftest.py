"""The logins of a database, opened as a server opens them, and a clock that stands still."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tenantry.app.databases import build_databases
from tenantry.kernel import Settings
from tenantry.kernel.clock import FrozenClock
from tenantry.kernel.database.units import ANONYMOUS, SERVICE, Identity, Unit
from tenantry.kernel.policies import Role
from tenantry.testing import TestDatabase

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
