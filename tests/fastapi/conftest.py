"""Somebody's FastAPI application with the small product mounted in it: `own` starts one, `Own` is it running."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

import tenantry
from tenantry import Burst, Google, Meter, Plan, Product, Settings
from tenantry.kernel.clock import Clock, FrozenClock
from tenantry.testing import PUBLIC_URL, START, AppKit, TestDatabase

requests, jobs = Meter("requests", per="day"), Meter("jobs", per="month")
PLANS = [Plan("free", price=0, limits={requests: 10, jobs: 100}, burst=Burst(1000))]


@dataclass(frozen=True, slots=True)
class Own:
    """Their application, the product's, and a kit to browse both."""

    app: FastAPI
    product_app: FastAPI
    kit: AppKit

    async def client(self, **headers: str) -> httpx2.AsyncClient:
        return await self.kit.client(**headers)

    async def sign_in(self, person: str = "ada") -> httpx2.AsyncClient:
        return await self.kit.sign_in(person)

    async def used(self, client: httpx2.AsyncClient, meter: str = "requests") -> int:
        items = (await client.get("/v1/me/usage")).json()["items"]
        return sum(item["used"] for item in items if item["meter"] == meter)


StartOwn = Callable[..., Awaitable[Own]]


@pytest.fixture
async def own(database: TestDatabase, identity_provider: Any, provider_clock: Any) -> AsyncIterator[StartOwn]:
    """To be awaited with their application, and with settings and `modules` as keywords."""
    identity_provider.clear()
    provider_clock.clock = clock = FrozenClock(START)
    await database.freeze(START)
    async with AsyncExitStack() as stack:

        async def begin(app: FastAPI, *, modules: Any = (), **settings: Any) -> Own:
            values: dict[str, Any] = {
                "database_url": database.api_url,
                "service_url": database.service_url,
                "public_url": PUBLIC_URL,
                "secret_keys": ("test-key-of-forty-characters-0123456789ab",),
                "demo_issuer": identity_provider.url,
                **settings,
            }
            product = Product("Acme", sign_in=[Google()], plans=PLANS, modules=modules)
            ports = {Clock: clock}
            inner = tenantry.create_app(product, Settings(**values), worker=False, log_requests=False, ports=ports)
            tenantry.mount(app, inner)
            await stack.enter_async_context(app.router.lifespan_context(app))
            return Own(app, inner, AppKit(app, clock, database, identity_provider, stack))

        yield begin
        await database.freeze(None)
