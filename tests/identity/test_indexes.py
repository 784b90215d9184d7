"""The look-ups that every sign-in and every request make use an index on both databases."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from tenantry.identity import lookup, queries
from tenantry.kernel.clock import SystemClock
from tenantry.kernel.database.sqlite_file import register_functions
from tenantry.kernel.policies import Role

LOOK_UPS = {
    "by address": (queries.users._of_email, {"email": "ada@example.com"}, "uq_users_email"),
    "by account": (queries.accounts._known, {"provider": "demo", "subject": "x"}, "uq_accounts_provider"),
    "by token": (lookup._live, {"hash": b"x" * 32}, "uq_sessions_token_hash"),
    "of a user": (
        queries.sessions._sessions,
        {"user": UUID(int=1), "before": UUID(int=2**128 - 1), "limit": 9},
        "uq_sessions_user_id",
    ),
    "link": (queries.tokens._use, {"hash": b"x" * 32, "purpose": "reset"}, "uq_verification_tokens_token_hash"),
    "pending of an address": (
        queries.tokens._forget_older,
        {"purpose": "sign-in", "identifier": "person7", "most": 2},
        "uq_verification_tokens_identifier",
    ),
    "expired tokens": (
        queries.tokens.EXPIRED.statement,
        {"before": datetime(2026, 1, 1, tzinfo=UTC)},
        "ix_verification_tokens_expires_at",
    ),
    "expired ones": (
        queries.sessions.EXPIRED.statement,
        {"before": datetime(2026, 1, 1, tzinfo=UTC)},
        "ix_sessions_expires_at",
    ),
}
# SQLite gives a UNIQUE of the table's own an index without a name of ours.
UNNAMED = {
    "uq_accounts_provider": "(provider=? AND provider_account_id=?)",
    "uq_sessions_token_hash": "(token_hash=?)",
    "uq_verification_tokens_token_hash": "(token_hash=?)",
    "uq_verification_tokens_identifier": "(identifier=?)",
    "uq_sessions_user_id": "(user_id=? AND id<?)",
}


# Enough of them that the planner has a choice to make.
PEOPLE = """
INSERT INTO plans (name, display_name, currency, limits, features, is_active, position)
  VALUES ('free', 'Free', 'USD', '{}', '[]', true, 0);
INSERT INTO users (id, email) SELECT md5('u' || n)::uuid, 'person' || n || '@example.com'
  FROM generate_series(1, 3000) n;
INSERT INTO holders (id, kind, user_id, owner_id, plan)
SELECT md5('h' || n)::uuid, 'user', md5('u' || n)::uuid, md5('u' || n)::uuid, 'free'
  FROM generate_series(1, 3000) n;
INSERT INTO accounts (id, user_id, type, provider, issuer, provider_account_id)
  SELECT md5('a' || n)::uuid, md5('u' || n)::uuid, 'oidc', 'demo', 'x', n FROM generate_series(1, 3000) n;
INSERT INTO sessions (id, user_id, method, token_hash, expires_at)
  SELECT md5('s' || n)::uuid, md5('u' || n)::uuid, 'demo', sha256(n::text::bytea), now() + n * interval '1 hour'
  FROM generate_series(1, 3000) n;
INSERT INTO verification_tokens (id, purpose, identifier, token_hash, detail, expires_at)
  SELECT md5('t' || n)::uuid, 'reset', 'person' || n, sha256(n::text::bytea), '{}', now() + n * interval '1 hour'
  FROM generate_series(1, 3000) n;
ANALYZE users, holders, accounts, sessions, verification_tokens;
"""


async def plan(database, statement, given):
    compiled = statement.compiled(database.kind, Role.SERVICE)
    arguments = compiled.arguments({**given, "_user_id": None, "_organization_ids": ()})
    if database.kind == "sqlite":
        with closing(sqlite3.connect(database.api_url.removeprefix("sqlite:///"))) as connection:
            register_functions(connection, SystemClock())
            return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", arguments))
    connection = await asyncpg.connect(database.owner_url)
    try:
        await connection.execute(PEOPLE)
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {compiled.sql}", *arguments))
    finally:
        await connection.close()


@pytest.mark.parametrize("look_up", LOOK_UPS)
async def test_an_index_serves(database, look_up):
    statement, given, index = LOOK_UPS[look_up]
    found = await plan(database, statement, given)
    assert (UNNAMED.get(index, index) if database.kind == "sqlite" else index) in found
    assert "SCAN" not in found if database.kind == "sqlite" else "Seq Scan" not in found
