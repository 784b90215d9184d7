"""Decision 0001: whose rows and whose statement does a client get behind PgBouncer in transaction mode?

`BENCH_POSTGRES=host=...,port=... python -m bench.decisions.postgres_pooler`; needs the `pgbouncer` program.
"""

import asyncio
from collections.abc import Iterator

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.decisions import postgres_world as world
from bench.decisions.postgres_bound_read import SHAPES, Answer, bound, connect


async def behind_pgbouncer(port: int) -> Iterator[Answer]:
    """Two clients over one server connection: whose rows, whose statement?"""
    sql = bound("offset 0", SHAPES["list, order, limit"])
    other = bound("offset 0", "select user_id, 'other' other from notes where user_id = $2")

    async def reads(
        client: asyncpg.Connection, text: str, column: str, n: int, *, in_unit: bool
    ) -> tuple[int, int, int]:
        foreign = mixed = errors = 0
        for _ in range(1_000):
            try:
                if in_unit:
                    async with client.transaction():
                        rows = await client.fetch(text, world.claims(world.user(n)), world.user(n))
                else:
                    rows = await client.fetch(text, world.claims(world.user(n)), world.user(n))
            except (asyncpg.PostgresError, asyncpg.InternalClientError, asyncpg.InterfaceError):
                errors += 1
                continue
            foreign += any(row["user_id"] != world.user(n) for row in rows)
            mixed += any(column not in dict(row) for row in rows) or len(rows) != 20
        return foreign, mixed, errors

    found = []
    for title, in_unit, cache, texts in (
        ("in a transaction, cache off", True, 0, (sql, other)),
        ("no transaction, cache off, same statement", False, 0, (sql, sql)),
        ("no transaction, cache off, two statements", False, 0, (sql, other)),
    ):
        clients = [await connect(port, statement_cache_size=cache) for _ in range(2)]
        role = await clients[0].fetchval("select current_user")
        columns = ("id", "other" if texts[1] is other else "id")
        got = await asyncio.gather(
            *(reads(c, t, k, n, in_unit=in_unit) for c, t, k, n in zip(clients, texts, columns, (1, 2), strict=True))
        )
        foreign, mixed, errors = (sum(part) for part in zip(*got, strict=True))
        found.append(
            (f"bouncer, {title}", f"role {role}; of 2000: foreign {foreign}, wrong answer {mixed}, errors {errors}")
        )
        for client in clients:
            client.terminate()
        await asyncio.sleep(0.2)
    return iter(found)


async def held_unnamed(port: int) -> Answer:
    """A statement prepared under the empty name and kept: one trip a read, four clients on two servers."""
    sql = bound("offset 0", SHAPES["list, order, limit"])
    clients = [await connect(port, statement_cache_size=0) for _ in range(4)]

    async def reads(client: asyncpg.Connection) -> int:
        async with (
            client.transaction()
        ):  # asyncpg ends PREPARE with Flush, not Sync: outside a unit it would hold the server
            statement = await client.prepare(sql, name="")
        wrong = 0
        for n in range(1, 501):
            rows = await statement.fetch(world.claims(world.user(n)), world.user(n))
            wrong += len(rows) != 20 or any(row["user_id"] != world.user(n) for row in rows)
        return wrong

    wrong = sum(await asyncio.gather(*map(reads, clients)))
    return "bouncer, unnamed statement kept, pool of 2", f"of 2000: wrong answer {wrong}"


async def cached_named(port: int) -> Answer:
    """The driver's default behind PgBouncer below 1.21: named statements live on another server connection."""
    sql = bound("offset 0", SHAPES["list, order, limit"])
    clients = [await connect(port) for _ in range(4)]
    counts = dict.fromkeys(("right", "wrong", "error"), 0)

    async def reads(client: asyncpg.Connection) -> None:
        for n in range(1, 501):
            try:
                rows = await client.fetch(sql, world.claims(world.user(n)), world.user(n))
            except asyncpg.PostgresError:
                counts["error"] += 1
            else:
                counts["right" if len(rows) == 20 and rows[0]["user_id"] == world.user(n) else "wrong"] += 1

    await asyncio.gather(*map(reads, clients))
    return "bouncer, statement cache on, pool of 2", f"of 2000: {counts}"


async def main() -> None:
    await world.build()
    table = Table("question", "answer")
    for pool in (1, 2):
        with world.pgbouncer("127.0.0.1", world.place()[1], pool=pool) as port:
            assert port, "pgbouncer is not installed"
            await asyncio.sleep(0.5)
            answers = (
                [*await behind_pgbouncer(port)] if pool == 1 else [await held_unnamed(port), await cached_named(port)]
            )
        for question, answer in answers:
            table.add_row(question, answer)
    Console(width=170).print(table)


if __name__ == "__main__":
    asyncio.run(main())
