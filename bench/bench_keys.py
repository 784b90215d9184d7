"""API keys on PostgreSQL beside better-auth's API-key plugin, and how soon a revoked one is refused there.

Both check a key and count a call on a quota. In process: our `authorize`, its `verifyApiKey`. Over HTTP: our
`POST /v1/authorize` under uvicorn, and the least server of Node's that answers the same question with `verifyApiKey`,
for the plugin has no route that does. Its keys are many, so that no two callers wait for one row; ours is one.
"""

import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg

from bench import world
from bench.authorize_program import World, calls, running
from bench.bench_authorize import asking, revocation, server, trusted
from bench.bench_door import CLIENTS
from bench.bench_session import FOLDER
from bench.measure import Row
from bench.node_program import Asked, NodeProgram, NotHere
from bench.node_program import running as running_node
from bench.rounds import Way, compare, ratios
from tenantry.kernel.notices import Notices
from tenantry.keys import authorize
from tenantry.keys.questions import PATH
from tenantry.testing import PostgresServer, postgres_database

PEOPLE, THEIRS = 300, "better-auth"


async def run() -> list[Row]:
    """Calls a second in process and over HTTP, CPU of the process that answers; milliseconds of a revocation."""
    async with AsyncExitStack() as stack:
        started = stack.enter_context(world.postgres_server())
        database = postgres_database(started, "bench_keys")
        urls = (database.api_url, database.service_url or "")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = await stack.enter_async_context(running(folder, *urls))
        rows = [await revocation(ours, "PostgreSQL: a revocation is heard of elsewhere, p99")]
        theirs = await _theirs(stack, started)
        if theirs is None:
            return rows
        rows += await _in_process(ours, theirs)
        return rows + await _over_http(stack, theirs, *urls)


async def _in_process(ours: World, theirs: NodeProgram) -> list[Row]:
    await trusted(ours.system.port(Notices))

    async def checked() -> None:
        await authorize(ours.system, ours.secret, meter=calls, scope="tile")

    rows = []
    for callers in (1, CLIENTS):
        ways: dict[str, Way] = {"authorize": checked, THEIRS: Asked(theirs, {})}
        found = await compare(ways, times=480, rounds=5, clients=callers)
        title = f"in process, {callers} caller{'s' if callers > 1 else ''}: authorize"
        rows += ratios(found, "authorize", {THEIRS: "≥ 200"}, figure="per_second", title=title)
        rows += ratios(found, "authorize", {THEIRS: ""}, title=title)
    return rows


async def _over_http(stack: AsyncExitStack, theirs: NodeProgram, *urls: str) -> list[Row]:
    pid, port, secret, service = stack.enter_context(server("door", *urls))
    where: dict[str, Any] = await theirs.ask({"where": True})
    ways = {
        "door": await asking(port, PATH, service, _question(secret)),
        THEIRS: await asking(where["port"], PATH, service, *map(_question, where["keys"])),
    }
    others = {"door": [pid], THEIRS: [theirs.process.pid]}
    found = await compare(ways, times=640, rounds=5, clients=CLIENTS, others=others)
    title = f"HTTP, {CLIENTS} callers: POST {PATH}"
    rows = ratios(found, "door", {THEIRS: "≥ 10"}, figure="per_second", title=title)
    return rows + ratios(found, "door", {THEIRS: ""}, figure="other_cpu_us", title=title)


def _question(secret: str) -> bytes:
    return f'{{"key":"{secret}"}}'.encode()


async def _theirs(stack: AsyncExitStack, started: PostgresServer) -> NodeProgram | None:
    connection = await asyncpg.connect(started.url)
    try:
        await connection.execute("CREATE DATABASE better_auth")
    finally:
        await connection.close()
    address = f"{started.url.rpartition('/')[0]}/better_auth"
    try:
        program = running_node(FOLDER, "verify_key.mjs", "postgresql", address, str(PEOPLE))
        return await stack.enter_async_context(program)
    except NotHere as error:
        print(f"keys: better-auth is left out: {error}", file=sys.stderr)
        return None
