"""Every test that touches data runs on both databases: ask for `database` (addresses) or `start` (the application)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tenantry import Google, Meter, Plan, Product
from tenantry.kernel.clock import Clock, SystemClock
from tenantry.kernel.database.units import Unit
from tenantry.testing import (
    CALLBACK,
    AppKit,
    PostgresServer,
    TestDatabase,
    postgres_database,
    sqlite_database,
    sqlite_template,
    start_postgres,
)
from tenantry.testing.standins import StandIn, start_identity

Start = Callable[..., Awaitable[AppKit]]

requests = Meter("requests", per="day")


def small_product(**changes: Any) -> Product:
    """Two plans, one meter, one way in; what most tests need."""
    values: dict[str, Any] = {
        "sign_in": [Google()],
        "plans": [
            Plan("free", price=0, limits={requests: 5}, features=["Five requests a day"]),
            Plan("pro", price=900, limits={requests: 50}),
        ],
    }
    return Product("Acme", **{**values, **changes})


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _postgres(postgres_server: PostgresServer) -> TestDatabase:
    return postgres_database(postgres_server, "tenantry_test")


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_template(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def database(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> TestDatabase:
    """An empty, migrated database, on SQLite and on PostgreSQL."""
    if database_kind == "sqlite":
        return sqlite_database(request.getfixturevalue("_sqlite"), tmp_path)
    found: TestDatabase = request.getfixturevalue("_postgres")
    # In a thread of its own: a browser test has an event loop of its own in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, found.empty()).result()
    return found


class FollowedClock:
    """The provider lives longer than a test; it tells the time of the application that runs now."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()

    def now(self) -> datetime:
        return self.clock.now()


@pytest.fixture(scope="session")
def provider_clock() -> FollowedClock:
    return FollowedClock()


@pytest.fixture(scope="session")
def identity_provider(provider_clock: FollowedClock) -> Iterator[StandIn]:
    """The stand-in OpenID Connect provider, over real HTTP on loopback."""
    with start_identity(redirect_uris=[CALLBACK], now=provider_clock.now) as provider:
        yield provider


@pytest.fixture
async def start(
    database: TestDatabase, identity_provider: StandIn, provider_clock: FollowedClock
) -> AsyncIterator[Start]:
    """What starts the application: a product (the small one without), and settings as keywords."""
    identity_provider.clear()
    async with AsyncExitStack() as stack:

        async def begin(product: Product | None = None, **settings: Any) -> AppKit:
            values = {"identity": identity_provider, **settings}
            kit = await stack.enter_async_context(AppKit.start(product or small_product(), database, **values))
            provider_clock.clock = kit.clock
            return kit

        yield begin


@pytest.fixture
async def kit(start: Start) -> AppKit:
    """The small product, running."""
    return await start()


class Counting:
    """A database that remembers the units it opened."""

    def __init__(self, database: Any, units: list[Unit]) -> None:
        self._database = database
        self._units = units

    def unit(self, *args: Any, **kwargs: Any) -> Unit:
        unit = self._database.unit(*args, **kwargs)
        self._units.append(unit)
        return unit


@pytest.fixture
def statements() -> Callable[..., Any]:
    """Counts the statements on both logins; what the block is given answers how many there were."""

    @contextmanager
    def counting(kit: AppKit) -> Iterator[Callable[[], int]]:
        units: list[Unit] = []
        runtime = kit.runtime
        counted = replace(runtime, api=Counting(runtime.api, units), service=Counting(runtime.service, units))
        kit.app.state.runtime = counted
        try:
            yield lambda: sum(unit.statements for unit in units)
        finally:
            kit.app.state.runtime = runtime

    return counting
