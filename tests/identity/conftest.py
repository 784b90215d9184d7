"""The stand-in provider tells the time of the application under test, so that its tokens are neither old nor early."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from tenantry import Google, Meter, Plan, Product
from tenantry.kernel.clock import FrozenClock
from tenantry.testing import CALLBACK, START, AppKit, TestDatabase
from tenantry.testing.standins import StandIn, start_identity

Start = Callable[..., Awaitable[AppKit]]

requests = Meter("requests", per="day")


def _product_of(**changes: Any) -> Product:
    values: dict[str, Any] = {
        "sign_in": [Google()],
        "plans": [Plan("free", price=0, limits={requests: 5}, features=["Five requests a day"])],
        "session_lifetime": timedelta(minutes=60),
    }
    return Product("Acme", **{**values, **changes})


@pytest.fixture
def product_of() -> Callable[..., Product]:
    """Makes a product: `product_of(sign_in=[...])`."""
    return _product_of


@pytest.fixture(scope="session")
def shared_clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture(scope="session")
def identity_provider(shared_clock: FrozenClock) -> Iterator[StandIn]:
    with start_identity(redirect_uris=[CALLBACK], now=shared_clock.now) as provider:
        yield provider


@pytest.fixture
async def start(database: TestDatabase, identity_provider: StandIn, shared_clock: FrozenClock) -> AsyncIterator[Start]:
    """The application, started by the test: call it with a product and settings, both optional."""
    identity_provider.clear()
    shared_clock.set(START)
    async with AsyncExitStack() as stack:

        async def begin(product: Product | None = None, **settings: Any) -> AppKit:
            values = {"identity": identity_provider, "clock": shared_clock, **settings}
            return await stack.enter_async_context(AppKit.start(product or _product_of(), database, **values))

        yield begin


@pytest.fixture
async def kit(start: Start) -> AppKit:
    return await start()
