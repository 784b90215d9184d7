"""The blueprint on a stand-in exchange, and a count of the statements that a request runs."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from tenantry import Product
from tenantry.blueprints.crypto_data import product
from tenantry.kernel.database.units import Unit
from tenantry.testing import AppKit
from tenantry.testing.standins import StandIn, start_binance

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Counting:
    """A database that remembers the units it opened."""

    def __init__(self, database: Any, units: list[Unit]) -> None:
        self._database = database
        self._units = units

    def unit(self, *args: Any, **kwargs: Any) -> Unit:
        unit = self._database.unit(*args, **kwargs)
        self._units.append(unit)
        return unit


@pytest.fixture(scope="session")
def exchange() -> Iterator[StandIn]:
    with start_binance() as running:
        yield running


@pytest.fixture
async def coinlens(start: Callable[..., Awaitable[AppKit]], exchange: StandIn) -> AppKit:
    """The blueprint, running; its prices come from the stand-in exchange."""
    exchange.clear()
    return await start(product, binance_base_url=exchange.url)


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


@pytest.fixture
def words() -> Callable[[Any], str]:
    """What a reader reads of a page: its text, without markup and doubled spaces."""
    return lambda page: " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text.partition("<body")[2])).split())


@pytest.fixture
def browse() -> Callable[..., Awaitable[Any]]:
    """A browser that asks for pages, with a person signed in or with nobody."""

    async def opened(kit: AppKit, person: str | None = None, **headers: str) -> Any:
        client = await kit.client(**HTML, **headers)
        return await kit.sign_in(person, client=client) if person else client

    return opened


@pytest.fixture
def coinlens_product() -> Product:
    return product
