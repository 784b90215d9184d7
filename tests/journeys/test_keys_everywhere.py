"""Four real processes on one database: what becomes of a key in one of them is soon so in all of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from journeys.test_pooler import PROGRAM, direct, pooled  # noqa: F401 - fixtures
from tenantry import Settings, create_app
from tenantry.blueprints.screening_api import product
from tenantry.holders import set_plan
from tenantry.identity.actions.people import ban_user, lift_ban
from tenantry.kernel import Context
from tenantry.kernel.context import system_context
from tenantry.keys.service_keys import issue_for
from tenantry.testing import Server, TestDatabase, environment_of, serve, sqlite_database

PROCESSES = 4
TRIES = 1_500
PATH = "/v1/authorize"
Do = Callable[[Context], Awaitable[Any]]


@pytest.fixture(params=["sqlite", "postgresql", "pgbouncer"])
def place(request: pytest.FixtureRequest) -> tuple[TestDatabase, dict[str, str]]:
    """A database, and the settings of a server on it."""
    if request.param == "pgbouncer":
        if PROGRAM is None:
            pytest.skip("PgBouncer is not installed")
        straight: TestDatabase = request.getfixturevalue("direct")
        through: TestDatabase = request.getfixturevalue("pooled")
        asyncio.run(through.empty())
        more = {"TENANTRY_POOL_MODE": "transaction", "TENANTRY_DIRECT_URL": straight.service_url or ""}
        return through, {**environment_of(through), **more}
    if request.param == "sqlite":
        found = sqlite_database(request.getfixturevalue("_sqlite"), request.getfixturevalue("tmp_path"))
    else:
        found = request.getfixturevalue("_postgres")
        asyncio.run(found.empty())
    return found, environment_of(found)


@pytest.fixture
def servers(place: tuple[TestDatabase, dict[str, str]], tmp_path: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        found = []
        for number in range(PROCESSES):
            folder = tmp_path / str(number)
            folder.mkdir()
            found.append(stack.enter_context(serve(folder, "screening_api", **place[1])))
        yield found


def as_operator(database: TestDatabase, do: Do, **settings: Any) -> Any:
    """Do something in one more process: this one, with an application of its own."""
    secret = "test-key-of-forty-characters-0123456789ab"
    urls = {"database_url": database.api_url, "service_url": database.service_url}
    given: Any = {**urls, **settings, "secret_keys": (secret,), "google_client_id": "none"}

    async def once() -> Any:
        app = create_app(product, Settings(**given, google_client_secret="none"), worker=False, log_requests=False)
        async with app.router.lifespan_context(app):
            return await do(system_context(app.state.runtime))

    return asyncio.run(once())


def test_what_becomes_of_a_key_is_soon_so_everywhere(place, servers) -> None:
    database, environment = place
    pooling = {name: environment.get(f"TENANTRY_{name.upper()}") for name in ("pool_mode", "direct_url")}
    more = {name: value for name, value in pooling.items() if value}

    def operate(do: Do) -> Any:
        return as_operator(database, do, **more)

    async def in_a_unit(ctx: Context, act: Do) -> None:
        async with ctx.service() as working:
            await act(working)

    with servers[0].sign_in("grace"), servers[0].sign_in("ada") as ada:
        made = ada.post("/v1/keys", json={"label": "robot"}).json()
        owner = UUID(ada.get("/v1/me").json()["id"])
        service = operate(lambda ctx: issue_for(ctx, "grace@example.com", label="gateway", scopes=["authorize"])).secret

        def everywhere(key: dict[str, Any], wanted: Any, of: str = "code") -> None:
            """Wait until every process says so."""
            for server in servers:
                for _ in range(TRIES):
                    told = _told(server, service, key, cost=0)
                    if told[of] == wanted:
                        break
                    time.sleep(0.02)
                else:
                    pytest.fail(f"{server.url} still says {told}, not {wanted}")

        everywhere(made, None)
        first, last = product.plans[0].name, product.plans[-1].name
        everywhere(made, first, "plan")
        holder = UUID(_told(servers[1], service, made, cost=1)["holder_id"])
        operate(
            lambda ctx: in_a_unit(ctx, lambda unit: set_plan(unit, holder, last, source="admin", reason="test"))
        )  # fmt: skip
        everywhere(made, last, "plan")
        operate(lambda ctx: in_a_unit(ctx, lambda unit: ban_user(unit, owner, reason="test")))
        everywhere(made, "keys.owner_banned")
        operate(lambda ctx: in_a_unit(ctx, lambda unit: lift_ban(unit, owner, reason="test")))
        everywhere(made, None)
    with servers[0].sign_in("ada") as ada:
        followed = ada.post(f"/v1/keys/{made['id']}/rotate", json={"grace_hours": 0}).json()
        everywhere(made, "keys.expired")
        everywhere(followed, None)
        assert ada.delete(f"/v1/keys/{followed['id']}").status_code == 200
        everywhere(followed, "keys.revoked")


def _told(server: Server, service: str, key: dict[str, Any], *, cost: int) -> dict[str, Any]:
    headers, body = {"Authorization": f"Bearer {service}"}, {"key": key["secret"], "cost": cost}
    answer = httpx2.post(f"{server.url}{PATH}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
