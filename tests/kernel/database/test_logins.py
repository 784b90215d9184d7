"""Roles and logins: made the same however often, and a server refuses to run on unsafe ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tenantry.kernel import new_id
from tenantry.kernel.database.logins import initialise, login_findings
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.testing import PostgresServer

pytestmark = pytest.mark.postgres


def url_of(server: PostgresServer, name: str, login: str, password: str = "it's a \\ secret %/@") -> str:
    quoted = "".join(f"%{byte:02x}" for byte in password.encode())
    return (
        urlsplit(server.url)._replace(netloc=f"{login}:{quoted}@{server.host}:{server.port}", path=f"/{name}").geturl()
    )


class Place:
    """A database of its own, and its three addresses."""

    def __init__(self, server: PostgresServer) -> None:
        self.name = f"l{new_id().hex[-12:]}"
        self.owner = urlsplit(server.url)._replace(path=f"/{self.name}").geturl()
        self.api = url_of(server, self.name, f"{self.name} api")
        self.service = url_of(server, self.name, f'{self.name}"service')

    async def initialise(self) -> None:
        await initialise(self.owner, self.api, self.service)

    async def run(self, sql: str) -> None:
        connection = await asyncpg.connect(self.owner)
        await connection.execute(
            sql.replace("$API", f'"{self.name} api"').replace("$SERVICE", f'"{self.name}""service"')
        )
        await connection.close()

    async def findings(self, *, api: str | None = None, service: str | None = None) -> list[str]:
        async with opened(api or self.api) as one, opened(service or self.service) as other:
            return [f"{found.where}: {found.problem}" for found in await login_findings(one, other)]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(url, size=1)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def place(postgres_server: PostgresServer) -> Place:
    made = Place(postgres_server)
    await made.initialise()
    return made


async def catalogue(owner: str) -> list[Any]:
    """Roles, their settings, memberships and the database's rights, as PostgreSQL keeps them."""
    connection = await asyncpg.connect(owner)
    questions = (
        "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls FROM pg_roles",
        "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting",
        "SELECT roleid, member, admin_option FROM pg_auth_members",
        "SELECT datname, datacl::text FROM pg_database",
        "SELECT nspname, nspacl::text FROM pg_namespace",
    )
    rows = [sorted((tuple(row) for row in await connection.fetch(sql)), key=repr) for sql in questions]
    await connection.close()
    return rows


async def test_made_twice_nothing_changes_and_the_logins_are_safe(place: Place) -> None:
    before = await catalogue(place.owner)
    await place.initialise()
    assert await catalogue(place.owner) == before
    assert await place.findings() == []


async def test_logins_begin_in_their_role_with_their_limits(place: Place) -> None:
    for url, role in ((place.api, "authenticated"), (place.service, "service_role")):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT current_user") == role
        assert await connection.fetchval("SHOW statement_timeout") == "30s"
        assert await connection.fetchval("SHOW search_path") == "public"
        await connection.close()


async def test_a_new_password_is_taken_over(place: Place, postgres_server: PostgresServer) -> None:
    old, place.api = place.api, url_of(postgres_server, place.name, f"{place.name} api", "another")
    await place.initialise()
    assert await place.findings() == []
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(old)


@pytest.mark.parametrize(
    ("wrong", "undo", "told"),
    [
        ("GRANT service_role TO $API", "REVOKE service_role FROM $API", "api may become service_role"),
        ("ALTER ROLE $API SUPERUSER", "ALTER ROLE $API NOSUPERUSER", "api passes row level security by"),
        ("ALTER ROLE $SERVICE BYPASSRLS", "ALTER ROLE $SERVICE NOBYPASSRLS", '"service passes row level security by'),
        ("ALTER ROLE service_role BYPASSRLS", "ALTER ROLE service_role NOBYPASSRLS", '"service passes row level'),
        ("CREATE TABLE mine (id int); ALTER TABLE mine OWNER TO $API", "DROP TABLE mine", "api owns tables"),
        (
            "CREATE TABLE mine (id int); ALTER TABLE mine OWNER TO service_role",
            "DROP TABLE mine",
            '"service owns tables',
        ),
        ("ALTER ROLE $API SET role = 'anon'", "SELECT 1", "works as anon, not as authenticated"),
        ("ALTER ROLE $SERVICE RESET role", "SELECT 1", "not as service_role"),
    ],
)
async def test_an_unsafe_login_is_found(place: Place, wrong: str, undo: str, told: str) -> None:
    await place.run(wrong)
    try:
        findings = await place.findings()
    finally:
        await place.run(undo)
    assert any(told in found for found in findings), findings


async def test_the_superuser_and_swapped_logins_are_found(place: Place) -> None:
    both = await place.findings(api=place.owner, service=place.owner)
    assert any("TENANTRY_DATABASE_URL" in found and "passes row level security by" in found for found in both)
    assert any("TENANTRY_SERVICE_URL" in found and "passes row level security by" in found for found in both)
    swapped = await place.findings(api=place.service, service=place.api)
    assert any("TENANTRY_DATABASE_URL" in found and "may become service_role" in found for found in swapped)
    assert any("TENANTRY_SERVICE_URL" in found and "works as authenticated" in found for found in swapped)


async def test_other_logins_do_not_get_in(place: Place, postgres_server: PostgresServer) -> None:
    stranger = f"stranger_{place.name}"
    await place.run(f"CREATE ROLE {stranger} LOGIN PASSWORD 'x'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url_of(postgres_server, place.name, stranger, "x"))


async def test_a_url_without_a_user_is_refused(place: Place) -> None:
    parts = urlsplit(place.api)
    nameless = parts._replace(netloc=f"{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(ValueError, match="names no user"):
        await initialise(place.owner, nameless, place.service)
