"""What `bench_authorize` asks, also through uvicorn: `python -m bench.authorize_program PORT WAY FOLDER [URL URL]`.

A product with keys on an SQLite file, or on PostgreSQL with the addresses of its two logins. One person, a key of
theirs and one of the operator's service. Nearly every call is admitted from a lease.
"""

import hashlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import insert

import tenantry
from tenantry import Google, Keys, Meter, Module, Plan, Product, Scope, Settings
from tenantry.holders import by_id, open_for_user
from tenantry.identity.models import Users
from tenantry.kernel import Context, new_id
from tenantry.kernel.context import system_context
from tenantry.kernel.database import param, statement
from tenantry.kernel.sql import now
from tenantry.kernel.told import Telling
from tenantry.keys import issue
from tenantry.keys.questions import AuthorizeKey
from tenantry.testing import sqlite_database, sqlite_template
from tenantry.usage import Metered

Application = Callable[[Any, Any, Any], Awaitable[None]]
TILE, MANY = "/v1/tile", 1_000_000_000
calls = Meter("calls")
_add_user = statement(insert(Users).values(id=param("id"), email=param("email"), email_verified_at=now()))
_decoder = msgspec.json.Decoder(AuthorizeKey)


@dataclass(frozen=True)
class World:
    """The running product, a context of the system, and the two secrets."""

    app: FastAPI
    system: Context
    secret: str
    service: str

    def ways(self) -> dict[str, Application]:
        """Every way to serve."""
        # With what `tenantry.mount` puts in front of an application: without it no call would be logged.
        metered = Telling(Metered(bare_tile, calls))

        async def tile(scope: Any, receive: Any, send: Any) -> None:
            scope["app"] = self.app
            await metered(scope, receive, send)

        known = {hashlib.sha256(one.encode()).digest(): [0] for one in (self.secret, self.service)}
        return {"bare tile": bare_tile, "tile": tile, "bare door": bare_door(known), "door": self.app}


@asynccontextmanager
async def running(folder: Path, *urls: str) -> AsyncIterator[World]:
    """The product, started: on an SQLite file in the folder, or with the API login and the service login of `urls`."""
    if not urls:
        (folder / "template").mkdir()
        urls = (sqlite_database(sqlite_template(folder / "template"), folder).api_url,)
    product = Product(
        "Bench",
        sign_in=[Google()],
        plans=[Plan("free", price=0, limits={calls: MANY})],
        keys=Keys("bench", meter=calls, scopes=[Scope("tile", "Look at tiles.")]),
        modules=[Module("bench")],
    )
    settings = Settings(
        database_url=urls[0], service_url=urls[1] if urls[1:] else None, secret_keys=(SecretStr("k" * 40),)
    )
    app = tenantry.create_app(product, settings, worker=False, log_requests=False)
    async with app.router.lifespan_context(app):
        system, user = system_context(app.state.runtime), new_id()
        async with system.service() as ctx:
            await ctx.db.run(_add_user, id=user, email=f"{user}@example.com")
            holder = await by_id(ctx.db, await open_for_user(ctx, user))
        of_ada = msgspec.structs.replace(system, current_holder=holder)
        key = await issue(of_ada, label="robot", scopes=["tile"])
        service = await issue(of_ada, label="service", scopes=["authorize"])
        yield World(app, system, key.secret, service.secret)


async def bare_tile(scope: Any, receive: Any, send: Any) -> None:
    """What is metered, alone."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"tile"})


def bare_door(known: dict[bytes, list[int]]) -> Application:
    """The same body read and parsed, two hashes looked up, one counted, and an answer of that length."""

    async def door(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        asked = _decoder.decode(body)
        service = next(value for name, value in scope["headers"] if name == b"authorization")
        assert hashlib.sha256(service[7:]).digest() in known
        known[hashlib.sha256(asked.key.encode()).digest()][0] += 1
        answer = msgspec.json.encode({"allowed": True, "filler": "x" * 320})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return door


def main(port: int, way: str, folder: Path, *urls: str) -> None:
    """Serve one of the ways until the process is told to stop; writes the secrets down first."""
    serving: list[Application] = []

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await serving[0](scope, receive, send)
            return
        await receive()
        async with running(folder, *urls) as world:
            (folder / "secrets").write_text(f"{world.secret} {world.service}")
            serving.append(world.ways()[way])
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    options = {"log_config": None, "access_log": False, "proxy_headers": False, "server_header": False, "ws": "none"}
    # Whoever asks keeps connections while others are measured.
    uvicorn.run(served, port=port, timeout_keep_alive=600, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
