"""Who is behind a session's cookie: what a request pays for it, beside the bare statement and better-auth's getSession.

`statement` is the look-up through a reading unit; `request` is what every signed-in request does: `Request` object,
cookie, hash, that look-up, actor and holder. The bare statement is the same SQL with the same columns on the same
driver; on PostgreSQL with the driver's pool, and on a held connection for each caller. All of it once for a product
without organizations and once for one in which organizations are billed: there everybody belongs to one.

better-auth (npm; exact versions in `better_auth/package-lock.json`) runs in Node, on a database of its own on the same
disk or server, with as many people, and is handed headers that are made. It asks twice; with its option "joins" once.
CPU is that of the process which asks.
"""

import itertools
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from starlette.requests import Request

from bench import doors, world
from bench.bench_read import Unreset
from bench.measure import Row, Sample
from bench.node_program import Asked, NotHere, running
from bench.rounds import Operation, Way, compare, ratios
from tenantry.app import create_app
from tenantry.holders import queries as holders
from tenantry.identity import lookup, queries
from tenantry.identity.lookup import SessionLookup
from tenantry.identity.resolving import resolve_session
from tenantry.kernel import Settings
from tenantry.kernel.crypto import token_hash
from tenantry.kernel.database import Unit
from tenantry.kernel.database.compiling import Compiled
from tenantry.kernel.database.statements import Statement
from tenantry.kernel.database.units import SERVICE
from tenantry.kernel.ids import new_token
from tenantry.kernel.policies import Role
from tenantry.kernel.runtime import Runtime
from tenantry.organizations.queries import lookup as membership
from tenantry.organizations.queries import members, organizations
from tenantry.testing import PostgresServer

# So many people that PostgreSQL goes by its indexes, as it does where there is more to do; and short rounds, of which
# some find the machine idle.
PEOPLE, TIMES, ROUNDS, CALLERS = 1_000, 320, 27, (1, 16)
FOLDER = Path(__file__).with_name("better_auth")
THEIRS = "better-auth", "better-auth, joins"
# What we want of CPU and of calls a second beside better-auth, by database.
WANTED = {"SQLite": ("≤ 0.20", "≥ 5"), "PostgreSQL": ("≤ 0.40", "≥ 2.5")}
BARE = {"bare statement": "≤ 1.6", "bare, no pool": ""}
# The very statements that are measured, by product.
ALONE = "no organizations"
PRODUCTS: dict[str, Statement[Any]] = {
    ALONE: lookup._live,  # noqa: SLF001
    "organizations": membership._live_billed,  # noqa: SLF001
}
_HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"bench"),
    (b"accept", b"application/json"),
    (b"accept-language", b"en"),
]


async def run() -> list[Row]:
    """CPU and calls a second with one caller and with sixteen, on both databases."""
    return [*await _on_sqlite(), *await _on_postgres()]


async def _on_sqlite() -> list[Row]:
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(world.sqlite(PEOPLE))
        url = {"database_url": f"sqlite:///{file.path}"}
        runtimes = {kind: await stack.enter_async_context(_runtime(kind, **url)) for kind in PRODUCTS}
        tokens = await _sessions(runtimes[ALONE])
        ways: dict[str, Way] = {}
        for kind, runtime in runtimes.items():
            ways |= _of(kind, {**_ours(runtime, tokens), **_bare_sqlite(file.connect(), *_bare(kind, runtime, tokens))})
        ways |= await _theirs(stack, "sqlite", str(file.path.with_name("better_auth.db")))
        return await _measured("SQLite", ways)


async def _on_postgres() -> list[Row]:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(world.postgres_server())
        database = await stack.enter_async_context(world.postgres(server, PEOPLE))
        urls = {"database_url": database.api.url, "service_url": database.service.url}
        runtimes = {kind: await stack.enter_async_context(_runtime(kind, **urls)) for kind in PRODUCTS}
        tokens = await _sessions(runtimes[ALONE])
        ways: dict[str, Way] = {}
        for kind, runtime in runtimes.items():
            bare = await _bare_postgres(stack, database, *_bare(kind, runtime, tokens))
            ways |= _of(kind, {**_ours(runtime, tokens), **bare})
        theirs = await _another_database(server)
        ways |= await _theirs(stack, "postgresql", theirs)
        for url in (database.owner_url, theirs):
            await _run(url, "ANALYZE")
        return await _measured("PostgreSQL", ways)


async def _measured(database: str, ways: dict[str, Way]) -> list[Row]:
    rows = []
    for callers in CALLERS:
        found = await compare(ways, times=TIMES, rounds=ROUNDS, clients=callers)
        for kind in PRODUCTS:
            where = f"{database}, {kind}, {callers} caller{'s' if callers > 1 else ''}"
            rows += _rows(where, {name.removeprefix(kind): one for name, one in found.items()}, WANTED[database])
    return rows


