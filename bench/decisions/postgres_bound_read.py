"""Decision 0001: is a read that binds identity in its own statement right in every case we could think of?

`BENCH_POSTGRES=host=...,port=... python -m bench.decisions.postgres_bound_read` prints one line a question.
"""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.decisions import postgres_world as world

BIND = "with b as materialized (select set_config('request.jwt.claims', $1, true) c) "
FORMS = {
    "condition inside": BIND + "select q.* from b cross join lateral ({1}) q",
    "no fence": BIND + "select q.* from b cross join lateral (select * from ({0}) s where b.c is not null) q",
    "offset 0": BIND + "select q.* from b cross join lateral (select * from ({0}) s where b.c is not null offset 0) q",
}
SHAPES = {
    "list, order, limit": "select id, user_id from notes where user_id = $2 order by created_at desc limit 20",
    "one by id": "select id, user_id from notes where id in (select id from notes where user_id = $2 limit 1)",
    "all, policy only": "select id, user_id from notes where $2::uuid is not null",
    "empty": "select id, user_id from notes where user_id = $2 and kind = 'zzz'",
    "aggregate": "select count(*) n, min(user_id::text)::uuid user_id from notes where $2::uuid is not null",
    "group by": "select kind, user_id, count(*) from notes where $2::uuid is not null group by kind, user_id",
    "join": "select n.id, n.user_id, t.label from notes n join tags t on t.note_id = n.id where n.user_id = $2",
    "left join": "select n.id, n.user_id, t.label from notes n left join tags t on t.note_id = n.id "
    "where n.user_id = $2",
    "union": "select id, user_id from notes where user_id = $2 union all select note_id, user_id from tags",
    "for update": "select id, user_id from notes where user_id = $2 order by id limit 3 for update",
}
ROWS = {"list, order, limit": 20, "one by id": 1, "all, policy only": 20, "empty": 0, "aggregate": 1, "group by": 3}
ROWS |= {"join": 6, "left join": 20, "union": 26, "for update": 3}
LITERAL_ID = "select id, user_id from notes where id = $2"

Answer = tuple[str, str]


def bound(form: str, inner: str) -> str:
    """The statement in this form: {0} is the statement itself, {1} the same with the bind in its own WHERE."""
    return FORMS[form].format(inner, inner.replace(" where ", " where b.c is not null and ", 1))


async def connect(port: int | None = None, user: str = "api", **options: Any) -> asyncpg.Connection:
    host, own_port = world.place()
    if port is not None:
        host = "127.0.0.1"
    return await asyncpg.connect(host=host, port=port or own_port, user=user, database=world.DATABASE, **options)


async def fails_closed(api: asyncpg.Connection) -> Iterator[Answer]:
    rows = await api.fetch("select * from notes")
    uid = await api.fetchval("select tenantry.uid()")
    await api.fetch(bound("offset 0", SHAPES["list, order, limit"]), world.claims(world.user(1)), world.user(1))
    left = await api.fetchval("select current_setting('request.jwt.claims', true)")
    after = await api.fetch("select * from notes")
    other = await api.fetch(bound("offset 0", SHAPES["list, order, limit"]), world.claims(world.user(1)), world.user(2))
    null = await api.fetch(bound("offset 0", SHAPES["list, order, limit"]), None, world.user(1))
    nonsense = [
        await api.fetch(bound("offset 0", SHAPES["all, policy only"]), text, world.user(1))
        for text in ("", "{", '{"sub": 5}', '{"sub": "x"}', "[]", '{"sub": "------------------------------------"}')
    ]
    return iter([
        ("without a bind", f"role {await api.fetchval('select current_user')}, uid {uid}, {len(rows)} rows"),
        ("after a bound read", f"setting is {left!r}, {len(after)} rows"),
        ("claims of one, predicate of another", f"{len(other)} rows"),
        ("claims null / nonsense", f"{len(null)} / {sum(map(len, nonsense))} rows, no error"),
    ])  # fmt: skip


