"""One product under test: the real application on a real database, a clock that stands still, and people who sign in.

async with AppKit.start(product, database) as kit:
ada = await kit.sign_in("ada")
answer = await ada.get("/v1/me/usage")
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from fastapi import FastAPI

from tenantry.app import create_app
from tenantry.kernel import Context, Settings
from tenantry.kernel.clock import Clock, FrozenClock
from tenantry.kernel.context import system_context
from tenantry.kernel.jobs import run_due
from tenantry.kernel.runtime import Runtime
from tenantry.kernel.trust import trusted
from tenantry.product import Product

from .databases import TestDatabase
from .standins import StandIn

PUBLIC_URL = "http://127.0.0.1:8000"
CALLBACK = f"{PUBLIC_URL}/auth/demo/callback"
START = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class AppKit:
    """The running application. `client()` is a browser nobody is signed in with."""

    app: FastAPI
    clock: FrozenClock
    database: TestDatabase
    identity: StandIn | None
    _stack: AsyncExitStack = field(repr=False)

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        product: Product,
        database: TestDatabase,
        *,
        identity: StandIn | None = None,
        clock: FrozenClock | None = None,
        ports: Mapping[type, object] | None = None,
        **settings: Any,
    ) -> AsyncIterator[Self]:
        """Start the application; further keywords are settings, and `ports` stand in place of built ones.

        Jobs run only when the test says so.
        """
        clock = clock or FrozenClock(START)
        await database.freeze(clock.now())
        values: dict[str, Any] = {
            "database_url": database.api_url,
            "service_url": database.service_url,
            "public_url": PUBLIC_URL,
            "secret_keys": ("test-key-of-forty-characters-0123456789ab",),
            "demo_issuer": identity.url if identity else None,
            **settings,
        }
        given: dict[type, object] = {Clock: clock, **(ports or {})}
        app = create_app(product, Settings(**values), worker=False, log_requests=False, ports=given)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(app.router.lifespan_context(app))
            try:
                yield cls(app, clock, database, identity, stack)
            finally:
                await database.freeze(None)

    @property
    def runtime(self) -> Runtime:
        """What the application is made of."""
        runtime: Runtime = self.app.state.runtime
        return runtime

    @property
    def system(self) -> Context:
        """A context as a job has it: `async with kit.system.service() as ctx`."""
        return system_context(self.runtime)

    async def client(self, **headers: str) -> httpx2.AsyncClient:
        """A browser of its own: cookies are kept, redirects are not followed, its origin is the site's."""
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app, client=("127.0.0.1", 50_000)),
            base_url=PUBLIC_URL,
            headers={"Origin": PUBLIC_URL, **headers},
        )
        return await self._stack.enter_async_context(client)

    async def sign_in(self, person: str, *, client: httpx2.AsyncClient | None = None) -> httpx2.AsyncClient:
        """Really sign a person of the stand-in provider in; answers the browser that holds the session."""
        client = client or await self.client()
        landed = await self.finish_sign_in(client, person, await client.get("/auth/demo/start"))
        if landed.status_code != 303 or "session" not in " ".join(client.cookies.keys()):
            msg = f"sign-in as {person} ended with {landed.status_code}: {landed.text[:500]}"
            raise AssertionError(msg)
        return client

    async def finish_sign_in(
        self, client: httpx2.AsyncClient, person: str, started: httpx2.Response
    ) -> httpx2.Response:
        """Go on from the redirect of `/auth/demo/start`: consent at the provider, then our callback's answer."""
        return await client.get(await self.consent(person, started))

    async def consent(self, person: str, started: httpx2.Response) -> str:
        """Let a person consent at the provider; answers the path of our callback with its query."""
        async with httpx2.AsyncClient(verify=trusted()) as provider:
            consented = await provider.get(started.headers["location"] + f"&login_hint={person}")
        back = urlsplit(consented.headers["location"])
        return f"{back.path}?{back.query}"

    async def move(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move the clock of the application and of the database."""
        now = self.clock.move(by, **parts)
        await self.database.freeze(now)
        return now

    async def set_time(self, at: datetime) -> None:
        """Set both clocks."""
        self.clock.set(at)
        await self.database.freeze(at)

    async def run_jobs(self) -> int:
        """Run the jobs that are due until there are none; answers how many ran."""
        total = 0
        while ran := await run_due(self.runtime):
            total += ran
        return total
