"""How a login would get out of its role, or bring claims of its own: each way is refused by PostgreSQL itself."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tenantry.testing import TestDatabase

pytestmark = pytest.mark.postgres
ADA, EVE = UUID(int=1), UUID(int=2)
REFUSED = asyncpg.InsufficientPrivilegeError
BIND = "SELECT set_config('request.jwt.claims', $1, true)"


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
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> session_user",
    "DO $$ BEGIN EXECUTE 'SET ROLE postgres'; END $$",
    "CREATE TEMP VIEW users AS SELECT 1",
    "CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.now()'",
    "CREATE TABLE tenantry.mine (id int)",
    "CREATE TABLE auth.mine (id int)",
    "CREATE TYPE mine AS (id int)",
    "CREATE EXTENSION dblink",
    "DROP OWNED BY postgres",
]
OF_THE_API = [
    "SET ROLE service_role",
    "SELECT set_config('role', 'service_role', false)",
    "SELECT token_hash FROM sessions",
    "SELECT table_to_xml('sessions', true, true, '')",
    "COPY sessions TO STDOUT",
    "SELECT * FROM attempts",
    "SELECT * FROM jobs",
    "DO $$ BEGIN EXECUTE 'SET ROLE service_role'; END $$",
    "ALTER ROLE service_role LOGIN",
    "DROP OWNED BY service_role",
    "DO $$ BEGIN LOCK TABLE users IN ACCESS EXCLUSIVE MODE; END $$",
]


@pytest.mark.parametrize("login", ["api_url", "service_url"])
async def test_42501_neither_login_gets_out_of_its_role(
    attacked: TestDatabase, connect: Any, login: str, subtests: pytest.Subtests
) -> None:
    connection = await connect(getattr(attacked, login))
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
    async with api.transaction():
        await api.execute(BIND, json.dumps({"sub": str(ADA)}))
        await api.execute("SET LOCAL row_security = off")
        with pytest.raises(REFUSED, match="row-level security"):
            async with api.transaction():
                await api.fetch("SELECT id FROM users")


async def test_claims_end_with_the_transaction(api: Any) -> None:
    async with api.transaction():
        await api.execute(BIND, json.dumps({"sub": str(ADA)}))
        assert len(await api.fetch("SELECT id FROM users")) == 1
    assert await api.fetch("SELECT id FROM users") == []
    assert await api.fetchval("SELECT tenantry.uid()") is None


@pytest.mark.parametrize("whose", [ADA, EVE])
async def test_no_session_is_deleted_through_the_api_login(api: Any, victims: Any, whose: Any) -> None:
    """Not even one's own: among them may be an operator's look, which stays in the list."""
    transaction = api.transaction()
    await transaction.start()
    await api.execute(BIND, json.dumps({"sub": str(EVE)}))
    with pytest.raises(REFUSED):
        await api.execute("DELETE FROM sessions WHERE id = $1", victims.row("sessions", whose)["id"])
    await transaction.rollback()


@pytest.mark.parametrize("login", ["service_url", "owner_url"])
async def test_the_audit_log_is_changed_by_nobody(attacked: TestDatabase, connect: Any, login: str) -> None:
    connection, service = await connect(getattr(attacked, login)), await connect(attacked.service_url)
    before = await service.fetch("SELECT * FROM audit_log ORDER BY id")
    for sql in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        with pytest.raises((REFUSED, asyncpg.RaiseError)):
            await connection.execute(sql)
    assert await service.fetch("SELECT * FROM audit_log ORDER BY id") == before
