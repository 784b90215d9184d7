"""The databases themselves: row level security, grants, triggers, as the models say."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select, update

from house.rules.grants import open_tables, wrong_grants
from house.rules.live import schema_of
from house.rules.tables import all_tables
from house.rules.tree import unexcused
from tenantry.holders.models import Holders, Plans
from tenantry.identity.models import Accounts, Users
from tenantry.kernel.database import param, statement
from tenantry.testing import PostgresServer, TestDatabase, postgres_database


@pytest.fixture(scope="module")
def guarded(postgres_server: PostgresServer) -> TestDatabase:
    """A database of this file's own, to spoil."""
    return postgres_database(postgres_server, "house_guards")


@pytest.fixture
async def owner(guarded: TestDatabase) -> AsyncIterator[Any]:
    """The owner's connection; whatever a test spoils is rolled back."""
    connection = await asyncpg.connect(guarded.owner_url)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


async def test_every_table_has_forced_row_level_security_and_nothing_for_everybody(owner):
    assert unexcused(await open_tables(owner), {}) == []


@pytest.mark.parametrize(
    ("spoiling", "place"),
    [
        ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", "users"),
        ("ALTER TABLE users NO FORCE ROW LEVEL SECURITY", "users"),
        ("CREATE TABLE leaks (id int)", "leaks"),
        ("GRANT SELECT ON holders TO PUBLIC", "holders"),
        ("GRANT SELECT (email) ON users TO PUBLIC", "users"),
    ],
)
async def test_an_open_table_is_found(owner, spoiling, place):
    await owner.execute(spoiling)
    assert {one.place for one in await open_tables(owner)} == {place}


async def test_every_grant_is_the_policys(owner):
    assert unexcused(await wrong_grants(owner, all_tables()), {}) == []


@pytest.mark.parametrize(
    ("spoiling", "place"),
    [
        ("GRANT UPDATE ON users TO authenticated", "users.email"),
        ("GRANT UPDATE (email) ON users TO authenticated", "users.email"),
        ("GRANT SELECT (token_hash) ON sessions TO authenticated", "sessions.token_hash"),
        ("GRANT DELETE ON holders TO anon", "holders"),
        ("GRANT TRUNCATE ON audit_log TO service_role", "audit_log"),
        ("GRANT INSERT ON users TO PUBLIC", "users.id"),
        ("REVOKE SELECT ON plans FROM anon", "plans.name"),
    ],
)
async def test_a_grant_the_policy_does_not_know_is_found(owner, spoiling, place):
    await owner.execute(spoiling)
    assert place in {one.place for one in await wrong_grants(owner, all_tables())}


def untouched(schema: dict[str, str], tables: list[Any]) -> list[str]:
    """Tables with `updated_at` and no trigger that keeps it."""
    kept = {name.removesuffix(" trigger") for name in schema if name.endswith(" trigger")}
    return [table.name for table in tables if "updated_at" in table.columns and f"{table.name}_touch" not in kept]


async def test_every_updated_at_is_kept_by_a_trigger(database):
    schema = await schema_of(database.owner_url or database.api_url)
    assert untouched(schema, all_tables()) == []


@pytest.mark.parametrize("table", [Users, Accounts, Plans, Holders])
async def test_a_change_moves_updated_at_and_never_created_at(kit, table):
    await kit.sign_in("ada")
    forged = await kit.move(hours=1)
    async with kit.system.service() as ctx:
        (created, *_) = await ctx.db.rows(statement(select(table.created_at)))
        await ctx.db.run(statement(update(table).values(created_at=param("forged"))), forged=forged)
    async with kit.system.service(writes=False) as ctx:
        assert (await ctx.db.rows(statement(select(table.created_at))))[0] == created < forged
        assert set(await ctx.db.rows(statement(select(table.updated_at)))) == {forged}


async def test_a_missing_trigger_is_found(database):
    schema = await schema_of(database.owner_url or database.api_url)
    del schema["users_touch trigger"]
    assert "users" in untouched(schema, all_tables())


async def test_every_append_only_table_is_guarded(database):
    schema = await schema_of(database.owner_url or database.api_url)
    guards = {"sqlite": ("no_update", "no_delete"), "postgresql": ("append_only", "no_truncate")}[database.kind]
    guarded = [table.name for table in all_tables() if table.info.get("append_only")]
    assert "audit_log" in guarded
    for table in guarded:
        assert {f"{table}_{guard} trigger" for guard in guards} <= schema.keys()