async def shapes(api: asyncpg.Connection, form: str) -> Iterator[Answer]:
    """Every shape with 15 users in turn on one prepared statement, first custom, then generic plans."""
    found = []
    for (name, inner), mode in itertools.product(SHAPES.items(), ("auto", "force_generic_plan")):
        await api.execute(f"set plan_cache_mode = {mode}")
        statement = await api.prepare(bound(form, inner))
        wrong = 0
        for n in range(1, 16):
            rows = await statement.fetch(world.claims(world.user(n)), world.user(n))
            right = len(rows) == ROWS[name] and all(row["user_id"] == world.user(n) for row in rows)
            wrong += not right
        if wrong:
            found.append((f"{form}: {name}, {mode}", f"{wrong} of 15 WRONG"))
        await api.execute("reset plan_cache_mode")
    return iter(found or [(f"{form}: {len(SHAPES)} shapes x 15 users, custom and generic plans", "all right")])


async def scan_order(api: asyncpg.Connection, form: str) -> Answer:
    """Which is scanned first, the bind or the table, for a look-up by primary key?"""
    note = await api.fetchval(
        bound("offset 0", SHAPES["list, order, limit"]), world.claims(world.user(1)), world.user(1)
    )
    await api.execute("set plan_cache_mode = force_generic_plan")
    sql = bound(form, LITERAL_ID)
    rows = await api.fetch(sql, world.claims(world.user(1)), note)
    plan = [
        row[0] for row in await api.fetch("explain (costs off) " + sql.replace("$1", "'{}'").replace("$2", f"'{note}'"))
    ]
    await api.execute("reset plan_cache_mode")
    bind_line = next(i for i, line in enumerate(plan) if "CTE Scan on b" in line)
    table_line = next(i for i, line in enumerate(plan) if "on notes" in line)
    return f"{form}: by id", f"{'bind' if bind_line < table_line else 'TABLE'} first, {len(rows)} row (1 is right)"


async def order_and_limits(api: asyncpg.Connection) -> Iterator[Answer]:
    """Do rows come in the order of the inner statement, as the same statement without RLS gives them?"""
    bare, same = await connect(user="bare"), 0
    for n in range(1, 16):
        inner = "select id from notes where user_id = $2 order by title desc, id limit 20"
        got = await api.fetch(bound("offset 0", inner), world.claims(world.user(n)), world.user(n))
        same += got == await bare.fetch(inner.replace("$2", "$1"), world.user(n))
    parallel = await api.fetchval("select proparallel from pg_proc where proname = 'set_config'")
    found = [("order of rows, against no RLS", f"{same} of 15 the same")]
    found.append(
        ("set_config in parallel plans", {b"u": "unsafe: a bound read is never parallel"}.get(parallel, str(parallel)))
    )
    return iter(found)


async def index_use(api: asyncpg.Connection) -> Iterator[Answer]:
    who = world.user(1)
    found = []
    for title, inner in {
        "with user_id = $2": f"select id from notes where user_id = '{who}' order by created_at desc limit 20",
        "policy only": "select id from notes order by created_at desc limit 20",
    }.items():
        plan = await api.fetch(
            "explain (costs off) " + bound("offset 0", inner).replace("$1", f"'{world.claims(who)}'")
        )
        wanted = [row[0].strip() for row in plan if any(w in row[0] for w in ("Index", "Sort", "Seq", "One-Time"))]
        found.append((f"plan, {title}", "; ".join(wanted)))
    return iter(found)


async def resets(api: asyncpg.Connection) -> Iterator[Answer]:
    found = []
    for command in (api.get_reset_query(), "reset role", "discard all", "set session authorization default"):
        await api.execute(command)
        role = await api.fetchval("select current_user")
        try:
            seen = f"{len(await api.fetch('select * from notes'))} rows"
        except asyncpg.PostgresError as error:
            seen = type(error).__name__
        found.append((f"after {' '.join(command.split())[:60]}", f"role {role}, unbound read: {seen}"))
        await api.execute("reset role" if role == "authenticated" else "set role authenticated")
    return iter(found)


async def main() -> None:
    await world.build()
    table = Table("question", "answer")
    api = await connect()
    answers = [*await fails_closed(api)]
    for form in FORMS:
        answers += [*await shapes(api, form), await scan_order(api, form)]
    answers += [*await order_and_limits(api), *await index_use(api)]
    answers += [*await resets(await connect(statement_cache_size=0))]
    for question, answer in answers:
        table.add_row(question, answer)
    Console(width=170).print(table)


if __name__ == "__main__":
    asyncio.run(main())
