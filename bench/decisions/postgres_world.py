"""A throw-away schema, a delaying proxy and a PgBouncer for the decisions about PostgreSQL.

Needs a server one may spoil: `BENCH_POSTGRES=host=/run/x,port=5432` (a superuser called `postgres`, trust).
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg

USERS, ROWS_EACH = 5_000, 20
DATABASE = "bench_decisions"

SCHEMA = """
create schema tenantry;
-- Total: nonsense in the setting gives null, never an error.
create function tenantry.uid() returns uuid language sql stable parallel safe as $$
  select substring(current_setting('request.jwt.claims', true) from
    '"sub" *: *"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"')::uuid $$;
create table notes(
  id uuid primary key, user_id uuid not null, kind text not null, title text not null,
  body text not null, created_at timestamptz not null);
create table tags(note_id uuid not null, user_id uuid not null, label text not null, primary key (note_id, label));
insert into notes select gen_random_uuid(), md5('u' || u)::uuid, (array['a','b','c'])[1 + i % 3], 'title ' || i,
  repeat('x', 200), now() - make_interval(mins => i) from generate_series(1, {users}) u, generate_series(1, {rows}) i;
insert into tags select id, user_id, 'first' from notes where kind = 'a';
create index on notes (user_id, created_at desc);
alter table notes enable row level security; alter table notes force row level security;
alter table tags enable row level security; alter table tags force row level security;
create policy own on notes for select to authenticated using (user_id = (select tenantry.uid()));
create policy own_update on notes for update to authenticated using (user_id = (select tenantry.uid()));
create policy own on tags for select to authenticated using (user_id = (select tenantry.uid()));
grant usage on schema tenantry to authenticated, api, bare;
grant select on notes, tags to authenticated, bare;
grant update (title) on notes to authenticated;
"""
ROLES = """
do $$ begin
  if not exists (select from pg_roles where rolname = 'api') then
    create role anon nologin; create role authenticated nologin;
    create role api login noinherit; create role bare login bypassrls;
    grant anon, authenticated to api;
    alter role api set role = 'authenticated';
  end if;
end $$;
"""


def user(n: int) -> uuid.UUID:
    """The n-th user, 1-based; the same text as md5('u' || n)::uuid in the database."""
    return USER_IDS[n - 1]


def claims(who: uuid.UUID) -> str:
    """What the kernel would bind for this user."""
    return f'{{"sub": "{who}", "role": "authenticated"}}'


def place() -> tuple[str, int]:
    """Host (or socket directory) and port of the server from the environment."""
    parts = dict(item.split("=", 1) for item in os.environ["BENCH_POSTGRES"].split(","))
    return parts["host"], int(parts["port"])


async def build() -> None:
    """Make the database anew: about 100 000 rows, analysed."""
    host, port = place()
    root = await asyncpg.connect(host=host, port=port, user="postgres", database="postgres")
    await root.execute(f"drop database if exists {DATABASE} (force)")
    await root.execute(f"create database {DATABASE}")
    await root.execute(ROLES)
    await root.close()
    owner = await asyncpg.connect(host=host, port=port, user="postgres", database=DATABASE)
    await owner.execute(SCHEMA.replace("{users}", str(USERS)).replace("{rows}", str(ROWS_EACH)))
    await owner.execute("vacuum analyze notes")
    await owner.execute("vacuum analyze tags")
    USER_IDS[:] = [r[0] for r in await owner.fetch(f"select md5('u' || u)::uuid from generate_series(1, {USERS}) u")]
    await owner.close()


@contextlib.asynccontextmanager
async def slow_proxy(host: str, port: int, one_way_seconds: float) -> AsyncIterator[int]:
    """A TCP proxy on loopback that holds every chunk back; yields its port."""
    loop = asyncio.get_running_loop()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            loop.call_later(one_way_seconds, writer.write, chunk)
        loop.call_later(one_way_seconds, writer.close)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}") if host.startswith("/") else None
        far_reader, far_writer = await (far or asyncio.open_connection(host, port))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.contextmanager
def pgbouncer(host: str, port: int, *, pool: int = 1) -> Iterator[int | None]:
    """PgBouncer in transaction mode on loopback, run as `nobody`; yields its port, None where it is not installed."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-bouncer-"))
    nobody = pwd.getpwnam("nobody")
    listen = 6_543
    (folder / "users").write_text('"api" ""\n"bare" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n{DATABASE} = host={host} port={port}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={listen}\n"
        f"unix_socket_dir=\nauth_type=trust\nauth_file={folder}/users\npool_mode=transaction\ndefault_pool_size={pool}\n"
        "max_client_conn=100\nquery_wait_timeout=10\nignore_startup_parameters=extra_float_digits,jit\n"
    )
    folder.chmod(0o755)
    owner = {"user": nobody.pw_uid, "group": nobody.pw_gid} if os.getuid() == 0 else {}
    process = subprocess.Popen([program, "-q", str(folder / "ini")], **owner)  # type: ignore[call-overload]
    try:
        yield listen
    finally:
        process.terminate()
        process.wait(5)
        shutil.rmtree(folder)


USER_IDS: list[uuid.UUID] = []
