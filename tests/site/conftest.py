"""The blueprint on a stand-in exchange."""

import re
from collections.abc import Awaitable, Callable, Iterator
from html import unescape
from typing import Any

import pytest

from tenantry import Product
from tenantry.blueprints.crypto_data import product
from tenantry.testing import AppKit
from tenantry.testing.standins import StandIn, start_binance

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


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
