"""PostgreSQL's row level security and grants by themselves: raw SQL as the API login, no statement of ours in between.

Every table of the metadata is walked, so a new one is covered the day it is written. The cases are those of
`reference` attacks: forged, broken and missing claims, columns, upserts, COPY, role changes, DDL.
"""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tenantry.kernel.database import Base
from tenantry.kernel.database.postgres import PostgresDatabase
from tenantry.kernel.database.units import SERVICE
from tenantry.kernel.policies import Command, Rights, Role, anyone, policy_of
from tenantry.testing import PostgresServer, TestDatabase, postgres_database

pytestmark = pytest.mark.postgres
ADA, EVE = UUID(int=1), UUID(int=2)
REFUSED = asyncpg.InsufficientPrivilegeError
TABLES = [table.name for table in Base.metadata.sorted_tables]
tables = pytest.mark.parametrize("name", TABLES)

BROKEN_CLAIMS = {
    "none": "",
    "not json": "{",
    "a number": "5",
    "null": "null",
    "an array": json.dumps([str(ADA)]),
    "no sub": '{"role": "authenticated"}',
    "sub is null": '{"sub": null}',
    "sub is no uuid": '{"sub": "1 OR true"}',
    "sub is empty": '{"sub": ""}',
    "sub is an object": '{"sub": {"sub": "x"}}',
    "somebody unknown": json.dumps({"sub": str(UUID(int=3))}),
    "a role nobody gave": '{"role": "service_role"}',
    "organizations are no list": '{"organization_ids": "x"}',
    "organizations are no uuids": '{"organization_ids": ["x"]}',
}


def rights(name: str, role: Role = Role.AUTHENTICATED) -> Rights:
    return policy_of(Base.metadata.tables[name]).rights(role)


def key_of(name: str) -> list[str]:
    return [one.name for one in Base.metadata.tables[name].primary_key]


def may(columns: tuple[str, ...] | None, granted: Any, column: str) -> bool:
    return granted is not None and (columns is None or column in columns)


@pytest.fixture(scope="module")
def attacked(postgres_server: PostgresServer, people: Any, apart: Any) -> TestDatabase:
    """Ada and Eve have a row in every table. No test here leaves a change behind."""
    database = postgres_database(postgres_server, "attacked")

    async def fill() -> None:
        service = PostgresDatabase(database.service_url)
        await service.open()
        await people.fill(service.unit(SERVICE, writes=True), ADA, EVE)
        await service.close()

    apart(fill())
    return database


