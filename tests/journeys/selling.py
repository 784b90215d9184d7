"""A server that sells through the stand-in payment provider, whose events a test carries: late, twice, shuffled."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest

from journeys.selling_product import product
from tenantry.blueprints import load
from tenantry.testing import Server, TestDatabase, environment_of, serve
from tenantry.testing.standins import start_billing
from tenantry.testing.standins.billing import BillingStandIn
from tenantry.testing.standins.billing_events import Sent

DECLARATION = Path(__file__).with_name("selling_product.py")
SECRET = "journeys-secret-of-forty-characters-0123456789"
TRIES = 200
UNSETTLED = "SELECT count(*) FROM billing_events WHERE status IN ('received', 'waiting')"
DEAD = "SELECT event, last_error FROM billing_events WHERE status = 'dead'"


@dataclass
class Sale:
    """The server and the provider. Nothing gets from there to here but by `carry()`."""

    server: Server
    shop: BillingStandIn
    database: TestDatabase
    carried: list[Sent] = field(default_factory=list)

    def carry(self, *, shuffled: int | None = None, times: int = 1) -> int:
        """Carry what has happened since, each so many times; answers how many events that were."""
        found = self.shop.take()
        self.carried += found
        post(self.server, found * times, shuffled=shuffled)
        return len(found)

    def carry_again(self, *, shuffled: int) -> None:
        """Carry everything once more."""
        post(self.server, self.carried, shuffled=shuffled)

    def settle(self) -> None:
        """Wait until everything that was carried is worked on; nothing of it may have died."""
        until(lambda: asked(self.database, UNSETTLED), [(0,)])
        assert asked(self.database, DEAD) == []

    @property
    def bought(self) -> str:
        """The provider's id of the newest subscription."""
        named = [one.object_id for one in self.shop.events if one.kind == "subscription"]
        return named[-1]


def post(server: Server, events: list[Sent], *, shuffled: int | None = None) -> None:
    """Tell a server of events, as a provider would."""
    if shuffled is not None:
        events = random.Random(shuffled).sample(events, len(events))
    for one in events:
        answer = httpx2.post(f"{server.url}/webhooks/fake", content=one.body, headers=one.headers, timeout=20)
        assert answer.status_code == 204, answer.text


@contextmanager
def selling_twice(database: TestDatabase, folder: Path) -> Iterator[tuple[BillingStandIn, Callable[[], Any]]]:
    """The provider, and what starts one server after another on one database, each in a `with` block."""
    with start_billing(product) as shop:

        def begin() -> Any:
            own = folder / f"server-{time.monotonic_ns()}"
            own.mkdir()
            given = {"TENANTRY_DEMO_BILLING": shop.url, "TENANTRY_SECRET_KEYS": SECRET, **environment_of(database)}
            return serve(own, str(DECLARATION), **given)

        yield shop, begin


@contextmanager
def selling(database: TestDatabase, folder: Path, blueprint: str | None = None) -> Iterator[Sale]:
    """Run the product, or a blueprint with all that is for sale beside its plans, until the block ends."""
    declared = load(blueprint) if blueprint else product
    with (
        start_billing(declared) as shop,
        serve(
            folder, blueprint or str(DECLARATION), TENANTRY_DEMO_BILLING=shop.url, **environment_of(database)
        ) as server,
    ):
        if blueprint:
            shop.sell_goods(declared)
        yield Sale(server, shop, database)


def asked(database: TestDatabase, sql: str, *, by: str | None = None) -> list[tuple[Any, ...]]:
    """Rows as they stand in the database, past the server. `by`: the address of another login on PostgreSQL."""
    if database.owner_url is None:
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"), timeout=10)) as file, file:
            return file.execute(sql).fetchall()

    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(by or database.owner_url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    # In a thread of its own: the browser has an event loop of its own in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, fetch()).result()


def until(read: Callable[[], Any], wanted: Any) -> None:
    """Wait for a state; it is there soon, and no speed is asserted."""
    for _ in range(TRIES):
        if (found := read()) == wanted:
            return
        time.sleep(0.05)
    pytest.fail(f"still {found}, not {wanted}")


def plan_of(client: httpx2.Client) -> str:
    """The plan in force for who is signed in."""
    name: str = client.get("/v1/me").json()["plan"]["name"]
    return name