def _rows(where: str, found: dict[str, Sample], wanted: tuple[str, str]) -> list[Row]:
    rows = []
    bare = {name: target for name, target in BARE.items() if name in found}
    for ours in ("statement", "request"):
        rows += ratios(found, ours, bare, title=f"{where}: {ours}")
    rows += ratios(found, "request", {"bare statement": ""}, figure="per_second", title=f"{where}: request")
    for figure, target in zip(("cpu_us", "per_second"), wanted, strict=True):
        theirs = {name: target for name in THEIRS if name in found}
        rows += ratios(found, "request", theirs, figure=figure, title=f"{where}: request")
    return rows


def _of(kind: str, ways: dict[str, Operation]) -> dict[str, Operation]:
    return {kind + name: way for name, way in ways.items()}


@asynccontextmanager
async def _runtime(kind: str, **urls: str) -> AsyncIterator[Runtime]:
    """What an application is made of, on a migrated database; its plans are written."""
    secrets = {"secret_keys": ("k" * 40,), "google_client_id": "none", "google_client_secret": "none"}
    settings = Settings(**secrets, **urls)  # type: ignore[arg-type]
    product = doors.product(10, organizations=kind != ALONE)
    app = create_app(product, settings, worker=False, log_requests=False)
    async with app.router.lifespan_context(app):
        yield app.state.runtime


async def _sessions(runtime: Runtime) -> list[str]:
    """Sign everybody in, who each own an organization; answers their tokens."""
    unit: Unit = runtime.service.unit(SERVICE, writes=True)
    tokens = [new_token("sess") for _ in range(PEOPLE)]
    for n, token in enumerate(tokens):
        who, row = world.person(n), world.note_of(n)
        await holders.create(unit, row, user_id=who, plan="free")
        own = (await organizations.add(unit, world.note_of(n, 1), name=f"Organization {n}", owner=who)).id
        await members.add(unit, own, who, "owner")
        await holders.create_for_organization(unit, own, organization_id=own, plan="free")
        given = {"account_id": None, "method": "google", "address": None, "user_agent": "bench"}
        await queries.sessions.add(
            unit, seconds=3_600, id=row, user_id=who, token_hash=token_hash(token), **given
        )  # fmt: skip
        await queries.sessions.see(unit, row)
    await unit.commit()
    return tokens


def _ours(runtime: Runtime, tokens: list[str]) -> dict[str, Operation]:
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/v1/me", "query_string": b""}
    headers = itertools.cycle([[*_HEADERS, (b"cookie", f"session={token}".encode())] for token in tokens])
    hashes = itertools.cycle([token_hash(token) for token in tokens])
    database, lookups = runtime.service, runtime.port(SessionLookup)

    async def request() -> None:
        assert await resolve_session(Request({**scope, "headers": next(headers)}), runtime) is not None

    async def statement() -> None:
        unit: Unit = database.unit(SERVICE, writes=False)
        assert await lookups.find(unit, next(hashes)) is not None
        await unit.rollback()

    return {"statement": statement, "request": request}


def _bare(kind: str, runtime: Runtime, tokens: list[str]) -> tuple[str, Iterator[list[Any]]]:
    """The SQL that the look-up runs, and its arguments for one session after the other."""
    compiled: Compiled = PRODUCTS[kind].compiled(runtime.service.kind, Role.SERVICE)
    return compiled.sql, itertools.cycle([compiled.arguments({"hash": token_hash(token)}) for token in tokens])


def _bare_sqlite(connection: Any, sql: str, given: Iterator[list[Any]]) -> dict[str, Operation]:
    async def bare() -> None:
        assert connection.execute(sql, next(given)).fetchall()

    return {"bare statement": bare}


async def _bare_postgres(
    stack: AsyncExitStack, database: world.Server, sql: str, given: Iterator[list[Any]]
) -> dict[str, Operation]:
    options: dict[str, Any] = {"min_size": 10, "max_size": 10, "connection_class": Unreset}
    pool = await stack.enter_async_context(asyncpg.create_pool(database.service.url, **options))
    # Held, and one for each caller: a connection answers one question at a time.
    held = [await asyncpg.connect(database.service.url) for _ in range(max(CALLERS))]
    for connection in held:
        stack.push_async_callback(connection.close)

    async def bare() -> None:
        async with pool.acquire() as connection:
            assert await connection.fetch(sql, *next(given))

    async def without_pool() -> None:
        connection = held.pop()
        assert await connection.fetch(sql, *next(given))
        held.append(connection)

    return {"bare statement": bare, "bare, no pool": without_pool}


async def _theirs(stack: AsyncExitStack, kind: str, address: str) -> dict[str, Way]:
    try:
        program = await stack.enter_async_context(running(FOLDER, "get_session.mjs", kind, address, str(PEOPLE)))
    except NotHere as error:
        print(f"session, {kind}: better-auth is left out: {error}", file=sys.stderr)
        return {}
    return {name: Asked(program, {"joins": name == THEIRS[1]}) for name in THEIRS}


async def _another_database(server: PostgresServer) -> str:
    await _run(server.url, "CREATE DATABASE better_auth")
    return f"{server.url.rpartition('/')[0]}/better_auth"


async def _run(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
