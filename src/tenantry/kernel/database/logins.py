"""The roles and logins of a PostgreSQL database: made by `tenantry db init`, verified at every start.

Three group roles carry the policies (`anon`, `authenticated`, `service_role`). Two logins become them by default, so
that no statement has to say SET ROLE: the API login may become `anon` or `authenticated` and nothing else, the service
login `service_role`. Neither owns anything or passes row level security by.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from tenantry.product import Finding

from .postgres import PostgresDatabase, plain_url

GROUPS = ("anon", "authenticated", "service_role")


@dataclass(frozen=True, slots=True)
class Login:
    """A login as its URL names it. The password never leaves this object but for the server."""

    name: str
    password: str
    session_role: str
    may_become: tuple[str, ...]

    @classmethod
    def of(cls, url: str, session_role: str, *may_become: str) -> "Login":
        """Read a database URL; raises ValueError when it names no user."""
        parts = urlsplit(url)
        if not parts.username:
            msg = f"the {session_role} login's database URL names no user"
            raise ValueError(msg)
        return cls(unquote(parts.username), unquote(parts.password or ""), session_role, may_become)


async def initialise(owner_url: str, api_url: str, service_url: str, *, statement_timeout_seconds: int = 30) -> None:
    """Make the database, the roles and the logins that the URLs name.

    Run again, it sets passwords and role settings anew and changes nothing else.

    `owner_url` needs the right to make roles; it becomes the owner of what migrations make.
    """
    await _ensure_database(owner_url)
    connection = await asyncpg.connect(plain_url(owner_url))
    try:
        async with connection.transaction():
            for group in GROUPS:
                await _ensure_role(connection, group)
            logins = (
                Login.of(api_url, "authenticated", "anon", "authenticated"),
                Login.of(service_url, "service_role", "service_role"),
            )
            for login in logins:
                await _ensure_login(connection, login, statement_timeout_seconds)
            await _close_database(connection, [login.name for login in logins])
    finally:
        await connection.close()


async def login_findings(api: PostgresDatabase, service: PostgresDatabase) -> list[Finding]:
    """What is wrong with the logins the server runs on; an empty list is what a safe server needs."""
    found = []
    for database, role, where in ((api, "authenticated", "DATABASE_URL"), (service, "service_role", "SERVICE_URL")):
        connection = await database.acquire()
        try:
            row = await connection.fetchrow(_LOGIN)
        finally:
            await database.release(connection)
        found.extend(_judge(row, role, f"TENANTRY_{where}"))
    return found


_LOGIN = """
SELECT session_user AS login, current_user AS role,
       bool_or(r.rolsuper) AS super, bool_or(r.rolbypassrls) AS bypass,
       bool_or(r.rolname = 'service_role') AS may_serve,
       (SELECT count(*) FROM pg_class WHERE pg_has_role(session_user, relowner, 'MEMBER')) AS owns
FROM pg_roles r WHERE pg_has_role(session_user, r.oid, 'MEMBER')"""


def _judge(row: Any, role: str, where: str) -> list[Finding]:
    fix = "run `tenantry db init` and use the logins it makes"
    problems = []
    if row["super"] or row["bypass"]:
        problems.append(f"the login {row['login']} passes row level security by")
    if row["owns"]:
        problems.append(f"the login {row['login']} owns tables; a server's login owns nothing")
    if role == "authenticated" and row["may_serve"]:
        problems.append(f"the login {row['login']} may become service_role")
    if not problems and row["role"] != role:
        problems.append(f"the login {row['login']} works as {row['role']}, not as {role}")
    return [Finding("error", where, problem, fix) for problem in problems]


async def _ensure_database(owner_url: str) -> None:
    parts = urlsplit(plain_url(owner_url))
    name = unquote(parts.path.lstrip("/"))
    try:
        connection = await asyncpg.connect(plain_url(owner_url))
    except asyncpg.InvalidCatalogNameError:
        connection = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")))
        quoted = await connection.fetchval("SELECT quote_ident($1)", name)
        await connection.execute(f"CREATE DATABASE {quoted}")
    await connection.close()


async def _ensure_role(connection: Any, name: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
        await connection.execute(f"CREATE ROLE {name} NOLOGIN NOINHERIT")


async def _ensure_login(connection: Any, login: Login, statement_timeout_seconds: int) -> None:
    name = await connection.fetchval("SELECT quote_ident($1)", login.name)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", login.name):
        await connection.execute(f"CREATE ROLE {name}")
    secret = await connection.fetchval("SELECT quote_literal($1)", login.password)
    await connection.execute(f"ALTER ROLE {name} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD {secret}")
    await connection.execute(f"GRANT {', '.join(login.may_become)} TO {name}")
    await connection.execute(f"ALTER ROLE {name} SET role = {login.session_role}")
    await connection.execute(f"ALTER ROLE {name} SET statement_timeout = '{statement_timeout_seconds}s'")
    await connection.execute(f"ALTER ROLE {name} SET idle_in_transaction_session_timeout = '60s'")
    await connection.execute(f"ALTER ROLE {name} SET search_path = public")


async def _close_database(connection: Any, logins: list[str]) -> None:
    # A temporary table named like one of ours would be read by the next request on the same connection.
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    for login in logins:
        name = await connection.fetchval("SELECT quote_ident($1)", login)
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {name}")
    await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    # Bytes that belong to no table, know no policy and fill the disk. An owner who may not say so is only warned.
    large_objects = "lo_create(oid), lo_creat(int), lo_from_bytea(oid, bytea)"
    await connection.execute(f"REVOKE EXECUTE ON FUNCTION {large_objects} FROM PUBLIC")