@asynccontextmanager
async def connected(url: str | None) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def api(attacked: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """The API login itself."""
    async with connected(attacked.api_url) as connection:
        yield connection


@asynccontextmanager
async def acting(connection: Any, claims: Any = ADA, role: str | None = None) -> AsyncIterator[Any]:
    """A transaction with these claims; a UUID stands for a well-formed user."""
    text = json.dumps({"sub": str(claims)}) if isinstance(claims, UUID) else claims
    transaction = connection.transaction()
    await transaction.start()
    try:
        if role:
            await connection.execute(f"SET LOCAL ROLE {role}")
        await connection.execute("SELECT set_config('request.jwt.claims', $1, true)", text)
        yield connection
    finally:
        await transaction.rollback()


async def whole_table(database: TestDatabase, name: str) -> list[tuple[Any, ...]]:
    async with connected(database.service_url) as service:
        return sorted([tuple(row) for row in await service.fetch(f"SELECT * FROM {name}")], key=repr)


@tables
async def test_a_user_reads_exactly_their_own_rows(api: Any, people: Any, name: str) -> None:
    shown = ", ".join(key_of(name))
    async with acting(api) as ada:
        if rights(name).read is None:
            with pytest.raises(REFUSED):
                await ada.fetch(f"SELECT 1 FROM {name}")
            return
        found = {tuple(row) for row in await ada.fetch(f"SELECT {shown} FROM {name}")}
    mine, all_ = people.keys(name, ADA), people.keys(name, ADA, EVE)
    assert found == (all_ if rights(name).read is anyone else mine), f"see __policy__ of {name}"


@pytest.mark.parametrize("name", [name for name in TABLES if rights(name).read not in {None, anyone}])
async def test_claims_that_name_nobody_see_nothing_and_never_fail(
    api: Any, name: str, subtests: pytest.Subtests
) -> None:
    given, key = rights(name), key_of(name)[0]
    for told, claims in BROKEN_CLAIMS.items():
        with subtests.test(told):
            async with acting(api, claims) as nobody:
                assert await nobody.fetch(f"SELECT {key} FROM {name}") == []
                if given.delete is not None:
                    assert await nobody.execute(f"DELETE FROM {name}") == "DELETE 0"
                if given.update is not None:
                    column = (given.update_columns or (key,))[0]
                    assert await nobody.execute(f"UPDATE {name} SET {column} = {column}") == "UPDATE 0"


@tables
async def test_strangers_read_only_what_says_so(api: Any, name: str) -> None:
    async with acting(api, "", role="anon") as anon:
        if rights(name, Role.ANON).read is not None:
            assert await anon.fetch(f"SELECT * FROM {name}")
        else:
            with pytest.raises(REFUSED):
                await anon.fetch(f"SELECT 1 FROM {name}")


@tables
async def test_columns_are_granted_as_the_policy_says_and_no_wider(api: Any, name: str) -> None:
    question = "SELECT has_column_privilege($1, $2::text, $3::text, $4)"
    for role in Role:
        given = rights(name, role)
        for column in Base.metadata.tables[name].c.keys():  # noqa: SIM118 - a column collection iterates columns
            for command in (Command.READ, Command.INSERT, Command.UPDATE):
                expected = may(given.columns(command), given.predicate(command), column)
                assert await api.fetchval(question, str(role), name, column, command) is expected, (role, column)
        for command in ("TRUNCATE", "REFERENCES", "TRIGGER"):
            assert await api.fetchval("SELECT has_table_privilege($1, $2, $3)", str(role), name, command) is False
        deletes = await api.fetchval("SELECT has_table_privilege($1, $2, 'DELETE')", str(role), name)
        assert deletes is (given.delete is not None)


@tables
async def test_security_is_forced_and_the_login_owns_nothing(api: Any, name: str) -> None:
    row = await api.fetchrow(
        "SELECT relrowsecurity, relforcerowsecurity, pg_has_role(session_user, relowner, 'MEMBER') AS owns "
        "FROM pg_class WHERE oid = $1::regclass",
        name,
    )
    assert tuple(row) == (True, True, False)


@tables
async def test_nothing_a_user_writes_reaches_the_neighbour(
    api: Any, attacked: TestDatabase, people: Any, name: str
) -> None:
    before = await whole_table(attacked, name)
    given = rights(name)
    for column in Base.metadata.tables[name].c.keys():  # noqa: SIM118
        async with acting(api) as ada:
            changing = f"UPDATE {name} SET {column} = {column}"
            if may(given.update_columns, given.update, column):
                assert await ada.execute(changing) == f"UPDATE {len(people.keys(name, ADA))}"
            else:
                with pytest.raises(REFUSED):
                    await ada.execute(changing)
    async with acting(api) as ada:
        if given.delete is None:
            with pytest.raises(REFUSED):
                await ada.execute(f"DELETE FROM {name}")
        else:
            assert await ada.execute(f"DELETE FROM {name}") == f"DELETE {len(people.keys(name, ADA))}"
    assert await whole_table(attacked, name) == before


@tables
async def test_a_row_is_inserted_in_ones_own_name_only(api: Any, people: Any, name: str) -> None:
    given = rights(name)
    for owner, person in (("own", ADA), ("neighbour", EVE)):
        values = people.values(name, person)
        if given.insert_columns is not None:
            values = {column: value for column, value in values.items() if column in given.insert_columns}
        marks = ", ".join(f"${n + 1}" for n in range(len(values)))
        adding = f"INSERT INTO {name} ({', '.join(values)}) VALUES ({marks})"
        async with acting(api) as ada:
            if given.insert is not None and owner == "own":
                assert await ada.execute(adding, *people.raw(name, values)) == "INSERT 0 1"
            else:
                with pytest.raises(REFUSED):
                    await ada.execute(adding, *people.raw(name, values))


@tables
async def test_an_upsert_on_the_neighbours_key_is_no_way_in(
    api: Any, attacked: TestDatabase, people: Any, name: str
) -> None:
    before = await whole_table(attacked, name)
    values = people.row(name, EVE)
    key = ", ".join(key_of(name))
    marks = ", ".join(f"${n + 1}" for n in range(len(values)))
    columns = rights(name).update_columns or tuple(values)
    async with acting(api) as ada:
        with pytest.raises(REFUSED):
            await ada.execute(
                f"INSERT INTO {name} ({', '.join(values)}) VALUES ({marks}) "
                f"ON CONFLICT ({key}) DO UPDATE SET {columns[0]} = excluded.{columns[0]}",
                *people.raw(name, values),
            )
    assert await whole_table(attacked, name) == before


@tables
async def test_copy_is_no_way_around(api: Any, people: Any, name: str) -> None:
    given = rights(name)
    async with acting(api) as ada:
        sink = io.BytesIO()
        if given.read is None:
            with pytest.raises(REFUSED):
                await ada.copy_from_table(name, output=sink, columns=key_of(name))
        else:
            await ada.copy_from_table(name, output=sink, columns=key_of(name))
            seen = (ADA, EVE) if given.read is anyone else (ADA,)
            assert len(sink.getvalue().splitlines()) == len(people.keys(name, *seen))
    async with acting(api) as ada:
        with pytest.raises((REFUSED, asyncpg.FeatureNotSupportedError)):
            await ada.copy_to_table(name, source=io.BytesIO(b""), columns=key_of(name))


ESCAPES = [
    "TRUNCATE users",
    "TRUNCATE audit_log",
    "CREATE TABLE mine (id int)",
    "CREATE TEMP TABLE users (id int)",
    "CREATE SCHEMA mine",
    "CREATE VIEW everybody AS SELECT * FROM users",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION tenantry.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "CREATE TRIGGER mine BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION tenantry.touch()",
    "CREATE POLICY mine ON users USING (true)",
    "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY users_authenticated_select ON users",
    "DROP TABLE audit_log",
    "GRANT service_role TO current_user",
    "ALTER ROLE current_user BYPASSRLS",
    "CREATE ROLE mine",
    "SET SESSION AUTHORIZATION postgres",
    "SET session_replication_role = replica",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('/etc/passwd')",
]
OF_THE_API = [
    "SET ROLE service_role",
    "SELECT set_config('role', 'service_role', false)",
    "SELECT token_hash FROM sessions",
]


@pytest.mark.parametrize("login", ["api_url", "service_url"])
async def test_42501_neither_login_gets_out_of_its_role(
    attacked: TestDatabase, login: str, subtests: pytest.Subtests
) -> None:
    async with connected(getattr(attacked, login)) as connection:
        for sql in ESCAPES if login == "service_url" else [*ESCAPES, *OF_THE_API]:
            with subtests.test(sql), pytest.raises((REFUSED, asyncpg.InvalidGrantOperationError)):
                await connection.execute(sql)


async def test_a_grant_by_a_login_grants_nothing(api: Any) -> None:
    await api.execute("GRANT SELECT ON users TO anon")  # PostgreSQL only warns
    assert await api.fetchval("SELECT has_table_privilege('anon', 'users', 'SELECT')") is False


async def test_giving_the_role_up_wins_nothing(api: Any, subtests: pytest.Subtests) -> None:
    for way_back in ("RESET ROLE", "SET ROLE NONE", "RESET ALL", "DISCARD ALL", "SET SESSION AUTHORIZATION DEFAULT"):
        with subtests.test(way_back):
            await api.execute(way_back)
            assert await api.fetchval("SELECT current_user") != "service_role"
            with suppress(REFUSED):
                assert await api.fetch("SELECT id FROM users") == []


async def test_row_security_off_is_an_error_not_a_way_to_see_more(api: Any) -> None:
    async with acting(api) as ada:
        await ada.execute("SET LOCAL row_security = off")
        with pytest.raises(REFUSED, match="row-level security"):
            await ada.fetch("SELECT id FROM users")


async def test_claims_end_with_the_transaction(api: Any) -> None:
    async with acting(api) as ada:
        assert len(await ada.fetch("SELECT id FROM users")) == 1
    assert await api.fetch("SELECT id FROM users") == []
    assert await api.fetchval("SELECT tenantry.uid()") is None


async def test_a_session_can_be_ended_by_its_owner_alone(api: Any, people: Any) -> None:
    async with acting(api, EVE) as eve:
        ending = "DELETE FROM sessions WHERE id = $1"
        assert await eve.execute(ending, people.row("sessions", ADA)["id"]) == "DELETE 0"
        assert await eve.execute(ending, people.row("sessions", EVE)["id"]) == "DELETE 1"


@pytest.mark.parametrize("login", ["service_url", "owner_url"])
async def test_the_audit_log_is_changed_by_nobody(attacked: TestDatabase, login: str) -> None:
    before = await whole_table(attacked, "audit_log")
    async with connected(getattr(attacked, login)) as connection:
        for sql in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
            with pytest.raises((REFUSED, asyncpg.RaiseError)):
                await connection.execute(sql)
    assert await whole_table(attacked, "audit_log") == before
