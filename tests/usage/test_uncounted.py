"""PostgreSQL is killed: what is counted is refused, unless its meter says that calls go on without being counted.

An SQLite file is there as long as the process is.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter
from sqlalchemy import insert
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from tenantry import Google, Meter, Module, Plan, Product
from tenantry.holders import by_id, open_for_user
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.context import Actor, Holder, Resolved
from tenantry.kernel.database import param, statement
from tenantry.kernel.runtime import Runtime
from tenantry.testing import AppKit, PostgresServer, postgres_database, start_postgres
from tenantry.usage import Leases, Metered
from tenantry.usage.queries.counters import windows

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_kind", ["postgresql"])]
closed, lenient = Meter("closed"), Meter("lenient", fail_open=True)
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))


class Known:
    """Finds out who asks without a database, as one does who keeps verified keys for a moment."""

    def __init__(self) -> None:
        self.holders: dict[str, Holder] = {}

    async def resolve(self, request: Request, _runtime: Runtime) -> Resolved | None:
        holder = self.holders.get(request.headers.get("x-known", ""))
        return None if holder is None else Resolved(Actor("user", user_id=new_id()), holder)


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def server(database_kind: str) -> Any:
    with start_postgres(durable=True) as server:
        yield server


@pytest.fixture
async def kit(server: PostgresServer, known: Known) -> AsyncIterator[AppKit]:
    app = PlainTextResponse("tile")
    router = APIRouter()
    router.mount("/closed", Metered(app, closed))
    router.mount("/lenient", Metered(app, lenient))
    module = Module("known", routers=[router], resolvers=[known.resolve])
    plans = [Plan("free", price=0, limits={closed: 10, lenient: 10})]
    product = Product("Acme", sign_in=[Google()], plans=plans, modules=[module])
    database = await asyncio.to_thread(postgres_database, server, "killed")
    async with AppKit.start(product, database, google_client_id="x", google_client_secret="x") as kit:
        yield kit


async def test_503_without_a_database_unless_the_meter_fails_open(
    kit: AppKit, known: Known, server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    holder = await new_holder(kit)
    async with kit.system.service(writes=False) as ctx:
        known.holders["ada"] = await by_id(ctx.db, holder)
    ada = await kit.client(**{"x-known": "ada"})
    for path in ("/closed/1", "/lenient/1"):
        assert (await ada.get(path)).headers["X-RateLimit-Remaining"] == "9"
    await kit.runtime.port(Leases).settle()
    await asyncio.to_thread(server.kill)
    try:
        for _ in range(3):
            refused = await ada.get("/closed/1")
            assert (refused.status_code, refused.json()["code"]) == (503, "database.unavailable")
            assert int(refused.headers["Retry-After"]) >= 1
            admitted = await ada.get("/lenient/1")
            assert (admitted.status_code, admitted.text) == (200, "tile")
            assert "ratelimit" not in admitted.headers
        assert 'tenantry_usage_calls_uncounted_total{meter="lenient"} 3.0' in await figures(kit)
        # Said at once, and then not again for every call.
        assert caplog.text.count("usage.admitted_uncounted") == 1
    finally:
        await asyncio.to_thread(server.restart)
    await kit.move(seconds=2)
    # Nobody is charged for what nobody counted, but for a call whose exchange may have happened.
    answers = {path: await ada.get(path) for path in ("/closed/1", "/lenient/1")}
    assert {path: one.headers["X-RateLimit-Remaining"] for path, one in answers.items()} == {
        "/closed/1": "8",
        "/lenient/1": "8",
    }
    async with kit.system.service(writes=False) as ctx:
        assert {one.meter: one.used for one in await windows(ctx.db, holder)} == {"closed": 2, "lenient": 2}


async def figures(kit: AppKit) -> str:
    return (await (await kit.client()).get("/metrics")).text


async def new_holder(kit: AppKit) -> UUID:
    user = new_id()
    async with kit.system.service() as ctx:
        await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
        return await open_for_user(ctx, user)
