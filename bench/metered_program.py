"""What `bench_metered` asks, also through uvicorn: `python -m bench.metered_program PORT WAY FOLDER`.

Who asks is known: every way stands below one layer that puts the context into the scope, as whatever found it out
before would. The database is an SQLite file; nearly all calls are admitted from a lease.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Depends, FastAPI
from pydantic import SecretStr
from sqlalchemy import insert
from starlette.requests import HTTPConnection, Request

import tenantry
from tenantry import Burst, Google, Meter, Module, Plan, Product, Settings
from tenantry.fastapi import Metered as MeteredRoute
from tenantry.holders import by_id, open_for_user
from tenantry.identity.models import Users
from tenantry.kernel import new_id
from tenantry.kernel.context import Actor, Resolved, context_of, system_context
from tenantry.kernel.database import param, statement
from tenantry.kernel.told import Telling
from tenantry.testing import sqlite_database, sqlite_template
from tenantry.usage import Metered, consume

Application = Callable[[Any, Any, Any], Awaitable[None]]
PATH = "/tile"
MANY = 1_000_000_000
calls = Meter("calls")
HEADERS = [
    (b"ratelimit-policy", b'"calls";q=1000000000;w=86400, "burst";q=1000000000;w=1'),
    (b"ratelimit", b'"calls";r=999999999;t=43200'),
    (b"x-ratelimit-limit", b"1000000000"),
    (b"x-ratelimit-remaining", b"999999999"),
    (b"x-ratelimit-reset", b"1773532800"),
]
_add_user = statement(insert(Users).values(id=param("id"), email=param("email")))


def ways(state: dict[str, Any], product_app: FastAPI) -> dict[str, Application]:
    """Every way, by its name; `state` is what the state of each request holds before it."""
    found: dict[str, Application] = {
        "bare": _bare,
        "bare, five headers": _bare_with_headers,
        "counted": _counted,
        "metered": Metered(_bare, calls),
        "fastapi": _fastapi(product_app, Depends(_nothing)),
        "fastapi metered": Telling(_fastapi(product_app, MeteredRoute(calls))),
    }
    return {name: _known(app, state, product_app) for name, app in found.items()}


@asynccontextmanager
async def somebody(folder: Path) -> AsyncIterator[tuple[dict[str, Any], FastAPI]]:
    """(what the state of their requests holds, the running product); their plan has a quota and a pace."""
    template = folder / "template"
    template.mkdir()
    database = sqlite_database(sqlite_template(template), folder)
    found: list[Resolved] = []

    async def resolve(_request: Request, _runtime: Any) -> Resolved:
        return found[0]

    plan = Plan("free", price=0, limits={calls: MANY}, burst=Burst(MANY))
    product = Product("Bench", sign_in=[Google()], plans=[plan], modules=[Module("bench", resolvers=[resolve])])
    settings = Settings(database_url=database.api_url, secret_keys=(SecretStr("k" * 40),))
    app = tenantry.create_app(product, settings, worker=False, log_requests=False)
    async with app.router.lifespan_context(app):
        user, state = new_id(), dict[str, Any]()
        async with system_context(app.state.runtime).service() as ctx:
            await ctx.db.run(_add_user, id=user, email="ada@example.com")
            holder = await by_id(ctx.db, await open_for_user(ctx, user))
        found.append(Resolved(Actor("user", user_id=user), holder))
        await context_of({"type": "http", "method": "GET", "path": "/", "headers": [], "app": app, "state": state})
        yield state, app


async def _bare(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"tile"})


async def _bare_with_headers(scope: Any, receive: Any, send: Any) -> None:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *HEADERS]}
        await send(message)

    await _bare(scope, receive, sending)


async def _nothing(connection: HTTPConnection) -> None: ...


async def _counted(scope: Any, receive: Any, send: Any) -> None:
    await consume(await context_of(scope), calls)
    await _bare(scope, receive, send)


def _fastapi(product_app: FastAPI, dependency: Any) -> FastAPI:
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    app.state.tenantry = product_app

    @app.get(PATH, dependencies=[dependency])
    async def tile() -> dict[str, str]:
        return {"tile": "yes"}

    return app


def _known(app: Application, state: dict[str, Any], product_app: FastAPI) -> Application:
    async def asked(scope: Any, receive: Any, send: Any) -> None:
        scope["state"], scope["app"] = state.copy(), product_app
        await app(scope, receive, send)

    return asked


def main(port: int, way: str, folder: Path) -> None:
    """Serve one of the ways until the process is told to stop."""
    running: list[Application] = []

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await running[0](scope, receive, send)
            return
        await receive()
        async with somebody(folder) as (state, product_app):
            running.append(ways(state, product_app)[way])
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    options = {"log_config": None, "access_log": False, "proxy_headers": False, "server_header": False, "ws": "none"}
    uvicorn.run(served, port=port, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
